"""Windows workers driven over their pipes from this machine: the worker's component tests, and many starts in a row."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from tests.support import worker_process
from tests.wine.conftest import ROOT, winpath

from mxgateway_protocol.contract import WorkerExit

pytestmark = pytest.mark.timeout(600)

STARTS = int(os.environ.get("MXGATEWAY_WINE_STARTS", "30"))
WINDOWS_PATH = f"{winpath(ROOT / 'src')};{winpath(ROOT)}"
SEEN_FROM_LINUX = (
    # Wine numbers processes for itself, ends them at once on SIGTERM, and shows exit codes modulo 256.
    "test_worker_process.py::test_handshake_gives_hello_then_ready_then_a_heartbeat_at_once",
    "test_worker_process.py::test_sigterm_ends_the_worker_in_order",
    # prlimit knows Linux processes; the job object's limit stands in a test of its own.
    "test_worker_faults.py::test_a_worker_that_reaches_its_memory_limit_ends_with_an_exit_code_that_says_so",
    "test_worker_commands.py::test_process_faults_end_the_process[crash-parameters0--9]",
)


def test_the_workers_component_tests_hold_with_windows_workers() -> None:
    left_out = [part for test in SEEN_FROM_LINUX for part in ("--deselect", f"tests/component/worker/{test}")]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/component/worker", *left_out],
        env={
            **os.environ,
            "MXGATEWAY_TEST_PYTHON": f"wine {os.environ['WPYEXE']}",
            "MXGATEWAY_TEST_PYTHONPATH": WINDOWS_PATH,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert run.returncode == 0, run.stdout
    found = re.search(r"(\d+) passed", run.stdout)
    assert found
    assert int(found[1]) >= 70


def test_worker_after_worker_starts_and_ends_without_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each makes the COM object, answers, and is gone with its pipe; none holds a pipe of the next."""
    monkeypatch.setattr(worker_process, "PYTHON", ["wine", os.environ["WPYEXE"]])
    monkeypatch.setattr(worker_process, "PYTHONPATH", WINDOWS_PATH)
    for number in range(STARTS):
        with worker_process.WorkerProcess(backend="com") as worker:
            worker.make_ready()
            worker.close_stdin()
            # What inherited a pipe would keep its end open for ten seconds and more.
            code = worker.wait_for_exit(8.0)
            assert code in (WorkerExit.GATEWAY_GONE, WorkerExit.SUCCESS), f"start {number}: {code}\n{worker.log}"
