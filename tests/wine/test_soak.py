"""A short soak: that the load works and every figure is there. What grows over hours `make soak` judges."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.support.fleeting import command_line
from tests.support.waiting import wait_until
from tests.wine.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_a_short_soak_loses_nothing_and_keeps_its_handles() -> None:
    command = [sys.executable, "-m", "soak", "--seconds", "20", "--growth", "25"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150)
    assert run.returncode == 0, run.stdout + run.stderr
    report = json.loads(run.stdout)
    assert report["violations"] == []
    assert all(report["done"].values()), report
    assert report["done"]["writes"] == report["done"]["completions"]
    assert set(report["growth"]) == {
        *("workerWorkingSetMiB", "workerOpenFiles", "workerHandles"),
        *("gatewayWorkingSetMiB", "gatewayOpenFiles", "gatewayThreads"),
    }


def test_a_soak_that_dies_says_why_and_keeps_what_it_has(tmp_path: Path) -> None:
    """One died after 22 minutes, and nobody could tell of what."""
    samples, log = tmp_path / "samples.json", tmp_path / "gateway.log"
    command = [sys.executable, "-m", "soak", "--seconds", "120", "--samples", str(samples), "--log", str(log)]
    soak = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        (worker,) = wait_until_some(lambda: soaked_workers(soak.pid, log))
        worker.kill()
        output, errors = soak.communicate(timeout=60)
    finally:
        soak.kill()
        soak.wait()
    assert soak.returncode == 1, errors
    report = json.loads(output)
    assert report["violations"][-1].startswith("died after ")
    died = report["died"]
    assert died["cause"].startswith("the worker of the soaked session ended")
    assert (died["gateway"], died["worker"]) == ("runs", "gone")
    assert any("the worker process ended" in line for line in died["errors"]), died
    assert any(line in log.read_text() for line in died["gatewayLog"])
    assert samples.exists()


def soaked_workers(soak: int, log: Path) -> list[psutil.Process]:
    """The worker of the session that is soaked, once it works: the session that hangs opens after it."""
    text = log.read_text() if log.exists() else ""
    opened = re.search(r"session_opened .* name=soak session_id=(\S+)", text)
    if " name=hangs " not in text:
        return []
    children = psutil.Process(soak).children(recursive=True)
    return [child for child in children if opened and opened[1] in command_line(child)]


def wait_until_some(find: Callable[[], list[psutil.Process]]) -> list[psutil.Process]:
    found: list[psutil.Process] = []

    def look() -> bool:
        found[:] = find()
        return bool(found)

    wait_until(look, 60)
    return found
