"""The gateway that is soaked: over COM workers under Wine, or over the simulator."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from benches.gateway_process import GatewayProcess, Site, scratch_folder

ROOT = Path(__file__).parents[1]
LAB = "MXGATEWAY_WINELAB"
SCOPES = "all"
NO_STRING_CACHE = "OANOCACHE=1"
"""OLE Automation keeps six freed texts of each sixteenth length, megabytes where lengths are random, for hours: that
would hide what is looked for here. Its own switch for those who look for leaks."""


@dataclass(frozen=True, slots=True)
class Tags:
    """What the load works on.

    Attributes:
        moving: tags that change by themselves.
        written: a tag for integers, one for texts and one for arrays of integers.
        passing: tags that are added and removed again and again.
    """

    moving: tuple[str, ...]
    written: tuple[str, str, str]
    passing: tuple[str, ...]


TAGS = {
    # Of the stand-in's own table.
    "com": Tags(
        tuple(f"Sim.Ramp.{period}" for period in (10, 10, 10, 10, 20, 20, 50, 100)),
        ("T.Int", "T.String", "T.IntArray[]"),
        ("T.Bool", "T.Float", "T.Double", "T.Time", "T.StringArray[]", "T.BoolArray[]", "T.Const", "No.Such"),
    ),
    "simulator": Tags(
        tuple(f"TestMachine_{number:03}.TestChangingInt" for number in range(1, 9)),
        ("TestChildObject.TestInt", "TestChildObject.TestString", "TestChildObject.TestIntArray[]"),
        tuple(f"TestChildObject.{name}" for name in ("TestBool", "TestFloat", "TestDouble", "TestDateTime")),
    ),
}

SETTINGS = """
[worker]
backend = "{backend}"
command = {command}
pool_size = 0
startup_timeout_seconds = 60
heartbeat_interval_seconds = 0.5
heartbeat_grace_seconds = 2
heartbeat_stuck_ceiling_seconds = 4
shutdown_timeout_seconds = 2
"""


def worker_command(backend: str) -> list[str]:
    """The program of a worker.

    Raises:
        SystemExit: there is no lab for COM.
    """
    if backend != "com":
        return []
    lab = os.environ.get(LAB)
    if not lab:
        raise SystemExit("COM needs the Wine lab: say make soak, which makes it, or --backend simulator")
    script = ROOT / "tests" / "wine" / "lab" / "worker.sh"
    return [str(script), str(ROOT / "src"), f"{LAB}={lab}", NO_STRING_CACHE, "--"]


class UntidyEndError(RuntimeError):
    """The gateway left a process behind, or did not end in order."""


def killed_for_memory() -> int:
    """Processes that the kernel of this machine has killed for want of memory, ever; 0 where it does not tell."""
    try:
        lines = Path("/proc/vmstat").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def machine() -> dict[str, float]:
    """What the machine has left."""
    return {
        "memoryAvailableMiB": round(psutil.virtual_memory().available / (1 << 20)),
        "diskFreeMiB": round(psutil.disk_usage(tempfile.gettempdir()).free / (1 << 20)),
        "loadAverage": round(psutil.getloadavg()[0], 2),
    }


@contextmanager
def running_gateway(backend: str, log: Path | None = None) -> Iterator[GatewayProcess]:
    """A gateway, gone when the block ends; nothing of it may be left then.

    Args:
        log: takes all of its log.

    Raises:
        UntidyEndError: it left a process behind, or did not end in order.
    """
    with scratch_folder() as folder:
        settings = folder / "soak.toml"
        settings.write_text(SETTINGS.format(backend=backend, command=json.dumps(worker_command(backend))))
        site = Site.prepare(folder, Path("reference"), SCOPES)
        gateway = GatewayProcess(site, flags=("--config", str(settings), "--allow-fault-injection"), log_file=log)
        try:
            yield gateway
        finally:
            workers = gateway.workers()
            code = gateway.stop()
            left = [worker.pid for worker in workers if worker.is_running()]
        if code or left:
            raise UntidyEndError(f"the gateway ended with {code}, and left processes {left}")


class WindowsHandles:
    """Counts handles of Windows processes; answers None where there is no Windows."""

    def __init__(self, backend: str) -> None:
        self._process: subprocess.Popen[str] | None = None
        if backend == "com":
            program = ROOT / "soak" / "windows_handles.py"
            self._process = subprocess.Popen(
                [os.environ["WINE64"], os.environ["WPY64EXE"], "Z:" + str(program).replace("/", "\\")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )

    def of(self, windows_pid: int) -> int | None:
        """Handles of one process.

        Raises:
            RuntimeError: whoever counts them has ended.
        """
        if self._process is None:
            return None
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(f"{windows_pid}\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError("the program that counts handles has ended")
        found: dict[str, int] = json.loads(line)
        return found[str(windows_pid)]

    @property
    def returncode(self) -> int | None:
        """How the program in the prefix ended; None while it runs, or without one."""
        return None if self._process is None else self._process.poll()

    def close(self) -> None:
        if self._process is not None:
            try:
                self._process.communicate()
            except BrokenPipeError:
                self._process.wait()
