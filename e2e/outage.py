"""A gateway that is killed and comes back: what a client's stream and subscription make of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from conformance.processes import LineProcess, ProcessError

from mxgateway.testing import LocalGateway

TAG = "TestMachine_001.TestChangingInt"
_SECONDS = 60.0


class Mortal:
    """A gateway at one address that can be killed and started again, with the state and the plant of another one."""

    def __init__(self, model: LocalGateway) -> None:
        self._model = model
        self._process: asyncio.subprocess.Process | None = None
        self.endpoint = "localhost:0"

    async def start(self) -> None:
        state, galaxy = self._model.state_dir, self._model.galaxy_file
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "mxgateway_server", "serve", "--listen", self.endpoint),
            *("--state-dir", str(state), "--galaxy", str(galaxy), "--announce", "--stop-on-stdin-close"),
            "--no-operations",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert self._process.stdout is not None
        async with asyncio.timeout(_SECONDS):
            ready = json.loads(await self._process.stdout.readline())
        self.endpoint = next(each["address"] for each in ready["endpoints"] if each["tls"])

    async def kill(self) -> None:
        """Ends it as a power cut does: nothing is closed, nobody is told."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@contextlib.asynccontextmanager
async def mortal(model: LocalGateway) -> AsyncIterator[Mortal]:
    """Such a gateway, running; the model itself has to be stopped, since a state directory belongs to one gateway."""
    gateway = Mortal(model)
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.kill()


async def killed(gateway: Mortal, model: LocalGateway, subject: Sequence[str], cli: Sequence[str]) -> list[str]:
    """What a client does wrong when the gateway is killed.

    Its subscription goes on with values that are marked as recovered; its plain stream ends with a failure, since what
    has not come is lost.
    """
    process = await LineProcess.start(subject, "the subject")
    try:
        await process.read(_SECONDS)
        return await _outage(_Steps(process), gateway, model, cli)
    except (ProcessError, TimeoutError) as error:
        return [f"killed gateway: {error or 'it did not end in time'}"]
    finally:
        await process.stop()


class _Steps:
    """Operations of a subject, one after the other."""

    def __init__(self, process: LineProcess) -> None:
        self._process = process
        self._number = 0

    async def do(self, op: str, *, on: str = "", name: str = "", **args: Any) -> dict[str, Any]:
        self._number += 1
        step = {"id": self._number, "op": op, "on": on, "as": name, "args": args}
        answer = await self._process.ask({key: value for key, value in step.items() if value != ""}, _SECONDS)
        if "ok" not in answer:
            raise ProcessError(f"{op}: {json.dumps(answer)[:500]}")
        found: dict[str, Any] = answer["ok"]
        return found


async def _outage(steps: _Steps, gateway: Mortal, model: LocalGateway, cli: Sequence[str]) -> list[str]:
    reach = {"endpoint": gateway.endpoint, "api_key": model.api_key, "ca_file": str(model.ca_file)}
    await steps.do("connect", name="client", **reach)
    session = (await steps.do("open_session", on="client", name="session"))["session_id"]
    handle = (await steps.do("register", on="session", client_name="outage"))["server_handle"]
    await steps.do("subscribe_bulk", on="session", server_handle=handle, tag_addresses=[TAG])
    await steps.do("subscribe", on="client", name="changes", tags=[TAG], first_delay=0.05)
    first = (await steps.do("next", on="changes", count=1))["changes"][0]
    follower = await _following(cli, gateway, model, session)
    await gateway.kill()
    problems = await _failed(follower)
    await steps.do("wait_state", on="changes", state="reconnecting")
    await gateway.start()
    await steps.do("wait_state", on="changes", state="recovered")
    problems += _wrong("the first change", first, lambda each: not each.get("recovered"))
    problems += _wrong("the change after", await _recovered(steps), lambda each: each["quality"] == 192)
    stats = await steps.do("stats", on="changes")
    problems += _wrong("the figures", stats, lambda each: (each["new_sessions"], each["gaps"]) == (1, 1))
    await steps.do("close", on="changes")
    await steps.do("close", on="client")
    return problems


async def _recovered(steps: _Steps) -> dict[str, Any]:
    while True:
        change: dict[str, Any] = (await steps.do("next", on="changes", count=1))["changes"][0]
        if change.get("recovered"):
            return change


def _wrong(what: str, found: dict[str, Any], holds: Callable[[dict[str, Any]], bool]) -> list[str]:
    return [] if holds(found) else [f"killed gateway: {what} is {json.dumps(found)[:300]}"]


async def _following(
    cli: Sequence[str], gateway: Mortal, model: LocalGateway, session: str
) -> asyncio.subprocess.Process:
    """A CLI that streams a session's events, and has printed the first one."""
    process = await asyncio.create_subprocess_exec(
        *cli, "stream-events", "--session-id", session, "--jsonl", "--endpoint", gateway.endpoint,
        "--ca-file", str(model.ca_file), "--api-key-env", "MATRIX_KEY",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "MATRIX_KEY": model.api_key, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(_SECONDS):
        await process.stdout.readline()
    return process


async def _failed(process: asyncio.subprocess.Process) -> list[str]:
    async with asyncio.timeout(_SECONDS):
        _, err = await process.communicate()
    said = err.decode(errors="replace")
    if process.returncode == 1 and said.startswith("Error: "):
        return []
    return [f"killed gateway: stream-events ends with {process.returncode}: {said[-300:]!r}"]
