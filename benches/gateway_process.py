"""A real gateway in a process of its own, over the galaxy of the benches or another one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import psutil

from mxgateway import GatewayClient

GALAXY = Path(__file__).with_name("bench-galaxy.yaml")
SCOPES = "session:open,session:close,invoke:read,invoke:write,events:read,metadata:read"


class GatewayFailedError(RuntimeError):
    """A command of the gateway, or its start, failed; the text holds its last lines."""


def run_command(*arguments: str) -> str:
    """One command of `mxgateway`; returns what it printed.

    Raises:
        GatewayFailedError
    """
    done = subprocess.run([sys.executable, "-m", "mxgateway_server", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise GatewayFailedError(f"mxgateway {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Site:
    """What a gateway needs before it starts: a state directory with a key, and a Galaxy database."""

    folder: Path
    state_dir: Path
    galaxy: Path
    api_key: str

    @classmethod
    def prepare(
        cls, folder: Path, description: Path = GALAXY, scopes: str = SCOPES, *, objects: int | None = None
    ) -> Site:
        """Builds the Galaxy, filled up to so many objects, and makes the key."""
        galaxy, state = folder / "galaxy.db", folder / "state"
        filled = () if objects is None else ("--objects", str(objects))
        run_command("galaxy", "build", "--galaxy", str(description), "--output", str(galaxy), *filled)
        created = run_command(
            *("apikey", "create", "--state-dir", str(state), "--key-id", "bench", "--display-name", "bench"),
            *("--scopes", scopes, "--json"),
        )
        return cls(folder, state, galaxy, json.loads(created)["apiKey"])


class GatewayProcess:
    """A running gateway. Without TLS, as the floors have none either.

    Attributes:
        address: where it listens, host:port.
        urls: where it is found over HTTP.
        last_lines: the end of its log.
    """

    def __init__(
        self,
        site: Site,
        settings: Mapping[str, str] | None = None,
        flags: tuple[str, ...] = (),
        log_lines: int = 200,
        environment: Mapping[str, str] | None = None,
        log_file: Path | None = None,
        module: str = "mxgateway_server",
    ) -> None:
        """Starts it and waits until it listens.

        Args:
            settings: dotted name of a setting → value, for example `worker.pool_size`.
            environment: variables on top of this process's own.
            log_file: takes all of its log, line by line.
            module: what is run, as `python -m` has it.

        Raises:
            GatewayFailedError: it did not come up.
        """
        self.site = site
        variables = {f"MXGATEWAY__{name.replace('.', '__').upper()}": value for name, value in (settings or {}).items()}
        self.last_lines: deque[str] = deque(maxlen=log_lines)
        self._log_file = log_file
        self._popen = subprocess.Popen(
            [
                *(sys.executable, "-m", module, "serve", "--announce", "--stop-on-stdin-close"),
                *("--no-tls", "--listen-plaintext", "127.0.0.1:0", "--state-dir", str(site.state_dir)),
                *("--galaxy", str(site.galaxy), *flags),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | variables | dict(environment or {}),
        )
        self._reader = Thread(target=self._read_log, name="gateway-log", daemon=True)
        self._reader.start()
        assert self._popen.stdout
        line = self._popen.stdout.readline()
        if not line:
            code = self._popen.wait(30)
            self._release()
            raise GatewayFailedError(f"the gateway ended with {code}: {' | '.join(list(self.last_lines)[-5:])}")
        ready = json.loads(line)
        (self.address,) = (e["address"] for e in ready["endpoints"] if not e["tls"])
        # Left out where another gateway has the port already.
        self.urls: list[str] = ready.get("http", [])
        self.process = psutil.Process(self._popen.pid)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._popen.poll()

    def workers(self) -> list[psutil.Process]:
        """Its child processes, those of the pool included."""
        try:
            return self.process.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    async def client(self) -> GatewayClient:
        return await GatewayClient.connect(endpoint=self.address, api_key=self.site.api_key, plaintext=True)

    def stop(self, timeout: float = 30.0) -> int:
        """Ends it in order by closing its input; returns its exit code. Idempotent.

        Raises:
            subprocess.TimeoutExpired: it did not end; it has been killed.
        """
        self.close_input()
        return self.wait(timeout)

    def close_input(self) -> None:
        """Asks it to end. Idempotent."""
        if self._popen.stdin and not self._popen.stdin.closed:
            self._popen.stdin.close()

    def wait(self, timeout: float = 30.0) -> int:
        """Waits for its end; returns its exit code.

        Raises:
            subprocess.TimeoutExpired: it did not end; it has been killed.
        """
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
            raise
        finally:
            self._release()

    def _release(self) -> None:
        self._reader.join(5)
        for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if pipe and not pipe.closed:
                pipe.close()

    def _read_log(self) -> None:
        assert self._popen.stderr
        with open(self._log_file or os.devnull, "a", encoding="utf-8") as kept:
            for line in self._popen.stderr:
                self.last_lines.append(line.rstrip())
                kept.write(line)
                kept.flush()


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that is gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="mxgateway-bench-") as scratch:
        yield Path(scratch)


@contextmanager
def gateway(settings: Mapping[str, str] | None = None) -> Iterator[GatewayProcess]:
    """A gateway over the galaxy of the benches, gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="mxgateway-bench-") as scratch:
        running = GatewayProcess(Site.prepare(Path(scratch)), settings)
        try:
            yield running
        finally:
            running.stop()
