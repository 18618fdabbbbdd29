"""Watch lists: what happened between two looks, tags that cannot be watched, and no room for a session."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.clock import ManualClock

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import Clock, SystemClock
from mxgateway_server.access.authenticator import ANYONE
from mxgateway_server.dashboard.watching import FIRST_PAUSE, LONGEST_PAUSE, MAX_TAGS, WatchDesk, _Tag, _Watch
from mxgateway_server.errors import InvalidRequestError, SessionClosedError, SessionLimitError, WorkerExitedError
from mxgateway_server.sessions.options import OpenOptions


def change(value: float, quality: int = 192) -> pb.MxEvent:
    return pb.MxEvent(value=pb.MxValue(double_value=value), quality=quality)


def test_what_happened_between_two_looks_is_in_the_band() -> None:
    tag = _Tag()
    for number in range(10_000):
        tag.take(change(float(number % 2 * 1000)))
    tag.take(change(1.0))
    row = tag.row("A")
    assert (row["number"], row["low"], row["high"], row["changes"]) == (1.0, 0.0, 1000.0, 10_001)
    assert (tag.row("A")["low"], tag.row("A")["high"]) == (1.0, 1.0), "and no longer than until the next look"
    tag.take(change(1.0, quality=0))
    assert (tag.row("A")["qualityWord"], tag.row("A")["value"]) == ("Bad", "1.0")


def desk(sessions: Any, clock: Clock | None = None) -> WatchDesk:
    wanted = OpenOptions(plan=SimpleNamespace(), uses_default_plan=True, command_timeout=1.0)  # type: ignore[arg-type]
    return WatchDesk(sessions, SimpleNamespace(), clock or SystemClock(), wanted)  # type: ignore[arg-type]


def call() -> Any:
    return SimpleNamespace(who=ANYONE, address="", correlation_id="")


async def test_a_tag_that_cannot_be_watched_says_why_and_the_others_go_on() -> None:
    watching = desk(SimpleNamespace())
    watch = _Watch(ANYONE, SimpleNamespace(), 1, 0.0, 0.0)  # type: ignore[arg-type]
    watch.tags = {"A": _Tag(), "B": _Tag(error="denied by a limit of the key")}
    watch.tags["A"].take(change(2.0))
    watching._watches[ANYONE.key_id] = watch
    rows = {row["tag"]: row for row in watching.values(ANYONE)}
    assert (rows["A"]["value"], rows["A"]["error"]) == ("2.0", "")
    assert (rows["B"]["value"], rows["B"]["error"]) == (None, "denied by a limit of the key")
    watch.error = SessionClosedError("the session of this list was closed")
    assert {row["error"] for row in watching.values(ANYONE)} == {"the session of this list was closed"}


async def test_without_room_for_a_session_the_list_says_so() -> None:
    async def full(*_: Any) -> Any:
        raise SessionLimitError("there are 64 sessions already")

    watching = desk(SimpleNamespace(open=full))
    with pytest.raises(SessionLimitError, match="64 sessions"):
        await watching.watch(call(), ["A"])
    assert watching.values(ANYONE) == []
    with pytest.raises(InvalidRequestError, match=f"at most {MAX_TAGS}"):
        await watching.watch(call(), [f"T{number}" for number in range(MAX_TAGS + 1)])


async def test_a_worker_that_ends_again_and_again_is_left_alone_for_longer_each_time() -> None:
    """The list says why meanwhile, and starts no worker."""
    starts = 0

    async def crashes(*_: Any) -> Any:
        nonlocal starts
        starts += 1
        raise WorkerExitedError("the worker ended (exit code 3)", exit_code=3)

    clock = ManualClock()
    watching = desk(SimpleNamespace(open=crashes), clock)
    pauses = []
    for _ in range(8):
        begun, since = starts, clock.monotonic()
        while starts == begun:
            with pytest.raises(WorkerExitedError, match="exit code 3"):
                await watching.watch(call(), ["A"])
            clock.advance(0.5)
        pauses.append(clock.monotonic() - since)
    assert pauses[1] == pytest.approx(FIRST_PAUSE, abs=0.5)
    assert pauses[1:] == sorted(pauses[1:])
    assert pauses[-1] == pytest.approx(LONGEST_PAUSE, abs=0.5)


async def test_what_is_no_fault_of_a_worker_is_tried_again_at_once() -> None:
    tries = 0

    async def full(*_: Any) -> Any:
        nonlocal tries
        tries += 1
        raise SessionLimitError("16 watch lists are shown already")

    watching = desk(SimpleNamespace(open=full), ManualClock())
    for _ in range(3):
        with pytest.raises(SessionLimitError):
            await watching.watch(call(), ["A"])
    assert tries == 3


def test_its_session_takes_no_place_of_a_client() -> None:
    assert desk(SimpleNamespace())._wanted.is_apart
