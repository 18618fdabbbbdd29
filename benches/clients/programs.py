"""Programs that are run to their end: what they printed, how long they took, and what of the processor they used."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2e.languages import LANGUAGES

from benches.clients.measured import Table, check, of_each, operations
from mxgateway.testing import LocalGateway

ROOT = Path(__file__).resolve().parent.parent.parent
SIZE = 6
"""Tags of a read."""
TAGS = 20
"""Tags of which events are taken: those of this name that the simulator has; each changes once a second."""
SHORT = 0.3
SHORT_OF_EVENTS = 2.0
"""Seconds of the run that is subtracted: tags change about once a second, and a bench without an event fails."""
_PATIENCE = 60.0
"""Seconds that a program may take beside what it was asked to measure."""
_LOOK_SECONDS = 0.02
"""How often the memory of a program is looked at; the kernel keeps the peak, so only the very last may be missed."""


@dataclass(frozen=True)
class Ran:
    """A program that ended.

    Attributes:
        document: the JSON object that it printed last.
        seconds: how long it ran.
        cpu: processor seconds that it used, all threads together.
        peak_bytes: the most memory that it held; None where it ended too soon for a look.
    """

    document: dict[str, Any]
    seconds: float
    cpu: float
    peak_bytes: int | None


def document_of(text: str) -> dict[str, Any]:
    """The last JSON object in a text.

    Raises:
        ValueError: there is none.
    """
    decoder, found, at = json.JSONDecoder(), None, 0
    while (at := text.find("{", at)) >= 0:
        try:
            found, at = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            at += 1
    if found is None:
        raise ValueError(f"no JSON object in {text[-200:]!r}")
    return dict(found)


def peak_of(pid: int) -> int | None:
    """The most memory that a process held since it became the program that it is, in bytes; None when it has ended.

    What its end tells (`ru_maxrss`) is no measure of a small program: it counts what the parent held at the fork, too.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    held = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
    return int(held[1]) * 1024 if held else None


class _Watch:
    """Looks at the memory of a program while it runs, and kills it when it does not end in time."""

    def __init__(self, pid: int, limit: float) -> None:
        self.peak_bytes: int | None = None
        self.is_late = False
        self._pid = pid
        # Of a number alone nobody knows, in the end, whose it is by then.
        self._process = os.pidfd_open(pid)
        self._over = time.monotonic() + limit
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        os.close(self._process)

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self.peak_bytes = peak_of(self._pid) or self.peak_bytes
            if not self.is_late and time.monotonic() > self._over:
                self.is_late = True
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._process, signal.SIGKILL)


def ran(command: Sequence[str], environment: Mapping[str, str], limit: float = _PATIENCE) -> Ran:
    """Runs a program to its end.

    Raises:
        RuntimeError: it failed, or did not end within `limit` seconds.
    """
    what = f"{' '.join(command[:3])} …"
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env={**os.environ, **environment}, cwd=ROOT
        )
        with _Watch(process.pid, limit) as watch:
            # Not `wait`: only this tells what the program used, to the microsecond.
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        output.seek(0)
        errors.seek(0)
        said = output.read().decode(errors="replace")
        if process.returncode != 0:
            tail = errors.read().decode(errors="replace")[-500:]
            if watch.is_late:
                raise RuntimeError(f"{what} did not end within {limit:g} s: {tail}")
            raise RuntimeError(f"{what} ended with {process.returncode}: {tail}")
    return Ran(document_of(said), seconds, used.ru_utime + used.ru_stime, watch.peak_bytes)


def lengths(scenario: str, seconds: float) -> tuple[float, float]:
    """Seconds of the run that is subtracted, and of the one that it is subtracted from."""
    short = SHORT_OF_EVENTS if scenario == "stream-events" else SHORT
    return short, short + seconds


def calls(table: Table, gateway: LocalGateway, language: str, seconds: float) -> None:
    """One run of each program that calls a real gateway."""
    programs = LANGUAGES[language]
    cli, warmup = programs.bench_cli or programs.cli, str(programs.warmup)
    reach = ["--endpoint", gateway.endpoint, "--ca-file", str(gateway.ca_file), "--api-key-env", "MXGATEWAY_API_KEY"]

    def bench(name: str, length: float, size: int) -> list[str]:
        given = ["--duration-seconds", str(length), "--warmup-seconds", warmup, "--bulk-size", str(size), "--json"]
        return [*cli, name, *given, *reach]

    def measure(scenario: str, command: Callable[[float], list[str]]) -> None:
        patience = _PATIENCE + programs.warmup + seconds
        short, long = (ran(command(length), environment, patience) for length in lengths(scenario, seconds))
        document = long.document
        check(document, language)
        table.add(
            language,
            "client",
            scenario,
            document.get("callsPerSecond", document.get("eventsPerSecond", 0.0)),
            cpu=of_each((short.cpu, operations(short.document)), (long.cpu, operations(document))),
            # Of events the latency is that from the worker, which is no duration of the client's.
            p50=None if scenario == "stream-events" else float(document["latencyMs"]["p50"]),
            peak=long.peak_bytes,
        )

    environment = {"MXGATEWAY_API_KEY": gateway.api_key, "PYTHONPATH": str(ROOT)}
    measure("read-bulk", lambda length: bench("bench-read-bulk", length, SIZE))
    measure("stream-events", lambda length: bench("bench-stream-events", length, TAGS))


def start(table: Table, language: str) -> None:
    """How long the CLI takes to say its version, in milliseconds."""
    programs = LANGUAGES[language]
    command = [*(programs.bench_cli or programs.cli), "version"]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, timeout=_PATIENCE)
    table.add(language, "client", "start", (time.perf_counter() - began) * 1000)
