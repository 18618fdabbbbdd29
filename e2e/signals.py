"""Ctrl-C and SIGTERM as real signals to a CLI that waits on a gateway, which sees whether its call is cancelled."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conformance.processes import LineProcess, scripted_gateway

_HOLD = [{"headers": {}}, {"hold": True}]
_SECONDS = 20.0


@dataclass(frozen=True)
class Held:
    """A command that a signal meets while its call is under way.

    Attributes:
        arguments: of the CLI.
        rpc: the call that is held; seen by the gateway before the signal is sent.
        prints: the JSON document; None where an interrupt is no ordinary end, which gives 130 and 143.
    """

    arguments: str
    rpc: str
    prints: Any = None


HELD = (
    Held("stream-events --session-id s --json", "StreamEvents", {"sessionId": "s", "events": []}),
    Held("galaxy-watch --json", "WatchDeployEvents", {"events": []}),
    Held("stream-alarms --json", "StreamAlarms", {"messages": []}),
    Held("galaxy-last-deploy --json", "GetLastDeployTime"),
    Held("ping --session-id s --json", "Invoke"),
    Held("query-active-alarms --json", "QueryActiveAlarms"),
    Held("bench-read-bulk --json", "Invoke"),
)


async def interrupted(command: Sequence[str]) -> list[str]:
    """What a CLI does wrong when it is interrupted."""
    gateway, endpoint = await scripted_gateway()
    try:
        reach = ("--endpoint", endpoint, "--plaintext")
        return [
            f"{held.arguments}, {number.name}: {problem}"
            for held in HELD
            for number in (signal.SIGINT, signal.SIGTERM)
            for problem in await _one(gateway, [*command, *held.arguments.split(), *reach], held, number)
        ]
    finally:
        await gateway.stop()


async def _one(gateway: LineProcess, command: list[str], held: Held, number: signal.Signals) -> list[str]:
    await gateway.ask({"load": {"rules": [{"on": held.rpc, "do": _HOLD}]}})
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        came = await gateway.ask({"wait": {"requests": {held.rpc: 1}, "seconds": _SECONDS}}, 2 * _SECONDS)
        if not came["waited"]:
            return ["the call did not come"]
        process.send_signal(number)
        async with asyncio.timeout(_SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        return ["it did not end"]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return [*_judged(held, number, process.returncode, out, err), *await _seen(gateway, held)]


def _judged(held: Held, number: signal.Signals, code: int | None, out: bytes, err: bytes) -> list[str]:
    wanted = 0 if held.prints is not None else 128 + number
    problems = [] if code == wanted else [f"exit code {code}, not {wanted}: {err.decode(errors='replace')[-300:]}"]
    if held.prints is not None and not problems:
        try:
            document = json.loads(out)
        except ValueError:
            return [f"no JSON: {out[:200]!r}"]
        if document != held.prints:
            problems.append(f"printed {document}")
    return problems


async def _seen(gateway: LineProcess, held: Held) -> list[str]:
    await gateway.ask({"wait": {"cancelled": 1}}, _SECONDS)
    report = await gateway.ask({"report": True})
    return [] if held.rpc in report["cancelled"] else [f"{held.rpc} was not cancelled: {report['cancelled']}"]
