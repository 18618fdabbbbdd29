"""The gateway becomes another version of its program and that one the first again; one that does not fit is refused."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from benches.gateway_process import GatewayProcess
from tests.support.code_blocks import ROOT
from tests.support.upgraded_gateway import LIMIT, SETPOINT, program_of, small_site, upgraded
from tests.support.waiting import eventually

from mxgateway_server.control.client import NoGatewayError, ask
from mxgateway_server.errors import ConfigurationError

pytestmark = [
    pytest.mark.shares_processes,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform != "linux", reason="a gateway replaces itself on Linux only"),
]


class Installed:
    """Where the gateway's program is installed, in one of several versions.

    Attributes:
        place: what a process that begins has on its path.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.place = folder / "installed"

    def make(self, version: str, file: str = "", old: str = "", new: str = "") -> None:
        """A version that differs from this one in its number, and in a text of a file."""
        package = self._folder / version / "mxgateway_server"
        shutil.copytree(ROOT / "src" / "mxgateway_server", package, ignore=shutil.ignore_patterns("__pycache__"))
        for place, before, after in (
            ("__init__.py", "__version__ = ", f"__version__ = {version!r} #"),
            (file, old, new),
        ):
            if place:
                text = (package / place).read_text()
                assert before in text
                (package / place).write_text(text.replace(before, after, 1))

    def install(self, version: str) -> None:
        """From now on this version is the one that is installed."""
        self.place.unlink(missing_ok=True)
        self.place.symlink_to(self._folder / version)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    made = Installed(tmp_path_factory.mktemp("versions"))
    for version in ("1.0", "2.0"):
        made.make(version)
    made.install("1.0")
    return made


@pytest.fixture(scope="module")
def gateway(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    site = small_site(tmp_path_factory.mktemp("site"))
    running = GatewayProcess(
        site, {"worker.pool_size": "1"}, ("--no-operations",), environment={"PYTHONPATH": str(installed.place)}
    )
    yield running
    running.stop()


async def test_to_another_version_and_back(installed: Installed, gateway: GatewayProcess) -> None:
    state = gateway.site.state_dir
    async with await gateway.client() as client, await client.open_session() as session:
        server = await session.register("versions")
        item = await session.add_item(server, SETPOINT)
        await session.advise(server, item)
        for came_from, version in (("1.0", "2.0"), ("2.0", "1.0")):
            installed.install(version)
            answer = await asyncio.to_thread(ask, state, "upgrade", dry_run=True)
            assert (answer["from"], answer["to"]) == (came_from, version)
            program = await upgraded(state)
            assert (program["cameFrom"], program["version"]) == (came_from, version)
            assert (program["keptSessions"], program["lostSessions"]) == (1, 0)
            # The handle of before, and a worker that both versions speak with.
            await session.write(server, item, 1)


@pytest.mark.parametrize(
    ("version", "file", "old", "new", "told"),
    [
        (
            "3.0",
            "sessions/kept.py",
            "    lease: float\n",
            "    lease: float\n    mood: str\n",
            "version 3.0 does not know the state of sessions as this one has it; drain and restart instead",
        ),
        ("3.1", "upgrade/legacy.py", "    lock: int", "    rock: int = NONE\n    lock: int", "does not know the state"),
        ("3.2", "upgrade/encoding.py", "FORMAT_VERSION = 1", "FORMAT_VERSION = 2", "does not know the state"),
        (
            "3.3",
            "upgrade/judging.py",
            "worker_protocol=WORKER_PROTOCOL_VERSION",
            "worker_protocol=WORKER_PROTOCOL_VERSION + 1",
            "with workers, and those that run speak",
        ),
        ("3.4", "cli/main.py", "import click\n", "import click that fails\n", "fails to start; drain and restart"),
    ],
)
async def test_one_that_does_not_fit_is_refused_before_anything_is_done(
    installed: Installed, gateway: GatewayProcess, version: str, file: str, old: str, new: str, told: str
) -> None:
    state = gateway.site.state_dir
    before = await program_of(state)
    installed.make(version, file, old, new)
    async with await gateway.client() as client, await client.open_session() as session:
        events = session.stream_events()
        installed.install(version)
        with pytest.raises(ConfigurationError, match=told):
            await asyncio.to_thread(ask, state, "upgrade")
        installed.install("1.0")
        await session.ping()
        await events.aclose()
    after = await program_of(state)
    assert (after["sinceNs"], after["version"]) == (before["sinceNs"], before["version"])
    assert after["refusedUpgrades"] == before["refusedUpgrades"] + 1


async def test_one_that_says_it_could_and_then_cannot_ends_and_leaves_nobody(
    installed: Installed, tmp_path: Path
) -> None:
    installed.make(
        "4.0",
        "cli/serve.py",
        "    inherited = held_inheritance()\n",
        "    inherited = held_inheritance()\n    assert inherited is None\n",
    )
    installed.install("1.0")
    site = await asyncio.to_thread(small_site, tmp_path)
    failing = await asyncio.to_thread(
        GatewayProcess, site, None, ("--no-operations",), 200, {"PYTHONPATH": str(installed.place)}
    )
    async with await failing.client() as client:
        await client.open_session()
        workers = failing.workers()
        assert workers
        installed.install("4.0")
        with pytest.raises(NoGatewayError):
            await asyncio.to_thread(ask, site.state_dir, "upgrade")
        await eventually(lambda: failing.returncode is not None, LIMIT)
    installed.install("1.0")
    assert failing.wait() == 1
    await eventually(lambda: not any(each.is_running() for each in workers), LIMIT)
