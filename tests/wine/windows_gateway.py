"""The gateway as a Windows process: a 64-bit Python under Wine, with 32-bit workers in the same prefix."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import uuid
from collections import deque
from pathlib import Path
from typing import Any

import psutil
from tests.support.waiting import wait_until
from tests.wine.conftest import ROOT, winpath

from mxgateway import ClientOptions

MARK = "MXGW_TEST_GATEWAY"
"""A variable that all processes of one gateway inherit, so that a test finds its own and nobody else's."""


def linux_path(path: str) -> Path:
    """A path of Windows on the drive Z:, which is this machine's root."""
    assert path.startswith("Z:"), path
    return Path(path[2:].replace("\\", "/"))


def settings(table: Path, **more: str) -> str:
    """A settings file as `mxgateway worker provision` has one write it; `more` are further lines of [worker]."""
    lines = [
        "[worker]",
        'backend = "com"',
        f"com_python = '{winpath(Path(os.environ['WPYEXE']))}'",
        f"com_packages = '{winpath(ROOT / 'src')}'",
        f"environment = {{ LMXSIM_TABLE = '{winpath(table)}' }}",
        "pool_size = 1",
        "startup_timeout_seconds = 60",
        "heartbeat_interval_seconds = 0.5",
        "heartbeat_grace_seconds = 3",
        "heartbeat_stuck_ceiling_seconds = 8",
        "shutdown_timeout_seconds = 2",
    ]
    return "\n".join([*lines, *(f"{name} = {value}" for name, value in more.items())]) + "\n"


class WindowsGateway:
    """`mxgateway serve` on Windows, with a state directory and a key that Windows' own commands made."""

    def __init__(self, folder: Path, galaxy: Path, table: Path) -> None:
        self.state = folder / "state"
        self._mark = uuid.uuid4().hex
        self._galaxy = galaxy
        self._config = folder / "gateway.toml"
        self._config.write_text(settings(table), encoding="utf-8")
        self.key: str = self.json(
            *("apikey", "create", "--state-dir", winpath(self.state), "--key-id", "wine", "--scopes", "all", "--json")
        )["apiKey"]
        self.process: subprocess.Popen[bytes] | None = None
        self.log: deque[str] = deque(maxlen=400)
        self.options = ClientOptions(endpoint="localhost:1", api_key=self.key)

    def _command(self, *arguments: str) -> list[str]:
        return [os.environ["WINE64"], os.environ["WPY64EXE"], *arguments]

    @property
    def _environment(self) -> dict[str, str]:
        paths = {"PYTHONPATH": winpath(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
        return {**os.environ, **paths, MARK: self._mark}

    def python(self, *arguments: str) -> str:
        """Runs a program of the 64-bit Python to its end; its output."""
        done = subprocess.run(
            self._command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self._environment,
            timeout=120,
        )
        output = done.stdout.decode(errors="replace")
        assert done.returncode == 0, output + done.stderr.decode(errors="replace")
        return output

    def json(self, *arguments: str) -> dict[str, Any]:
        """What a command of `mxgateway` prints."""
        told: dict[str, Any] = json.loads(self.python("-m", "mxgateway_server", *arguments))
        return told

    def settings_arguments(self, state: Path | None = None) -> list[str]:
        """Which settings and state directory a command of `mxgateway` is to use."""
        return ["--config", winpath(self._config), "--state-dir", winpath(state or self.state)]

    def serve_arguments(self, state: Path | None = None) -> list[str]:
        """The arguments of `mxgateway`."""
        return [
            "serve",
            *self.settings_arguments(state),
            *("--galaxy", winpath(self._galaxy), "--listen", "localhost:0", "--allow-fault-injection"),
            *("--announce", "--stop-on-stdin-close"),
        ]

    def start(self) -> None:
        """Starts it and waits until it listens."""
        self.process = subprocess.Popen(
            self._command("-m", "mxgateway_server", *self.serve_arguments()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
        )
        threading.Thread(target=self._read_log, args=(self.process,), daemon=True, name="pytest_timeout log").start()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "\n".join(self.log)
        (endpoint,) = json.loads(line)["endpoints"]
        self.options = ClientOptions(
            endpoint=endpoint["address"], api_key=self.key, ca_file=linux_path(endpoint["caFile"])
        )

    def _read_log(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.log.append(line.decode(errors="replace").rstrip())

    def stop(self) -> int:
        """The end of its input ends it in order; the exit code."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        """Waits for its end, then for that of whatever it started."""
        assert self.process is not None
        code = self.process.wait(60)
        wait_until(lambda: not self.processes(), 20, lambda: f"left behind: {self.processes()}")
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        return code

    def processes(self) -> dict[int, str]:
        """All processes of this gateway, itself included, as this machine numbers them."""
        found = {}
        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == self._mark:
                    found[process.pid] = " ".join(process.cmdline())
            except psutil.Error:
                continue
        return found

    def workers(self) -> set[int]:
        """Its worker processes."""
        return {pid for pid, line in self.processes().items() if "mxgateway_worker" in line}
