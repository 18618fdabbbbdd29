"""Runs cases with a subject against scripted gateways, and says what was not as expected."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conformance.cases import Case
from conformance.certificates import CertificateFiles
from conformance.processes import LineProcess, ProcessError, scripted_gateway
from mxgateway.testing.scripted import differences

API_KEY = "mxgw_conformance_sentinelsecret0123"
STEP_SECONDS = 25.0


@dataclass(frozen=True)
class Outcome:
    """What came of a case: passed without problems; `skipped` names what the subject lacks."""

    case: Case
    problems: tuple[str, ...] = ()
    skipped: str = ""


class Runner:
    """One subject and the gateways of its cases. Use it with `async with`."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = command
        self._files = CertificateFiles(folder)
        self._gateways: dict[str, tuple[LineProcess, str]] = {}
        self._subject: LineProcess | None = None
        self.hello: dict[str, Any] = {}
        self._answers: dict[Any, dict[str, Any]] = {}

    async def __aenter__(self) -> Runner:
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in [self._subject, *(process for process, _ in self._gateways.values())]:
            if process is not None:
                await process.stop()

    async def _start(self) -> LineProcess:
        self._subject = await LineProcess.start(self._command, "the subject")
        self.hello = await self._subject.read(60.0)
        return self._subject

    async def tell(self, step: dict[str, Any]) -> dict[str, Any]:
        """Has the subject do an operation outside of any case; its answer."""
        return await (self._subject or await self._start()).ask({"id": "told", **step}, STEP_SECONDS)

    async def run(self, cases: Iterable[Case]) -> list[Outcome]:
        """All of them, one after the other."""
        return [await self.run_one(case) for case in cases]

    async def run_one(self, case: Case) -> Outcome:
        missing = case.needs - set(self.hello.get("features", ()))
        if missing:
            return Outcome(case, skipped=", ".join(sorted(missing)))
        subject = self._subject or await self._start()
        subject.said.clear()
        self._answers.clear()
        try:
            problems = await (self._pure(subject, case) if case.op else self._conversation(subject, case))
        except ProcessError as error:
            # The next case gets a subject of its own.
            self._subject = None
            await subject.stop()
            return Outcome(case, (str(error),))
        if API_KEY in "".join(subject.said):
            problems.append("the API key is in what the subject wrote")
        return Outcome(case, tuple(problems))

    async def _pure(self, subject: LineProcess, case: Case) -> list[str]:
        answer = await subject.ask({"id": 1, "op": case.op, "args": case.args}, STEP_SECONDS)
        return _compare("1", case.expect, answer)

    # ------------------------------------------------------------------------------------------------ conversations

    async def _gateway(self, tls: str) -> tuple[LineProcess, str]:
        if tls not in self._gateways:
            self._gateways[tls] = await scripted_gateway(*self._files.arguments(tls))
        return self._gateways[tls]

    async def _conversation(self, subject: LineProcess, case: Case) -> list[str]:
        tls = case.server.get("tls", "")
        gateway, endpoint = await self._gateway(tls)
        before = await gateway.ask({"load": case.server})
        if "error" in before:
            return [f"the case: {before['error']}"]
        texts = self._files.texts() | {"$endpoint": endpoint, "$port": endpoint.rpartition(":")[2], "$key": API_KEY}
        problems: list[str] = []
        case = replace(case, expect=_filled(case.expect, texts))
        for step in case.client:
            problems += await self._step(subject, gateway, _filled(step, texts), case, endpoint, tls)
            if problems:
                break
        if not problems:
            problems += await _seen(gateway, case.expect)
        await self._reset(subject, gateway, case)
        return problems

    async def _reset(self, subject: LineProcess, gateway: LineProcess, case: Case) -> None:
        for action in ("thaw", "reopen_listener") if any("server" in step for step in case.client) else ():
            await gateway.ask({"do": action})
        subject.send({"id": "reset", "op": "reset"})
        await self._answer(subject, "reset")
        # A call that was on its way when the subject closed would take what the next case has for its own.
        await gateway.ask({"do": "drop_connections"})

    async def _step(
        self, subject: LineProcess, gateway: LineProcess, step: dict[str, Any], case: Case, endpoint: str, tls: str
    ) -> list[str]:
        if "server" in step:
            answer = await gateway.ask(step["server"], STEP_SECONDS)
            return [f"{step['server']}: {answer}"] if "error" in answer or answer.get("waited") is False else []
        if "await" in step:
            return self._judge(case, step["await"], await self._answer(subject, step["await"]))
        if step["op"].startswith("connect"):
            args = {"endpoint": endpoint, "api_key": API_KEY} | ({} if tls else {"plaintext": True})
            args |= step.get("args", {})
            step = step | {"args": {name: value for name, value in args.items() if value != "$none"}}
        if step.get("async"):
            subject.send({key: value for key, value in step.items() if key != "async"})
            return []
        subject.send(step)
        return self._judge(case, step["id"], await self._answer(subject, step["id"]))

    async def _answer(self, subject: LineProcess, wanted: Any) -> dict[str, Any]:
        while wanted not in self._answers:
            answer = await subject.read(STEP_SECONDS)
            self._answers[answer.get("id")] = answer
        return self._answers.pop(wanted)

    def _judge(self, case: Case, step: Any, answer: dict[str, Any]) -> list[str]:
        return _compare(str(step), case.expect.get(str(step), {}), answer)


