"""Drives every client's CLI through the same steps against one real gateway, and compares what they print."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from conformance.__main__ import command_of, read_subjects

from e2e.languages import EXAMPLES, LANGUAGES, ROOT, Language, built
from e2e.measuring import benches
from e2e.normalising import Normaliser, rendered
from e2e.outage import killed, mortal
from e2e.signals import interrupted
from e2e.steps import STEPS, Step
from mxgateway import AlarmState
from mxgateway.testing import LocalGateway

END = "__MXGW_BATCH_EOR__"
PASSWORD = "sentinel-password-4711"

ALARM = "TestMachine_001.TestAlarm002"
LISTED = f"Galaxy!TestArea.{ALARM}"
"""An alarm that nothing but the matrix raises, by its attribute and as it stands in the list."""


@dataclass
class Record:
    """What one client printed: by step, the document (or the failure) as it came, and normalised."""

    language: str
    answers: list[Any] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    everything: str = ""
    seconds: float = 0.0


class Batch:
    """A CLI in batch mode."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [*command, "batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **environment}, encoding="utf-8",
        )  # fmt: skip

    def ask(self, line: str) -> str:
        """What one line prints."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        printed: list[str] = []
        while (found := self._process.stdout.readline()).strip() != END:
            if not found:
                raise RuntimeError(f"the CLI ended: {''.join(printed)}{self.end()}")
            printed.append(found)
        return "".join(printed)

    def end(self) -> str:
        """Ends it by the end of its stdin; what it said on stderr."""
        _, said = self._process.communicate(timeout=20)
        return said


def drive(name: str, language: Language, gateway: LocalGateway, narrow_key: str) -> Record:
    """All steps with one client. The narrow key may only read events."""
    record, kept, normaliser = Record(name), {"alarm": LISTED}, Normaliser()
    environment = {
        "MATRIX_KEY": gateway.api_key,
        "MATRIX_NARROW": narrow_key,
        "MATRIX_WRONG": "mxgw_local_wrongsecretwrongsecret",
        "MATRIX_PASSWORD": PASSWORD,
    }
    endpoint, ca, key = f"--endpoint {gateway.endpoint}", f"--ca-file {gateway.ca_file}", "--api-key-env MATRIX_KEY"
    reaches = {
        "all": f"{endpoint} {ca} {key}",
        "no-key": f"{endpoint} {ca}",
        "wrong-key": f"{endpoint} {ca} --api-key-env MATRIX_WRONG",
        "unset-key": f"{endpoint} {ca} --api-key-env MATRIX_UNSET",
        "narrow-key": f"{endpoint} {ca} --api-key-env MATRIX_NARROW",
        "no-ca": f"{endpoint} {key}",
        "other-name": f"{endpoint} {ca} {key} --server-name-override other.example",
        "plaintext": f"{endpoint} {key} --plaintext",
        "missing-ca": f"{endpoint} {key} --ca-file /nowhere/ca.pem",
    }
    began = time.monotonic()
    batch = Batch(language.cli, environment)
    for step in STEPS:
        line = step.arguments.format(**kept)
        if line and not line.startswith(("version", "'", "no-such")):
            line += f" {reaches[step.reach]}"
        printed = batch.ask(line)
        record.everything += printed
        _judge(record, step, printed, kept, normaliser)
    record.everything += batch.end()
    record.seconds = time.monotonic() - began
    log = gateway.log
    for secret, what in ((gateway.api_key, "API key"), (narrow_key, "API key"), (PASSWORD, "password")):
        if secret in record.everything:
            record.problems.append(f"the {what} is in the output")
        if secret in log:
            record.problems.append(f"the {what} is in the gateway's log")
    record.problems += examples(language, gateway)
    return record


def examples(language: Language, gateway: LocalGateway) -> list[str]:
    """Runs the examples of a client; what went wrong."""
    environment = {**os.environ, "MXGATEWAY_API_KEY": gateway.api_key}
    problems = []
    for name, arguments, wanted in EXAMPLES if language.example else ():
        command = [part.format(example=name, Example=name.capitalize()) for part in language.example]
        command += [gateway.endpoint, str(gateway.ca_file), *arguments]
        found = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT / language.folder)
        if found.returncode != 0 or wanted not in found.stdout:
            problems.append(f"example {name}: {found.stdout}{found.stderr}"[:500])
    return problems


def _judge(record: Record, step: Step, printed: str, kept: dict[str, Any], normaliser: Normaliser) -> None:
    try:
        document = json.loads(printed) if printed.strip() else None
    except ValueError:
        record.problems.append(f"{step.arguments}: printed no JSON: {printed[:200]!r}")
        record.answers.append("<no JSON>")
        return
    failure = document.get("error") if isinstance(document, dict) and document.get("type") == "error" else None
    if failure is not None:
        if not step.fails and not step.arguments.startswith("'"):
            record.problems.append(f"{step.arguments}: {failure}")
        elif _plain(step.fails) not in _plain(failure):
            record.problems.append(f"{step.arguments}: {failure!r} does not say {step.fails!r}")
        record.answers.append("<failure>")
    else:
        if step.fails:
            record.problems.append(f"{step.arguments}: was to fail with {step.fails!r}")
        for name, path in step.keeps.items():
            found: Any = document
            for key in path:
                found = found[key]
            kept[name] = found
        record.answers.append(_shape(document) if step.shape else _normalised(record, step, normaliser, document))


def _plain(text: str) -> str:
    """Without the marks by which languages write names apart: ca_file, --ca-file and caFile are one."""
    return re.sub(r"[-_]", "", text.lower())


def _normalised(record: Record, step: Step, normaliser: Normaliser, document: Any) -> Any:
    try:
        return normaliser.document(document, free=step.free)
    except ValueError as error:
        record.problems.append(f"{step.arguments}: {error}")
        return document


def _shape(document: Any) -> Any:
    """Keys and types, without values and without how many there are."""
    if isinstance(document, dict):
        return {key: _shape(value) for key, value in document.items() if key not in ("value", "statuses")}
    if isinstance(document, list):
        return [_shape(document[0])] if document and not isinstance(document[0], dict) else ["<objects>"]
    return type(document).__name__


def compare(model: Record, other: Record) -> list[str]:
    """Where another client prints something else than the first."""
    found = list(other.problems)
    for step, one, two in zip(STEPS, model.answers, other.answers, strict=True):
        wanted, got = rendered(one), rendered(two)
        if wanted != got:
            lines = zip(wanted.splitlines(), got.splitlines(), strict=False)
            at = next(((a, b) for a, b in lines if a != b), (wanted[-200:], got[-200:]))
            found.append(f"{step.arguments}: {model.language} prints {at[0].strip()}, {other.language} {at[1].strip()}")
    return found


def _narrow_key(gateway: LocalGateway) -> str:
    command = [
        *(sys.executable, "-m", "mxgateway_server", "apikey", "create", "--state-dir", str(gateway.state_dir)),
        *("--key-id", "narrow", "--display-name", "narrow", "--scopes", "events:read", "--json"),
    ]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    key: str = json.loads(made.stdout)["apiKey"]
    return key


async def _raise_alarm(gateway: LocalGateway) -> None:
    """A new occurrence of the alarm, which nobody has acknowledged, in the gateway's list."""
    async with gateway.connect() as client, client.alarms.watch(references=[LISTED]) as feed:
        await asyncio.to_thread(gateway.plant.raise_alarm, ALARM)
        await feed.wait_for(LISTED, AlarmState.UNACK_ALM)


