"""A short soak: that the load works and every figure is there. What grows over hours `make soak` judges."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tests.wine.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_a_short_soak_loses_nothing_and_keeps_its_handles() -> None:
    command = [sys.executable, "-m", "soak", "--seconds", "12", "--growth", "25"]
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
