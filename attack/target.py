"""The target: a gateway that this program starts for itself, on loopback, with as few open files as are usual."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil
from benches.gateway_process import run_command

FILES = 1024
"""Open files of the gateway, soft and hard limit: what many systems give."""

HONEST, FLOODER, LIMITED, VIEWER = "honest", "flooder", "limited", "viewer"
SCOPES = "session:open,session:close,invoke:read,invoke:write,events:read,metadata:read"
_KEYS: dict[str, tuple[str, ...]] = {
    HONEST: ("--scopes", f"{SCOPES},dashboard:view"),
    FLOODER: ("--scopes", SCOPES),
    LIMITED: ("--scopes", SCOPES, "--read-tag", "TestChildObject.*", "--write-tag", "TestChildObject.*"),
    VIEWER: ("--scopes", "dashboard:view"),
}
_SETTINGS = {
    "MXGATEWAY__LOGGING__LOOP_LAG_INTERVAL_SECONDS": "1",
    "MXGATEWAY__LOGGING__FORMAT": "json",
    "MXGATEWAY__OPERATIONS__LISTEN": "localhost:0",
    "MXGATEWAY__OPERATIONS__LISTEN_PLAINTEXT": "",
}
_LOG = "gateway.log"
_HANDED_OVER = "MXGATEWAY_ATTACK_TARGET"
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where and with which keys; `keys` by name, see HONEST and the others; `pages` is the dashboard's URL."""

    address: str
    ca_file: str
    state_dir: str
    keys: dict[str, str] = field(repr=False)
    pid: int
    pages: str = ""

    def __post_init__(self) -> None:
        if not is_loopback(self.address) or (self.pages and not is_loopback(self.pages.partition("://")[2])):
            raise ValueError(f"{self.address} {self.pages} is not this machine's loopback; floods go nowhere else")

    @classmethod
    def inherited(cls) -> Target:
        """The one that the process before handed over."""
        return cls(**json.loads(os.environ[_HANDED_OVER]))

    def environment(self) -> dict[str, str]:
        """For a process that it is handed over to; not as an argument, which every user of the machine can read."""
        return {**os.environ, _HANDED_OVER: json.dumps(asdict(self))}

    @property
    def host(self) -> str:
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def authority(self) -> bytes:
        """The certificate to trust, as PEM."""
        return Path(self.ca_file).read_bytes()

    def longest_hold(self) -> float | None:
        """The longest standstill of the event loop that the gateway has logged so far, in seconds."""
        found = [
            float(record["max_ms"]) / 1000
            for record in map(_record, (Path(self.state_dir) / _LOG).read_text("utf-8", "replace").splitlines())
            if record.get("event") == "event_loop_lag"
        ]
        return max(found) if found else None

    def writes_in_audit(self) -> int:
        """Writes of the honest key that are on record."""
        text = run_command(
            *("apikey", "audit", "--state-dir", self.state_dir, "--key-id", HONEST, "--event", "write"),
            *("--limit", "100000", "--json"),
        )
        return len(json.loads(text))


def is_loopback(address: str) -> bool:
    """Whether HOST:PORT is on this machine's loopback."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _record(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def running(files: int = FILES) -> Iterator[Target]:
    """A gateway of its own for one flood; it ends with this process whatever happens."""
    with tempfile.TemporaryDirectory(prefix="mxgateway-attack-", ignore_cleanup_errors=True) as folder:
        run_command("galaxy", "build", "--galaxy", "reference", "--output", f"{folder}/galaxy.db")
        keys = {name: _make_key(folder, name, flags) for name, flags in _KEYS.items()}
        command = [
            *(sys.executable, "-m", "mxgateway_server", "serve", "--galaxy", f"{folder}/galaxy.db"),
            *("--listen", "localhost:0", "--state-dir", folder, "--announce", "--stop-on-stdin-close"),
        ]
        if os.name == "posix":
            command = ["/bin/sh", "-c", 'ulimit -n "$0"; exec "$@"', str(files), *command]
        with (
            (Path(folder) / _LOG).open("wb") as log,
            subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **_SETTINGS},
                start_new_session=True,
            ) as process,
        ):
            try:
                assert process.stdout is not None
                with ended_after(process, _START_SECONDS):
                    ready = _record(process.stdout.readline().decode())
                if "endpoints" not in ready:
                    raise RuntimeError(f"the gateway did not start: {(Path(folder) / _LOG).read_text()[-2000:]}")
                tls = next(each for each in ready["endpoints"] if each["tls"])
                pages = next(iter(ready.get("http", ())), "")
                yield Target(tls["address"], tls["caFile"], folder, keys, process.pid, pages)
            finally:
                _end(process)


@contextlib.contextmanager
def ended_after(process: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    """Ends a process that lets wait for longer, so that nobody reads from it for ever."""
    timer = threading.Timer(seconds, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _make_key(folder: str, name: str, flags: tuple[str, ...]) -> str:
    made = run_command(
        *("apikey", "create", "--state-dir", folder, "--key-id", name, "--display-name", name, *flags, "--json")
    )
    return str(json.loads(made)["apiKey"])


def _end(process: subprocess.Popen[bytes]) -> None:
    workers = []
    with contextlib.suppress(psutil.NoSuchProcess):
        workers = psutil.Process(process.pid).children(recursive=True)
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
    for worker in workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()
