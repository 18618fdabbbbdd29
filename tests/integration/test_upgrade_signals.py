"""What comes between two programs of a gateway: signals, ends of workers, and others who take its addresses."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from benches.gateway_process import GatewayProcess
from tests.support.fleeting import is_left
from tests.support.http import fetch
from tests.support.program_gates import BEGUN, RECORDED, ProgramGates
from tests.support.upgraded_gateway import LIMIT, program_of, small_site
from tests.support.waiting import eventually

from mxgateway import MxGatewayError, Session
from mxgateway_server.control.client import NoGatewayError, ask

pytestmark = [
    pytest.mark.shares_processes,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="a gateway replaces itself on Linux only"),
]


class Upgraded:
    """A gateway whose upgrade waits at gates."""

    def __init__(self, folder: Path, settings: Mapping[str, str], flags: Sequence[str]) -> None:
        (gates := folder / "gates").mkdir()
        self.gates = ProgramGates(gates)
        self.site = small_site(folder)
        self.log = folder / "log.txt"
        self.gateway = GatewayProcess(
            self.site,
            {"worker.pool_size": "1", **settings},
            flags=("--log-format", "json", *flags),
            environment=self.gates.environment,
            log_file=self.log,
        )

    @asynccontextmanager
    async def under_way(self, *gates: str) -> AsyncIterator[None]:
        """An upgrade that waits at these gates, asked for; whoever asked hears no answer."""
        self.gates.close(*gates)
        asking = asyncio.create_task(asyncio.to_thread(ask, self.site.state_dir, "upgrade"))
        yield
        with pytest.raises(NoGatewayError):
            await asking

    def lines(self, event: str) -> list[dict[str, str]]:
        """Its lines in the log."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [line for line in lines if line["event"] == event]

    def told(self, event: str) -> int:
        """How often the log has it."""
        return len(self.lines(event))


@asynccontextmanager
async def upgraded_gateway(
    folder: Path, settings: Mapping[str, str] | None = None, flags: Sequence[str] = ("--no-operations",)
) -> AsyncIterator[Upgraded]:
    made = await asyncio.to_thread(Upgraded, folder, settings or {}, flags)
    try:
        yield made
    finally:
        if made.gateway.returncode is None:
            await asyncio.to_thread(made.gateway.stop)


def signal_to(gateway: GatewayProcess, number: signal.Signals) -> None:
    psutil.Process(gateway.pid).send_signal(number)


@pytest.mark.parametrize("gate", [RECORDED, BEGUN])
async def test_a_stop_between_two_programs_is_heard_and_ends_all_in_order(tmp_path: Path, gate: str) -> None:
    async with upgraded_gateway(tmp_path) as made:
        async with await made.gateway.client() as client:
            session = await client.open_session()
            worker = psutil.Process(session.raw.worker_process_id)
            left = made.gateway.workers()
            async with made.under_way(gate):
                await made.gates.reached(gate)
                signal_to(made.gateway, signal.SIGTERM)
                made.gates.open(gate)
            await eventually(lambda: made.gateway.returncode is not None, LIMIT)
        assert made.gateway.wait() == 0
        assert worker in left
        await eventually(lambda: not any(each.is_running() for each in left), LIMIT)
        assert (made.told("upgrade_adopted"), made.told("gateway_stopped")) == (1, 1)
        assert (made.told("session_closed"), made.told("worker_shutdown_timeout")) == (1, 0)
        assert made.told("worker_left_over_killed") == 0


async def test_another_upgrade_and_ends_of_workers_between_two_programs_have_their_end(tmp_path: Path) -> None:
    async with upgraded_gateway(tmp_path) as made, await made.gateway.client() as client:
        early, late, well = [await client.open_session() for _ in range(3)]
        server = await well.register("well")
        async with made.under_way(RECORDED, BEGUN):
            await made.gates.reached(RECORDED)
            signal_to(made.gateway, signal.SIGUSR2)
            kill(early)
            made.gates.open(RECORDED)
            await made.gates.reached(BEGUN)
            signal_to(made.gateway, signal.SIGUSR2)
            kill(late)
            made.gates.open(BEGUN)
        program = await program_of(made.site.state_dir)
        assert (program["upgrades"], program["keptSessions"], program["lostSessions"]) == (1, 3, 0)
        await eventually(lambda: made.told("upgrade_ignored") > 0, LIMIT)
        for session in (early, late):
            with pytest.raises(MxGatewayError, match="signal 9"):
                await pinged_until_it_fails(session)
            await session.close()
        await well.unregister(server)
        assert (await program_of(made.site.state_dir))["upgrades"] == 1
        assert made.told("upgrade_ignored") == 1
        # Dead ones are seen to, too: a program that nobody waits for stays in the system's table for ever.
        await eventually(lambda: not any(map(is_left, made.gateway.workers())), LIMIT)


def kill(session: Session) -> None:
    psutil.Process(session.raw.worker_process_id).send_signal(signal.SIGKILL)


async def pinged_until_it_fails(session: Session) -> None:
    while True:
        await session.ping()


async def test_addresses_that_somebody_takes_between_two_programs_end_no_session(tmp_path: Path) -> None:
    """Calls wait for theirs; for HTTP nobody waits, and it comes back when it can."""
    http = {"operations.listen": "", "operations.listen_plaintext": "127.0.0.1:0"}
    async with upgraded_gateway(tmp_path, http, flags=()) as made, await made.gateway.client() as client:
        session = await client.open_session()
        server = await session.register("addresses")
        (url,) = [line["url"] for line in made.lines("operations_listening")]
        async with made.under_way(BEGUN):
            await made.gates.reached(BEGUN)
            calls, pages = taken(made.gateway.address), taken(url.removeprefix("http://"))
            made.gates.open(BEGUN)
        await eventually(lambda: made.told("address_taken") == 1, LIMIT)
        calls.close()
        program = await program_of(made.site.state_dir)
        assert (program["upgrades"], program["keptSessions"], program["lostSessions"]) == (1, 1, 0)
        await session.unregister(server)
        told = [line["setting"] for line in made.lines("address_taken")]
        assert told == ["listen_plaintext", "operations.listen_plaintext"]
        pages.close()
        await eventually(lambda: made.told("operations_listening") == 2, LIMIT)
        assert (await fetch(f"{url}/health/live")).status == 200


def taken(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_server((host, int(port)))
