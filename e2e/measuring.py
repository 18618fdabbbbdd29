"""The benches of a CLI against a gateway that answers from a script: one document in every language, and no figures of
reads that failed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benches.clients.measured import check
from conformance.processes import LineProcess, scripted_gateway

_SECONDS = 60.0
_READ = "bench-read-bulk --bulk-size 2 --duration-seconds 1 --warmup-seconds 0"
_STREAM = "bench-stream-events --bulk-size 2 --duration-seconds 1 --warmup-seconds 0"
FAILED = 3


def _answer(arm: str, **entry: Any) -> dict[str, Any]:
    match = {"command": {arm: {"$any": "object"}}}
    return {"on": "Command", "match": match, "do": [{"send": {arm: {"results": [entry, entry]}}}]}


def _breaking() -> dict[str, Any]:
    match = {"command": {"read_bulk": {"$any": "object"}}}
    status = {"code": "INTERNAL", "message": "broken on purpose"}
    return {"on": "Command", "match": match, "times": FAILED, "do": [{"status": status}]}


def _flood() -> dict[str, Any]:
    events = {"from": 1, "to": 100_000_000, "per_batch": 20}
    return {"on": "StreamEventBatches", "do": [{"headers": {}}, {"events": events}]}


@dataclass(frozen=True)
class Bench:
    """A bench, and what has to come of it.

    Attributes:
        arguments: of the CLI.
        rules: of the scripted gateway.
        code: how it ends.
        says: what stands on stderr then.
        figures: what stands in the document; None where none is printed.
    """

    arguments: str
    rules: Sequence[Mapping[str, Any]] = ()
    code: int = 0
    says: str = ""
    figures: Mapping[str, Any] | None = field(default_factory=dict)


BENCHES = (
    Bench(_READ, figures={"failedCalls": 0}),
    Bench(_READ, [_breaking()], figures={"failedCalls": FAILED}),
    Bench(_READ, [_answer("read_bulk", was_cached=True)], 1, "results were failures"),
    Bench(_READ, [_answer("read_bulk", was_successful=True)], 1, "not cached"),
    Bench(_READ, [_answer("subscribe_bulk", tag_address="A.B")], 1, "refused", None),
    Bench(_STREAM, [_flood()], figures={"lostEvents": 0, "sessionCount": 1, "tagsPerSession": 2}),
    Bench(_STREAM, [_answer("subscribe_bulk", tag_address="A.B")], 1, "refused", None),
    Bench(_STREAM, [], 1, "no tag changed", {"totalEvents": 0}),
)


async def benches(language: str, command: Sequence[str]) -> list[str]:
    """What a CLI does wrong when it measures."""
    gateway, endpoint = await scripted_gateway()
    try:
        reach = ("--endpoint", endpoint, "--plaintext", "--json")
        return [
            f"{bench.arguments}: {problem}"
            for bench in BENCHES
            for problem in await _one(gateway, [*command, *bench.arguments.split(), *reach], bench, language)
        ]
    finally:
        await gateway.stop()


async def _one(gateway: LineProcess, command: list[str], bench: Bench, language: str) -> list[str]:
    capabilities = ["event-batches", "bulk-read-commands", "bulk-write-commands"]
    await gateway.ask({"load": {"capabilities": capabilities, "rules": list(bench.rules)}})
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        return ["it did not end"]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return judged(bench, language, process.returncode, out.decode(), err.decode(errors="replace"))


def judged(bench: Bench, language: str, code: int | None, out: str, err: str) -> list[str]:
    """What is wrong with how a bench ended and with what it printed."""
    if code != bench.code or bench.says not in err:
        return [f"exit code {code}, not {bench.code} with {bench.says!r}: {err[-300:]}"]
    if bench.figures is None:
        return [f"printed {out[:200]}"] if out.strip() else []
    try:
        document = json.loads(out)
        check(document, language, is_measure=bench.code == 0 and not bench.figures.get("failedCalls"))
    except ValueError as error:
        return [f"{error}: {out[:200]!r}"]
    problems = [
        f"{name} is {document[name]}, not {value}" for name, value in bench.figures.items() if document[name] != value
    ]
    if "totalCalls" in document:
        if document["totalCalls"] != document["successfulCalls"] + document["failedCalls"]:
            problems.append("totalCalls are not the successful and the failed ones")
        for name, count in (("latencyMs", "successfulCalls"), ("failureLatencyMs", "failedCalls")):
            if (document[name]["max"] > 0) != (document[count] > 0):
                problems.append(f"{name} is {document[name]} of {document[count]} calls")
    return problems
