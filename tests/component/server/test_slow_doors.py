"""A provider or a directory that takes connections and never answers: who signs in by it hears so in time, who has a
key signs in meanwhile, and nothing of the asking is left."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.dashboard import DashboardRig, dashboard_rig
from tests.support.http import Answer
from tests.support.tcp_server import tcp_server
from tests.support.waiting import eventually

from mxgateway_server.dashboard.people import asking
from mxgateway_server.dashboard.people.oidc import provider

ROLES = {"plant-viewers": "viewer"}


@dataclass
class Silent:
    """A server that says nothing, or now and then a byte of something that never ends.

    Attributes:
        most: connections that were open at once.
    """

    drips: bool = False
    port: int = 0
    most: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        self.most = max(self.most, len(self.open))
        dripping = asyncio.create_task(self._drip(writer))
        with contextlib.suppress(ConnectionError):
            while await reader.read(4096):
                pass
        dripping.cancel()
        await asyncio.wait([dripping])
        self.open.discard(writer)
        writer.close()

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        # An LDAP message of 2 GB, or a line of HTTP: it always goes on.
        part = b"\x30\x84\x7f\xff\xff\xff" if self.drips else b""
        with contextlib.suppress(ConnectionError):
            while part:
                writer.write(part)
                await writer.drain()
                part = b"0"
                await asyncio.sleep(0.2)


@asynccontextmanager
async def silence(drips: bool = False) -> AsyncIterator[Silent]:
    made = Silent(drips)
    async with tcp_server(made.listen) as made.port:
        try:
            yield made
        finally:
            for writer in list(made.open):
                writer.close()


async def by_oidc(rig: DashboardRig) -> Answer:
    return await rig.stranger().post("/api/v1/oidc/start", {"return": "/"})


async def by_ldap(rig: DashboardRig) -> Answer:
    return await rig.stranger().post("/api/v1/login/ldap", {"user": "otto", "password": "Right 1"})


def flags(way: Any, port: int) -> dict[str, Any]:
    if way is by_oidc:
        return {"dashboard__oidc__issuer": f"http://127.0.0.1:{port}", "dashboard__oidc__client_id": "gateway"}
    return {
        "dashboard__ldap__url": f"ldap://127.0.0.1:{port}",
        "dashboard__ldap__search_base": "DC=plant,DC=example",
        "dashboard__ldap__timeout_seconds": 1,
    }


def askers() -> int:
    return sum(thread.name.startswith("directory") for thread in threading.enumerate())


@pytest.mark.parametrize("way", [by_oidc, by_ldap])
async def test_keys_sign_in_while_a_door_does_not_answer(
    tmp_path: Path, way: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their sign-in runs on the same loop, so that nothing can be holding it."""
    given = flags(way, 0)
    if way is by_ldap:
        given["dashboard__ldap__timeout_seconds"] = 60
    monkeypatch.setattr(provider, "TIMEOUT_SECONDS", 60.0)
    monkeypatch.setattr(provider, "WHOLE_SECONDS", 60.0)
    async with silence() as server:
        given |= {name: f"{value[:-1]}{server.port}" for name, value in given.items() if str(value).endswith(":0")}
        async with dashboard_rig(tmp_path, dashboard__roles=ROLES, **given) as rig:
            waiting = [asyncio.create_task(way(rig)) for _ in range(6)]
            await eventually(lambda: server.most >= (1 if way is by_oidc else asking.MAX_AT_DIRECTORY))
            browser = await rig.browser("viewer")
            assert (await browser.get("/api/v1/snapshot")).status == 200
            assert not any(task.done() for task in waiting)
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
        # The gateway's end has not waited for them either.
        await eventually(lambda: not server.open)


@pytest.mark.slow
@pytest.mark.parametrize("drips", [False, True])
async def test_a_directory_that_never_answers_is_given_up_in_time_and_leaves_no_thread(
    tmp_path: Path, drips: bool
) -> None:
    async with (
        silence(drips) as server,
        dashboard_rig(tmp_path, dashboard__roles=ROLES, **flags(by_ldap, server.port)) as rig,
    ):
        answers = await asyncio.gather(*(by_ldap(rig) for _ in range(3 * asking.MAX_AT_DIRECTORY)))
        assert {(answer.status, answer.json()["reason"]) for answer in answers} == {(503, "LDAP_UNREACHABLE")}
        assert all("sign in with a key" in answer.json()["remedy"] for answer in answers)
        assert askers() <= asking.MAX_AT_DIRECTORY
        # Whoever asked has let go, and is there for the next.
        await eventually(lambda: not server.open)
        failed = await rig.audit("authentication-failed")
        assert {each["outcome"] for each in failed} == {"ldap-unreachable"}
    await eventually(lambda: askers() == 0)


@pytest.mark.slow
async def test_of_many_who_wait_for_a_provider_nobody_waits_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each asks for what the provider offers, one after the other; the limit is each one's own."""
    monkeypatch.setattr(provider, "TIMEOUT_SECONDS", 1.0)
    monkeypatch.setattr(provider, "WHOLE_SECONDS", 1.5)
    async with (
        silence() as server,
        dashboard_rig(tmp_path, dashboard__roles=ROLES, **flags(by_oidc, server.port)) as rig,
    ):
        async with asyncio.timeout(8.0):
            answers = await asyncio.gather(*(by_oidc(rig) for _ in range(12)))
        assert {(answer.status, answer.json()["reason"]) for answer in answers} == {(503, "OIDC_UNREACHABLE")}
        assert server.most <= 2, "they ask one after the other"
        await eventually(lambda: not server.open)
