"""The keeper: what is new is presented from the next handshake on, what is unusable never; ends are told in time."""

from __future__ import annotations

import asyncio
import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.support.certificates import earlier_pair
from tests.support.clock import ManualClock
from tests.support.waiting import eventually

from mxgateway_server.certificates.keeper import LOOK_SECONDS, CertificateKeeper
from mxgateway_server.certificates.presented import ServerCertificate
from mxgateway_server.certificates.provided import ProvidedCertificate
from mxgateway_server.errors import ConfigurationError

CLOCK = ManualClock()
NOW = datetime.datetime.fromtimestamp(CLOCK.unix_ns() / 1e9, datetime.UTC)
DAY = datetime.timedelta(days=1)


class Source:
    """A source that tests steer."""

    is_automatic = False

    def __init__(self, days: int = 365) -> None:
        self.found = ServerCertificate(
            certificate_chain=b"c",
            private_key=b"k",
            ca_file=Path("ca.pem"),
            thumbprint="AA",
            names=("localhost",),
            not_before=NOW,
            not_after=NOW + days * DAY,
        )
        self.problem = ""
        self.loads = 0

    def load(self, now: datetime.datetime) -> ServerCertificate:
        self.loads += 1
        if self.problem:
            raise ConfigurationError(self.problem)
        return self.found


def events(lines: list[Any]) -> list[str]:
    return [line["event"] for line in lines]


def test_what_is_new_is_presented_and_told() -> None:
    source = Source()
    keeper = CertificateKeeper(source, ManualClock())
    with structlog.testing.capture_logs() as lines:
        keeper.look()
        assert events(lines) == []
        source.found = replace(source.found, certificate_chain=b"d", thumbprint="BB")
        keeper.look()
    assert keeper.current.thumbprint == "BB"
    assert events(lines) == ["certificate_reloaded"]


def test_what_cannot_be_used_never_replaces_what_is_presented() -> None:
    source = Source()
    keeper = CertificateKeeper(source, ManualClock())
    with structlog.testing.capture_logs() as lines:
        for problem in ("half a file", "half a file", "another pair", ""):
            source.problem = problem
            keeper.look()
            assert (keeper.current.thumbprint, keeper.problem) == ("AA", problem)
    assert events(lines) == ["certificate_not_reloaded"] * 2


def test_files_that_change_one_after_the_other_are_taken_up_as_a_pair(tmp_path: Path) -> None:
    earlier_pair(tmp_path / "served", NOW)
    earlier_pair(tmp_path / "new", NOW)
    served, new = tmp_path / "served", tmp_path / "new"
    source = ProvidedCertificate(str(served / "gateway.crt"), str(served / "gateway.key"))
    keeper = CertificateKeeper(source, ManualClock())
    first = keeper.current
    (served / "gateway.crt").write_bytes((new / "gateway.crt").read_bytes())
    keeper.look()
    assert keeper.current is first
    assert "does not belong" in keeper.problem
    (served / "gateway.key").write_bytes((new / "gateway.key").read_bytes())
    keeper.look()
    assert keeper.current.private_key == (new / "gateway.key").read_bytes()
    assert keeper.problem == ""


@pytest.mark.parametrize(
    ("days", "expected"), [(31, []), (29, ["certificate_expires_soon"]), (0, ["certificate_expired"])]
)
def test_the_end_is_told_once_a_day(days: int, expected: list[str]) -> None:
    clock = ManualClock()
    with structlog.testing.capture_logs() as lines:
        keeper = CertificateKeeper(Source(days), clock, warn_days=30)
        keeper.look()
        keeper.look()
    assert events(lines) == ["certificate", *expected]
    clock.advance(86_400)
    with structlog.testing.capture_logs() as lines:
        keeper.look()
        keeper.look()
    assert len(events(lines)) <= 1


def test_a_start_without_a_usable_certificate_fails() -> None:
    source = Source()
    source.problem = "nothing there"
    with pytest.raises(ConfigurationError, match="nothing there"):
        CertificateKeeper(source, ManualClock())


async def test_asked_it_looks_at_once_and_stop_ends_it() -> None:
    source = Source()
    keeper = CertificateKeeper(source, ManualClock())
    loads = source.loads
    assert LOOK_SECONDS >= 5
    async with asyncio.TaskGroup() as group:
        group.create_task(keeper.run())
        keeper.reload_soon()
        await eventually(lambda: source.loads > loads)
        await keeper.stop()


async def test_a_look_that_fails_is_told_and_the_next_one_comes() -> None:
    source = Source()
    keeper = CertificateKeeper(source, ManualClock())
    source.load = lambda now: 1 / 0  # type: ignore[assignment,method-assign]
    with structlog.testing.capture_logs() as lines:
        async with asyncio.TaskGroup() as group:
            group.create_task(keeper.run())
            keeper.reload_soon()
            await eventually(lambda: "certificate_look_failed" in events(lines))
            keeper.reload_soon()
            await eventually(lambda: events(lines).count("certificate_look_failed") == 2)
            await keeper.stop()
