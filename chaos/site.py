"""The place of a storm: one gateway after the other over the same state directory, and what they leave behind."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from benches.gateway_process import SCOPES, GatewayProcess, Site

from chaos.wall_clock import WallClock
from mxgateway import GatewayClient
from mxgateway_server.control.client import NoGatewayError, ask
from mxgateway_server.errors import ConfigurationError

SETTINGS: Mapping[str, str] = {
    "worker.pool_size": "2",
    "worker.heartbeat_grace_seconds": "15",
    "worker.heartbeat_stuck_ceiling_seconds": "40",
    "worker.shutdown_timeout_seconds": "4",
    "sessions.default_lease_seconds": "20",
    "sessions.lease_sweep_interval_seconds": "1",
    "sessions.detach_grace_seconds": "15",
    # Short queues, so that slow readers lose something.
    "events.queue_capacity": "4000",
    "protocol.keepalive_seconds": "5",
    "protocol.keepalive_timeout_seconds": "3",
    "protocol.shutdown_grace_seconds": "5",
    "logging.level": "warning",
}
"""Limits short enough that a storm meets them."""

ORPHAN_LIMIT = 10.0
STOP_LIMIT = 25.0
UPGRADE_LIMIT = 60.0
_LAST_LINES = 20


class StormSite:
    """The gateway of a storm, replaced when it is killed or drained.

    Attributes:
        gateway: the one that runs now.
        clock: its wall clock, and that of those after it; None where it cannot be set.
        restarts: how many were started after the first.
        exits: how the drained ones ended.
        upgrades: how often a gateway became another program; `refusals` says why it did not.
    """

    def __init__(self, folder: Path, *, moves_clock: bool = True) -> None:
        """
        Args:
            moves_clock: whether wall clocks can be set. What sets them keeps a lock by process id, which a program
                leaves behind for ever when it becomes another one.
        """
        self._site = Site.prepare(folder, scopes=f"{SCOPES},admin")
        self.clock = WallClock(folder) if moves_clock and WallClock.is_available() else None
        self._seen: dict[int, psutil.Process] = {}
        self.restarts = 0
        self.exits: list[int] = []
        self.upgrades = 0
        self.refusals: list[str] = []
        self.gateway = self._start()

    @property
    def api_key(self) -> str:
        return self._site.api_key

    @property
    def target(self) -> tuple[str, int]:
        """Where the gateway listens."""
        host, port = self.gateway.address.rsplit(":", 1)
        return host, int(port)

    @contextlib.asynccontextmanager
    async def admin(self):  # type: ignore[no-untyped-def]
        """A client of an administrator, straight to the gateway."""
        async with await GatewayClient.connect(
            endpoint=self.gateway.address, api_key=self.api_key, plaintext=True, call_timeout=5.0
        ) as client:
            yield client

    def remember(self) -> list[psutil.Process]:
        """Notes all processes that there are now, and returns them."""
        with contextlib.suppress(psutil.NoSuchProcess):
            present = [self.gateway.process, *self.gateway.workers()]
            for process in present:
                self._seen[process.pid] = process
            return present
        return []

    def alive(self) -> list[psutil.Process]:
        """Those ever noted that still run."""
        return [process for process in self._seen.values() if _runs(process)]

    async def kill(self) -> list[str]:
        """SIGKILL to the gateway; returns what it left behind."""
        before = self.remember()
        with contextlib.suppress(psutil.NoSuchProcess):
            self.gateway.process.kill()
        await asyncio.to_thread(self.gateway.wait, STOP_LIMIT)
        if self.clock is not None:
            self.clock.clear(self.gateway.pid)
        left = await _gone(before, ORPHAN_LIMIT)
        return [f"process {process.pid} outlived its killed gateway" for process in left]

    async def drain(self) -> list[str]:
        """SIGTERM to the gateway; returns what was wrong about its end."""
        before = self.remember()
        with contextlib.suppress(psutil.NoSuchProcess):
            self.gateway.process.send_signal(signal.SIGTERM)
        return await self._end(before)

    async def stop(self) -> list[str]:
        """Ends the gateway by closing its input; returns what was wrong about its end."""
        before = self.remember()
        self.gateway.close_input()
        return await self._end(before)

    async def _end(self, before: list[psutil.Process]) -> list[str]:
        try:
            code = await asyncio.to_thread(self.gateway.wait, STOP_LIMIT)
        except subprocess.TimeoutExpired:
            return [f"the gateway had not stopped {STOP_LIMIT:g} s after it was asked to"]
        self.exits.append(code)
        wrong = [] if code == 0 else [f"the gateway ended with {code} when it was asked to stop"]
        left = await _gone(before, ORPHAN_LIMIT)
        return wrong + [f"process {process.pid} outlived its stopped gateway" for process in left]

    async def upgrade(self) -> list[str]:
        """The gateway becomes the program that is installed; returns what was wrong about it.

        To refuse it, since a command hangs for example, is no wrong.
        """
        state, pid = self._site.state_dir, self.gateway.pid
        try:
            before = await asyncio.to_thread(ask, state, "status")
        except NoGatewayError:
            return [self._gone_words("before an upgrade")]
        try:
            await asyncio.to_thread(ask, state, "upgrade")
        except NoGatewayError:
            pass  # that program is gone, and with it its answer
        except ConfigurationError as error:
            self.refusals.append(str(error))
            return []
        end = asyncio.get_running_loop().time() + UPGRADE_LIMIT
        while asyncio.get_running_loop().time() < end and self.gateway.returncode is None:
            try:
                after = await asyncio.to_thread(ask, state, "status")
            except NoGatewayError:
                await asyncio.sleep(0.1)
                continue
            self.upgrades += 1
            return _wrong_after_upgrade(before, after, pid, self.gateway.process.pid)
        return [self._gone_words(f"within {UPGRADE_LIMIT:g} s after an upgrade")]

    def _gone_words(self, when: str) -> str:
        last = " | ".join(list(self.gateway.last_lines)[-_LAST_LINES:])
        return f"the gateway did not answer {when} (exit code {self.gateway.returncode}): {last}"

    async def restart(self) -> None:
        """Starts the next gateway, on a port of its own."""
        self.gateway = await asyncio.to_thread(self._start)
        self.restarts += 1

    def _start(self) -> GatewayProcess:
        environment = None if self.clock is None else self.clock.environment
        return GatewayProcess(self._site, SETTINGS, ("--allow-fault-injection",), environment=environment)


def _wrong_after_upgrade(before: dict[str, Any], after: dict[str, Any], pid: int, pid_now: int) -> list[str]:
    wrong = []
    program = after["program"]
    if program["upgrades"] != before["program"]["upgrades"] + 1 or pid != pid_now:
        wrong.append(f"the gateway is no later program of the same process: {program}")
    if program["lostSessions"]:
        wrong.append(f"{program['lostSessions']} sessions could not be kept")
    # What failed or was closed meanwhile is not handed on.
    pids = {each["sessionId"]: each["worker"]["pid"] for each in before["sessions"] if each["state"] == "ready"}
    now = {each["sessionId"]: each["worker"]["pid"] for each in after["sessions"] if each["state"] == "ready"}
    wrong += [
        f"session {session_id} has another worker than before"
        for session_id, worker in now.items()
        if pids.get(session_id, worker) != worker
    ]
    return wrong


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _gone(processes: list[psutil.Process], limit: float) -> list[psutil.Process]:
    """Waits until they are gone; those that are not are killed and returned."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit
    while left := [process for process in processes if _runs(process)]:
        if loop.time() > end:
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            return left
        await asyncio.sleep(0.05)
    return []
