"""All keys in memory: when they are looked at again, and how old what they say may be."""

from __future__ import annotations

import asyncio

from tests.support.clock import ManualClock

from mxgateway_contract.commands import Scope
from mxgateway_server.access.constraints import Constraints
from mxgateway_server.access.key_ring import KeyRing
from mxgateway_server.access.records import KeyRecord


class SlowStore:
    """Keys whose store takes some seconds to answer.

    Attributes:
        names: ids of the keys; a change of them is a change of the version.
        questions: what was asked.
    """

    def __init__(self, clock: ManualClock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.names = ["a"]
        self.questions: list[str] = []

    async def keys_version(self) -> str:
        self.questions.append("version")
        await asyncio.sleep(0)
        self._clock.advance(self._seconds)
        return "".join(self.names)

    async def list_keys(self) -> list[KeyRecord]:
        self.questions.append("keys")
        return [_record(name) for name in self.names]


def _record(name: str) -> KeyRecord:
    return KeyRecord(
        key_id=name,
        display_name=name,
        scopes=(Scope.INVOKE_READ,),
        constraints=Constraints(),
        created_ns=1,
        not_before_ns=None,
        expires_ns=None,
        last_used_ns=None,
        revoked_ns=None,
        secret_hash=b"",
    )


async def test_keys_are_read_only_when_something_has_changed() -> None:
    clock = ManualClock()
    store = SlowStore(clock, 0)
    ring = KeyRing(store, clock, max_age=2)
    await ring.look()
    await ring.look()
    assert store.questions == ["version", "keys", "version"]
    store.names.append("b")
    await ring.look()
    assert store.questions[3:] == ["version", "keys"]
    assert ring.get("b") is not None


async def test_what_is_known_is_as_old_as_the_question_not_as_the_answer() -> None:
    """A key may have been revoked while a slow store was answering."""
    clock = ManualClock()
    ring = KeyRing(SlowStore(clock, 1.5), clock, max_age=2)
    await ring.refresh()
    assert (ring.is_fresh, ring.age()) == (True, 1.5)
    clock.advance(0.5)
    assert not ring.is_fresh


async def test_who_asks_while_a_look_is_under_way_gets_one_that_begins_afterwards() -> None:
    clock = ManualClock()
    store = SlowStore(clock, 0)
    ring = KeyRing(store, clock, max_age=2)
    await asyncio.gather(*(ring.look() for _ in range(5)))
    # One had begun when the others asked, and they share the next one.
    assert store.questions.count("version") == 2
    asked, may_answer = asyncio.Event(), asyncio.Event()
    answer = store.keys_version

    async def when_told() -> str:
        asked.set()
        found = await answer()
        await may_answer.wait()
        return found

    store.keys_version = when_told  # type: ignore[method-assign]
    async with asyncio.TaskGroup() as group:
        group.create_task(ring.look())
        await asked.wait()
        # The look that is under way has its answer already, and this key came after it.
        store.names.append("b")
        group.create_task(ring.look())
        may_answer.set()
    assert ring.get("b") is not None
