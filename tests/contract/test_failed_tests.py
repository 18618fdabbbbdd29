"""A failed test is the only one that fails: what it leaves is not found in the next one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAILING = """
import subprocess, sys, tempfile

def test_leaves_an_open_pipe():
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    process.wait()
    assert process.returncode == 1

def test_leaves_an_open_file_in_a_circle():
    kept = [tempfile.TemporaryFile()]
    kept.append(kept)
    raise ValueError

def test_has_nothing_to_do_with_it():
    import gc
    gc.collect()

def test_is_still_told_of_its_own():
    tempfile.TemporaryFile()
"""


@pytest.mark.slow
def test_what_a_failed_test_leaves_fails_no_other(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(FAILING)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.failed_tests", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "test_has_nothing_to_do_with_it" not in run.stdout, run.stdout
    assert "FAILED test_it.py::test_is_still_told_of_its_own" in run.stdout, run.stdout
    assert "3 failed, 1 passed" in run.stdout, run.stdout
