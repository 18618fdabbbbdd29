"""One flood from beginning to end: the gateway, the honest client, the flood, memory, and the verdict."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import psutil

from attack.bars import Calls, Observation, violations
from attack.floods import FLOODS, Flood
from attack.target import FILES, Target, ended_after, running

_SAMPLE = 0.1
_QUIET = 3.0
# Beyond the flood's own seconds: its process, its connections and its last calls have to end.
_PATIENCE = 60.0


class Memory:
    """Memory of one process, looked at when told."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.before = self.now()
        self.highest = self.before

    def now(self) -> int:
        """Bytes; 0 when the process is gone."""
        try:
            return int(self._process.memory_info().rss)
        except psutil.NoSuchProcess:
            return 0

    def look(self) -> None:
        self.highest = max(self.highest, self.now())


def attack(name: str, seconds: float, files: int = FILES) -> dict[str, Any]:
    """Runs one flood and judges it; `violations` in the report is empty when every bar was held."""
    flood = FLOODS[name]
    with running(files) as target:
        seen = _observe(name, flood, target, seconds)
    found = violations(seen, flood.bars)
    return {
        "flood": name,
        "what": flood.title,
        "seconds": seconds,
        "openFiles": files,
        "outcome": seen.flood,
        "honest": {sort: calls.as_json() for sort, calls in seen.honest.items()},
        "quietP99Ms": {sort: calls.as_json()["p99Ms"] for sort, calls in seen.quiet.items()},
        "memoryMiB": {
            "before": seen.memory_before >> 20,
            "highest": seen.memory_highest >> 20,
            "after": seen.memory_after >> 20,
        },
        "longestHoldMs": None if seen.longest_hold is None else round(seen.longest_hold * 1000, 1),
        "writes": {"sent": seen.writes_sent, "recorded": seen.writes_recorded},
        "violations": found,
    }


def _observe(name: str, flood: Flood, target: Target, seconds: float) -> Observation:
    memory = Memory(target.pid)
    honest = _process(target, "attack.honest", *(("browse",) if flood.has_browser else ()))
    try:
        assert honest.stdout is not None
        with ended_after(honest, _PATIENCE):
            line = honest.stdout.readline()
        if line.strip() != b"ready":
            raise RuntimeError(f"the honest client did not start: {honest.communicate()[1].decode()[-2000:]}")
        time.sleep(_QUIET)
        memory.before = memory.highest = memory.now()
        assert honest.stdin is not None
        honest.stdin.write(b"flood\n")
        honest.stdin.flush()
        outcome = _flood(name, seconds, target, memory, flood.processes)
        found = _report(honest, "the honest client", _PATIENCE)
    finally:
        honest.kill()
        honest.wait()
    after = _settled(memory, flood.bars.memory_left, flood.bars.settle)
    calls = {sort: Calls(each["seconds"], each["errors"]) for sort, each in found.items()}
    quiet = {sort: Calls(each["quiet"]) for sort, each in found.items()}
    return Observation(
        honest=calls,
        quiet=quiet,
        memory_before=memory.before,
        memory_highest=memory.highest,
        memory_after=after,
        longest_hold=target.longest_hold(),
        # The one before the flood, too.
        writes_sent=len(calls["write"].seconds) + len(quiet["write"].seconds) + 1,
        writes_recorded=target.writes_in_audit() if flood.counts_writes else None,
        is_alive=memory.now() > 0,
        flood=outcome,
    )


def _flood(name: str, seconds: float, target: Target, memory: Memory, processes: int) -> dict[str, int]:
    end = time.monotonic() + seconds + _PATIENCE
    outcome: Counter[str] = Counter()
    flooding = [_process(target, "attack.floods", name, str(seconds)) for _ in range(processes)]
    try:
        while any(each.poll() is None for each in flooding):
            memory.look()
            if time.monotonic() > end:
                raise RuntimeError(f"the flood {name} did not end")
            time.sleep(_SAMPLE)
        for each in flooding:
            outcome.update(_report(each, f"the flood {name}", _PATIENCE))
    finally:
        for each in flooding:
            each.kill()
            each.wait()
    return dict(sorted(outcome.items()))


def _report(process: subprocess.Popen[bytes], who: str, seconds: float) -> Any:
    """What a process printed last; ends its input."""
    try:
        out, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{who} did not end") from None
    if process.returncode:
        raise RuntimeError(f"{who} broke off with {process.returncode}: {errors.decode(errors='replace')[-2000:]}")
    return json.loads(out)


def _settled(memory: Memory, left: int, settle: float) -> int:
    """The memory once it is back, or after the time that it has for that."""
    end = time.monotonic() + settle
    while memory.now() > memory.before + left and time.monotonic() < end:
        time.sleep(_SAMPLE)
    return memory.now()


def _process(target: Target, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=target.environment() | {"GRPC_VERBOSITY": "NONE"},
    )