async def _end_alarm(gateway: LocalGateway) -> None:
    """The alarm is over and acknowledged, so that it leaves the list: else the next occurrence would go on with it."""
    async with gateway.connect() as client, client.alarms.watch(references=[LISTED]) as feed:
        alarm = feed.find(LISTED)
        if alarm is not None and alarm.state is AlarmState.UNACK_ALM:
            await asyncio.to_thread(gateway.plant.acknowledge_alarm, ALARM)
            await feed.wait_for(LISTED, AlarmState.ACK_ALM)
        await asyncio.to_thread(gateway.plant.clear_alarm, ALARM)
        await feed.wait_for(LISTED, None)


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


async def run(names: Sequence[str], skips: frozenset[str] = frozenset()) -> list[Record]:
    """The matrix; the records of all languages. The first one is the model. `skips`: benches, signals, outage."""
    here = {name: language for name in names if (language := built(name)) is not None}
    subjects = read_subjects()
    records = []
    async with LocalGateway.run(alarms="TestArea") as gateway:
        narrow_key = await asyncio.to_thread(_narrow_key, gateway)
        for name, language in here.items():
            _say(f"{name}: alarm")
            gateway.reset()
            await _raise_alarm(gateway)
            _say(f"{name}: {len(STEPS)} steps")
            record = await asyncio.to_thread(drive, name, language, gateway, narrow_key)
            await _end_alarm(gateway)
            if "benches" not in skips:
                _say(f"{name}: benches")
                record.problems += await benches(name, language.cli)
            if "signals" not in skips:
                _say(f"{name}: signals")
                record.problems += await interrupted(language.cli)
            records.append(record)
        if "outage" in skips:
            return records
        await gateway.stop()
        async with mortal(gateway) as own:
            for record in records:
                subject = command_of(record.language, subjects[record.language], skips=False)
                assert subject is not None
                _say(f"{record.language}: a gateway that is killed")
                began = time.monotonic()
                record.problems += await killed(own, gateway, subject, LANGUAGES[record.language].cli)
                record.seconds += time.monotonic() - began
    return records