def _compare(step: str, expected: Any, answer: dict[str, Any]) -> list[str]:
    if answer.get("unsupported"):
        return [f"step {step}: the subject does not know the operation"]
    if isinstance(expected, dict) and "error" in expected:
        if "error" not in answer:
            return [f"step {step}: expected an error, got {json.dumps(answer.get('ok'))[:300]}"]
        return differences(expected["error"], answer["error"], f"step {step}.error")
    if "error" in answer:
        return [f"step {step} failed: {json.dumps(answer['error'])[:600]}"]
    return differences(expected, answer.get("ok", {}), f"step {step}")


async def _seen(gateway: LineProcess, expect: dict[str, Any]) -> list[str]:
    """What the gateway has seen against what was expected of it."""
    waits: dict[str, Any] = {"open_streams": expect["open_streams"]} if "open_streams" in expect else {}
    if "cancelled" in expect:
        waits["cancelled"] = len(expect["cancelled"])
    if waits:
        await gateway.ask({"wait": waits})
    report = await gateway.ask({"report": True})
    problems = []
    arrived: dict[str, list[float]] = {}
    for entry in report["requests"]:
        entry.pop("deadline_seconds", None)
        arrived.setdefault(entry["rpc"], []).append(entry.pop("arrived_seconds"))
    for rpc, wanted in expect.get("waits", {}).items():
        problems += wait_problems(wanted, arrived.get(rpc, []), f"waits.{rpc}")
    if "requests" in expect:
        problems += differences(expect["requests"], report["requests"], "requests")
    for rpc, wanted in expect.get("requests_of", {}).items():
        found = [each for each in report["requests"] if each["rpc"] == rpc]
        problems += differences(wanted, found, f"requests_of.{rpc}")
    for name in ("open_streams", "cancelled"):
        if name in expect:
            problems += differences(expect[name], report[name], name)
    return problems


def wait_problems(wanted: Sequence[dict[str, Any]], arrived: Sequence[float], where: str) -> list[str]:
    """Times between requests of one RPC against `{"from": 1, "to": 2, "least": 0.2, "under": 5}`, numbered from 1."""
    problems = []
    for each in wanted:
        first, second = each["from"], each["to"]
        if len(arrived) < second:
            problems.append(f"{where}: there is no request {second}, there are {len(arrived)}")
            continue
        took = arrived[second - 1] - arrived[first - 1]
        if not each.get("least", 0.0) <= took < each.get("under", float("inf")):
            problems.append(f"{where}: from request {first} to {second} it took {took:.3f} s: {json.dumps(each)}")
    return problems


def _filled(document: Any, texts: dict[str, str]) -> Any:
    """The document with `$endpoint` and the like replaced in its texts."""
    if isinstance(document, dict):
        return {key: _filled(value, texts) for key, value in document.items()}
    if isinstance(document, list):
        return [_filled(each, texts) for each in document]
    if isinstance(document, str) and "$" in document:
        for name in sorted(texts, key=len, reverse=True):
            document = document.replace(name, texts[name])
    return document


def run(command: Sequence[str], cases: Iterable[Case], folder: Path) -> tuple[dict[str, Any], list[Outcome]]:
    """Runs the cases with a subject; its first line, and the outcomes."""

    async def main() -> tuple[dict[str, Any], list[Outcome]]:
        async with Runner(command, folder) as runner:
            return runner.hello, await runner.run(cases)

    return asyncio.run(main())
