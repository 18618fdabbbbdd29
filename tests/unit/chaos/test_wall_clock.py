"""A process whose wall clock is set sees another time and the same intervals."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chaos.wall_clock import WallClock

PROGRAM = """
import sys, time
for _ in sys.stdin:
    print(time.time(), time.monotonic(), flush=True)
"""


@pytest.mark.skipif(
    not WallClock.is_available() and not os.environ.get("CI"), reason="libfaketime is not installed (package faketime)"
)
def test_only_the_wall_clock_moves(tmp_path: Path) -> None:
    clock = WallClock(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | dict(clock.environment),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask() -> tuple[float, float]:
            assert process.stdin is not None
            assert process.stdout is not None
            print(file=process.stdin, flush=True)
            wall, monotonic = map(float, process.stdout.readline().split())
            return wall - time.time(), monotonic - time.monotonic()

        for seconds in (0, 7200, -60, 0):
            clock.move(seconds)
            wall, monotonic = ask()
            assert abs(wall - seconds) < 1
            assert abs(monotonic) < 1
    clock.clear(process.pid)
