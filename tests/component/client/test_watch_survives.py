"""`mxgw-py watch` and `record` over a gateway that is killed, a line that is cut, and a worker that dies."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from benches.gateway_process import SCOPES, Site, run_command
from benches.restart import restarts
from chaos.proxy import TcpProxy
from tests.support.restarted_gateway import RestartedGateway
from tests.support.waiting import eventually

from mxgateway import GatewayClient

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow, pytest.mark.timeout(180)]

MOVING = "TestMachine_001.TestChangingInt"
CONSTANT = "TestChildObject.TestInt"
LIMIT = 60.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site.prepare(tmp_path_factory.mktemp("site"), Path("reference"))


@pytest.fixture
def gateway(site: Site) -> Iterator[RestartedGateway]:
    running = RestartedGateway(site)
    yield running
    running.stop()


async def test_an_orderly_restart_of_the_gateway_is_nothing_that_a_subscription_has_to_know(site: Site) -> None:
    """What `make bench` measures: SIGTERM, an exit code of 0, the same address again, and values go on."""
    figures = await restarts(site, 1)
    assert (figures["exitCodes"], figures["resumeSeconds"] > 0) == ([0], True)


class Running:
    """A command that runs, and what it has printed so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.out: list[str] = []
        self.err: list[str] = []

    @property
    def told(self) -> str:
        return "\n".join(self.err)

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out]

    async def printed(self, lines: int) -> None:
        await eventually(lambda: len(self.out) >= lines, LIMIT, lambda: f"{self.out} {self.err}")

    async def says(self, text: str) -> None:
        await eventually(lambda: text in self.told, LIMIT, lambda: f"{self.out} {self.err}")

    async def interrupted(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return await self.ended()

    async def ended(self) -> int:
        async with asyncio.timeout(LIMIT):
            return await self.process.wait()

    async def read(self, stream: asyncio.StreamReader | None, lines: list[str]) -> None:
        assert stream is not None
        while line := await stream.readline():
            lines.append(line.decode().rstrip("\n"))


@asynccontextmanager
async def running(
    gateway: RestartedGateway, *arguments: str, endpoint: str = "", api_key: str = ""
) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mxgateway_cli", *arguments),
        *("--endpoint", endpoint or gateway.address, "--plaintext", "--api-key-env", "KEY"),
        env={**os.environ, "KEY": api_key or gateway.site.api_key},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    command = Running(process)
    async with asyncio.TaskGroup() as group:
        group.create_task(command.read(process.stdout, command.out))
        group.create_task(command.read(process.stderr, command.err))
        try:
            yield command
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def test_a_killed_gateway_that_comes_back_is_watched_on(gateway: RestartedGateway) -> None:
    """SIGKILL and a restart on the same port: the output goes on, marks the present values and says what is unknown."""
    async with running(gateway, "watch", MOVING, CONSTANT, "--json") as watch:
        await watch.printed(4)
        await gateway.kill()
        await watch.says("reconnecting: ")
        await gateway.restart()
        await watch.says("connected again in a new session: what changed in between is not known")
        before = len(watch.out)
        await watch.printed(before + 4)
        assert await watch.interrupted() == 0
    first_of_new = {}
    old_session = watch.documents[0]["sessionId"]
    for document in watch.documents:
        assert {"tag", "value", "quality", "workerSequence", "replayed", "recovered", "lostBefore"} <= document.keys()
        if document["sessionId"] != old_session:
            first_of_new.setdefault(document["tag"], document["recovered"])
    assert first_of_new == {MOVING: True, CONSTANT: True}
    assert sum(document["recovered"] for document in watch.documents) == 2
    assert watch.err[-1].startswith("1 interruption, 1 new session")
    assert "Traceback" not in watch.told


async def test_a_cut_line_loses_nothing_and_doubles_nothing(gateway: RestartedGateway) -> None:
    """What changed while the line was down is replayed and marked; every sequence is there once."""
    host, port = gateway.address.rsplit(":", 1)
    async with (
        TcpProxy((host, int(port))) as proxy,
        running(gateway, "watch", MOVING, "--json", endpoint=proxy.address) as watch,
        await GatewayClient.connect(endpoint=gateway.address, plaintext=True, api_key=gateway.site.api_key) as straight,
    ):
        await watch.printed(2)
        await proxy.refuse()
        await watch.says("reconnecting: ")
        async with straight.subscribe([MOVING]) as other:
            seen = [(await other.next_change(20)).value for _ in range(4)]
        await proxy.heal()
        await watch.says("connected again, the session goes on")
        await eventually(lambda: any(not each["replayed"] for each in watch.documents[6:]), LIMIT)
        assert await watch.interrupted() == 0
    documents = watch.documents
    sequences = [int(each["workerSequence"]) for each in documents]
    assert sequences == list(range(1, len(documents) + 1))
    replayed = [each["value"]["int32Value"] for each in documents if each["replayed"]]
    assert set(seen[1:-1]) <= set(replayed)
    assert not any(each["recovered"] for each in documents)
    assert watch.err[-1] == "1 interruption, 0 events lost"


async def test_a_recording_goes_on_after_the_worker_died(gateway: RestartedGateway, tmp_path: Path) -> None:
    """The report tells of the new session; no row stands in the file twice, a constant's only once."""
    file = tmp_path / "recording.csv"
    async with running(gateway, "record", MOVING, CONSTANT, "--output", str(file), "--json") as record:
        await eventually(lambda: bool(gateway.process.workers()), LIMIT)
        # What was recorded is in the file while the recording goes on.
        await eventually(lambda: file.exists() and file.read_text(encoding="utf-8").count("\n") > 3, LIMIT)
        async with await gateway.process.client() as client, client.subscribe([MOVING]) as other:
            for worker in gateway.process.workers():
                worker.kill()
            await record.says("connected again in a new session")
            before = file.read_text(encoding="utf-8").count("\n")
            for _ in range(3):
                await other.next_change(60)
            # The other one may be quicker.
            await eventually(lambda: file.read_text(encoding="utf-8").count("\n") > before, LIMIT)
        assert await record.interrupted() == 0
    report = json.loads("\n".join(record.out))
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    assert report["events"] == len(rows) > 3
    assert (report["interruptions"], report["newSessions"], report["complete"]) == (1, 1, False)
    assert len({tuple(row.values()) for row in rows}) == len(rows)
    assert [row["value"] for row in rows if row["tag"] == CONSTANT] == ["99"]
    times = [row["time"] for row in rows if row["tag"] == MOVING]
    assert times == sorted(set(times))


async def test_a_revoked_key_ends_a_watch(gateway: RestartedGateway) -> None:
    """A key that is no longer valid is no interruption: the watch fails, and says so."""
    key = ("--key-id", "short-lived", "--state-dir", str(gateway.site.state_dir))
    created = await asyncio.to_thread(
        run_command, "apikey", "create", *key, "--display-name", "short-lived", "--scopes", SCOPES, "--json"
    )
    async with running(gateway, "watch", MOVING, api_key=json.loads(created)["apiKey"]) as watch:
        await watch.printed(2)
        await asyncio.to_thread(run_command, "apikey", "revoke", *key)
        assert await watch.ended() == 1
    assert "UNAUTHENTICATED" in watch.err[-1]
    assert "connected again" not in watch.told


async def test_without_reconnecting_a_killed_gateway_is_the_end(gateway: RestartedGateway, tmp_path: Path) -> None:
    """--no-reconnect: exit code 1 with the cause; the recording keeps what it has."""
    file = tmp_path / "recording.csv"
    async with (
        running(gateway, "watch", MOVING, "--no-reconnect") as watch,
        running(gateway, "record", MOVING, "--output", str(file), "--no-reconnect") as record,
    ):
        await watch.printed(2)
        await eventually(lambda: len(gateway.process.workers()) >= 2, LIMIT)
        async with await gateway.process.client() as client, client.subscribe([MOVING]) as other:
            for _ in range(3):
                await other.next_change(20)
        await gateway.kill()
        assert (await watch.ended(), await record.ended()) == (1, 1)
    for command in (watch, record):
        assert command.err[-1].startswith("Error: ")
        assert "UNAVAILABLE" in command.err[-1]
    assert file.read_text(encoding="utf-8").startswith("tag,time,value,quality,type\n")
