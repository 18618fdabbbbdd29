"""Windows workers driven over their pipes from this machine: the worker's component tests, and many starts in a row."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from tests.support import worker_process
from tests.wine.conftest import ROOT, winpath

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.contract import WorkerExit
from mxgateway_server.workers.exits import exit_text

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
    phases = StartPhases()
    for number in range(STARTS):
        start_and_end(phases, number, worker_process.WorkerProcess(backend="com"))


def start_and_end(phases: StartPhases, number: int, worker: worker_process.WorkerProcess) -> None:
    """One life of a worker; fails with all that is known of it."""
    with worker, phases.explaining(number, worker):
        phases.enter("hello")
        worker.hello()
        worker.wait_for_body("worker_hello")
        phases.enter("the COM object")
        worker.wait_for_body("worker_ready")
        phases.enter("a command")
        assert worker.ping("?").diagnostic_message == "?"
        phases.enter("the end")
        worker.close_stdin()
        # What inherited a pipe would keep its end open for ten seconds and more.
        code = worker.wait_for_exit(8.0)
        assert code in (WorkerExit.GATEWAY_GONE, WorkerExit.SUCCESS), exit_text(code)


class StartPhases:
    """How far a start has come, so that the one of 200 that fails says all that is known of it."""

    def __init__(self) -> None:
        self._phase = ""
        self._began = self._entered = 0.0
        self._slowest: dict[str, tuple[float, int]] = {}
        self._number = 0

    @contextmanager
    def explaining(self, number: int, worker: worker_process.WorkerProcess) -> Iterator[None]:
        """Whatever fails in the block is told with its phase, the worker's end and its last lines."""
        self._number, self._phase = number, ""
        self._began = self._entered = time.monotonic()
        try:
            yield
        except Exception as error:
            raise AssertionError(self.told(worker, error)) from error
        self.enter("")

    def enter(self, phase: str) -> None:
        now = time.monotonic()
        if self._phase:
            self._slowest[self._phase] = max(
                self._slowest.get(self._phase, (0.0, 0)), (now - self._entered, self._number)
            )
        self._phase, self._entered = phase, now

    def told(self, worker: worker_process.WorkerProcess, error: Exception) -> str:
        now = time.monotonic()
        code = worker.process.poll()
        while worker.read_once(0.2):
            continue
        end = "it still runs" if code is None else exit_text(code)
        if code is not None and code >= 0:
            # Seen from here an NTSTATUS such as 0xC0000005 has its lowest byte only.
            end += f" (of Windows' own code the lowest byte: 0x{code:02X})"
        lines = [
            f"start {self._number} of {STARTS} failed in the phase {self._phase!r} after {now - self._entered:.2f} s, "
            f"{now - self._began:.2f} s after its beginning: {type(error).__name__}: {error}",
            f"the worker: {end}; came from it: {[envelope.WhichOneof('body') for envelope in worker.envelopes]}",
            f"slowest before it: { {name: f'{s:.2f} s, start {n}' for name, (s, n) in self._slowest.items()} }",
            f"wineserver of this prefix: {wine_servers() or 'gone'}; load average {os.getloadavg()[0]:.1f}",
            "its last lines:",
            *worker.log.splitlines()[-30:],
        ]
        return "\n".join(lines)


def wine_servers() -> list[int]:
    """The server of the lab's prefix, as this machine numbers it; whatever runs there ends with it."""
    prefix = os.environ["WINEPREFIX"]
    found = []
    for process in psutil.process_iter(["name", "pid"]):
        try:
            if process.info["name"].startswith("wineserver") and process.environ().get("WINEPREFIX") == prefix:
                found.append(process.info["pid"])
        except psutil.Error:
            continue
    return found


def test_a_start_that_fails_says_all_that_is_known_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "PYTHON", ["wine", os.environ["WPYEXE"]])
    monkeypatch.setattr(worker_process, "PYTHONPATH", WINDOWS_PATH)
    phases = StartPhases()
    worker = worker_process.WorkerProcess(backend="com", options={"time": "nonsense"})
    with pytest.raises(AssertionError) as failed:
        start_and_end(phases, 7, worker)
    text = str(failed.value)
    assert "start 7 of" in text
    assert "in the phase 'the COM object'" in text
    assert "worker_fault" in text
    assert "exit code 7, backend failed" in text or "it still runs" in text, text
    assert "it takes utc or local" in text
    assert "wineserver of this prefix: [" in text


@pytest.mark.parametrize("at_the_end", [False, True], ids=["at work", "while it is closed"])
def test_a_worker_whose_lmxproxy_broke_down_ends_by_itself(monkeypatch: pytest.MonkeyPatch, at_the_end: bool) -> None:
    """And at once, by its own exit code: it neither waits for the thread of the object nor asks the object anything."""
    monkeypatch.setattr(worker_process, "PYTHON", ["wine", os.environ["WPYEXE"]])
    monkeypatch.setattr(worker_process, "PYTHONPATH", WINDOWS_PATH)
    fault = pb.InjectFaultCommand(fault="access_violation", parameters={"where": "call"})
    with worker_process.WorkerProcess(backend="com", arguments=("--allow-fault-injection",)) as worker:
        worker.make_ready()
        register = pb.MxCommand(kind=pb.MX_COMMAND_KIND_REGISTER, register=pb.RegisterCommand(client_name="x"))
        assert worker.command(register).register.server_handle
        worker.command(pb.MxCommand(kind=pb.MX_COMMAND_KIND_INJECT_FAULT, inject_fault=fault))
        if at_the_end:
            # The next call is the teardown's Unregister.
            code = worker.shutdown(grace=30.0)
        else:
            worker.send_command(register)
            code = worker.wait_for_exit(15.0)
        assert code == WorkerExit.BACKEND_FAILED, worker.log
        assert "access violation" in worker.log
        assert "the backend is lost" in worker.log
        assert "did not stop within" not in worker.log
