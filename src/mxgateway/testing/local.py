"""A gateway of one's own on this machine, run as a subprocess."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from mxgateway.client import GatewayClient
from mxgateway.galaxy import GalaxyRepositoryClient
from mxgateway.opening import Opening
from mxgateway.options import ClientOptions, ClientSettings
from mxgateway.testing.plant import LocalPlant
from mxgateway_contract.commands import Scope
from mxgateway_contract.redaction import redact

ALL_SCOPES = tuple(map(str, Scope))
"""Every scope that a key can have."""

_GATEWAY = (sys.executable, "-P", "-m", "mxgateway_server")
_LOG = "gateway.log"
# Several commands in one process: to load the gateway's code takes longer than most of them.
_COMMANDS = """
import json, sys
from mxgateway_server.cli.main import main

for command in json.loads(sys.argv[1]):
    try:
        main(command, prog_name="mxgateway")
    except SystemExit as end:
        if end.code:
            raise
"""
# Without TLS: no browser trusts a certificate that was made a moment ago, and nobody else reaches the loopback.
_DASHBOARD = {"MXGATEWAY__OPERATIONS__LISTEN": "", "MXGATEWAY__OPERATIONS__LISTEN_PLAINTEXT": "localhost:0"}


class LocalGatewayError(RuntimeError):
    """The local gateway could not be set up or started; the text ends with what it logged last."""


class LocalGateway:
    """A running gateway with the simulator. Made by `LocalGateway.run`.

    Attributes:
        endpoint: `localhost:PORT`, TLS.
        ca_file: certificate to trust.
        api_key: a key with the scopes asked for.
        state_dir: the gateway's state directory.
        galaxy_file: the Galaxy database that it serves.
        plant: the plant behind it, to be changed from a test.
        dashboard_url: where its dashboard is found in a browser; empty without one.
        pid: process id of the gateway.
        exit_code: how the gateway ended; None while it runs. 0 is an orderly end.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        *,
        endpoint: str,
        ca_file: Path,
        api_key: str,
        state_dir: Path,
        galaxy_file: Path,
        dashboard_url: str = "",
    ) -> None:
        self._process = process
        self.dashboard_url = dashboard_url
        self.endpoint = endpoint
        self.ca_file = ca_file
        self.api_key = api_key
        self.state_dir = state_dir
        self.galaxy_file = galaxy_file
        self.pid = process.pid
        self.plant = LocalPlant(galaxy_file)

    def __repr__(self) -> str:
        return f"<LocalGateway {self.endpoint} pid {self.pid}>"

    @classmethod
    @contextlib.asynccontextmanager
    async def run(
        cls,
        galaxy: str | os.PathLike[str] = "reference",
        *,
        alarms: str = "",
        scopes: Iterable[str] = ALL_SCOPES,
        arguments: Iterable[str] = (),
        environment: Mapping[str, str] | None = None,
        start_timeout: float = 60.0,
        stop_timeout: float = 20.0,
        progress: Callable[[str], None] = lambda _: None,
        dashboard: bool = False,
    ) -> AsyncIterator[LocalGateway]:
        """Builds a Galaxy, makes a key and a certificate, runs the gateway, and removes all of it at the end.

        The gateway's life hangs on this process: should it die, the gateway ends as well.

        Args:
            galaxy: name of a shipped Galaxy, path of a description (.yaml), or path of a built one (.db).
            alarms: area whose alarms, and those of the areas in it, the gateway keeps; empty for a gateway without.
            scopes: scopes of the key.
            arguments: further arguments of `mxgateway serve`, for example `["--allow-fault-injection"]`.
            environment: further environment variables of the gateway.
            start_timeout: seconds that each step of the start may take.
            stop_timeout: seconds for an orderly stop; then the process is killed.
            progress: called with a line of text before each step.
            dashboard: offer the dashboard on a free port, without TLS, to this machine's browsers; a key with a role in
                it needs one of the scopes dashboard:view, dashboard:operate and admin.

        Raises:
            LocalGatewayError: a step failed.
        """
        async with contextlib.AsyncExitStack() as stack:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="mxgateway-", ignore_cleanup_errors=True))
            state = Path(scratch)
            watched = {"MXGATEWAY__ALARMS__ENABLED": "true", "MXGATEWAY__ALARMS__DEFAULT_AREA": alarms}
            settings = {**(watched if alarms else {}), **(_DASHBOARD if dashboard else {}), **(environment or {})}
            steps = _Steps(state, {**os.environ, **settings}, start_timeout)
            galaxy_file = Path(galaxy)
            key = ("apikey", "create", "--state-dir", scratch, "--key-id", "local", "--display-name", "local client")
            commands: list[tuple[str, ...]] = [(*key, "--scopes", ",".join(scopes), "--json")]
            if galaxy_file.suffix == ".db":
                progress("making an API key")
            else:
                galaxy_file = state / "galaxy.db"
                progress(f"building the Galaxy '{galaxy}', and making an API key")
                build = ("galaxy", "build", "--galaxy", str(galaxy), "--output", str(galaxy_file), "--json")
                commands.insert(0, build)
            *_, made = await steps.run(commands)
            progress("starting the gateway")
            process, ready = await stack.enter_async_context(
                steps.serve(
                    *("--galaxy", str(galaxy_file), *(() if dashboard else ("--no-operations",)), *arguments),
                    stop_timeout=stop_timeout,
                )
            )
            tls = next(each for each in ready["endpoints"] if each["tls"])
            gateway = cls(
                process,
                endpoint=tls["address"],
                ca_file=Path(tls["caFile"]),
                api_key=made["apiKey"],
                state_dir=state,
                galaxy_file=galaxy_file,
                dashboard_url=next(iter(ready.get("http", ())), ""),
            )
            stack.callback(gateway.plant.close)
            yield gateway

    def reset(self) -> None:
        """Puts the plant back as it was built: `gateway.plant.reset()`. Call it between tests that write."""
        self.plant.reset()

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode

    @property
    def log(self) -> str:
        """What the gateway has logged so far."""
        return _tail(self.state_dir / _LOG, 1_000_000)

    def options(self, **settings: Unpack[ClientSettings]) -> ClientOptions:
        """Options of a client of this gateway; `settings` replaces single fields."""
        defaults: ClientSettings = {"endpoint": self.endpoint, "api_key": self.api_key, "ca_file": self.ca_file}
        defaults.update(settings)
        return ClientOptions(**defaults)

    def connect(self, **settings: Unpack[ClientSettings]) -> Opening[GatewayClient]:
        """A client of this gateway: `async with gateway.connect() as client:`."""
        return GatewayClient.connect(self.options(**settings))

    def connect_galaxy(self, **settings: Unpack[ClientSettings]) -> Opening[GalaxyRepositoryClient]:
        """A Galaxy client of this gateway."""
        return GalaxyRepositoryClient.connect(self.options(**settings))

    async def stop(self, timeout: float = 20.0) -> int:
        """Stops the gateway in order and returns its exit code. Idempotent; leaving `run` does it too."""
        return await _stop(self._process, timeout)


class _Steps:
    """Runs the gateway's own commands, one after the other."""

    def __init__(self, state: Path, environment: dict[str, str], timeout: float) -> None:
        self._state = state
        self._environment = environment
        self._timeout = timeout

    async def run(self, commands: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
        """Runs commands to their end, and returns the JSON object that each of them printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-c", _COMMANDS, json.dumps(commands)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
        )
        names = [f"mxgateway {' '.join(command[:2])}" for command in commands]
        try:
            async with asyncio.timeout(self._timeout):
                out, err = await process.communicate()
        except TimeoutError:
            raise LocalGatewayError(f"{' and '.join(names)} did not end within {self._timeout:g} s") from None
        finally:
            await _kill(process)
        lines = out.splitlines()
        if process.returncode != 0:
            # Each that was done has left a line.
            what = names[min(len(lines), len(names) - 1)]
            text = redact(err.decode(errors="replace")).strip()
            raise LocalGatewayError(f"{what} failed with exit code {process.returncode}: {text[-2000:]}")
        if len(lines) != len(names):
            raise LocalGatewayError(f"{' and '.join(names)} printed {len(lines)} lines, not one each")
        return [_json_object(line, name) for line, name in zip(lines, names, strict=True)]

    @contextlib.asynccontextmanager
    async def serve(
        self, *arguments: str, stop_timeout: float
    ) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
        """Runs `mxgateway serve` and yields once it listens."""
        log = self._state / _LOG
        with log.open("wb") as sink:
            process = await asyncio.create_subprocess_exec(
                *_GATEWAY,
                "serve",
                *("--listen", "localhost:0", "--state-dir", str(self._state), "--announce", "--stop-on-stdin-close"),
                *arguments,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                env=self._environment,
                # Ctrl-C in a terminal reaches every process of its group; the gateway has to outlive its client's end.
                start_new_session=True,
            )
        try:
            yield process, await self._ready(process, log)
        finally:
            await _stop(process, stop_timeout)

    async def _ready(self, process: asyncio.subprocess.Process, log: Path) -> dict[str, Any]:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(self._timeout):
                line = await process.stdout.readline()
        except TimeoutError:
            raise LocalGatewayError(f"the gateway was not ready within {self._timeout:g} s\n{_tail(log)}") from None
        if not line:
            raise LocalGatewayError(f"the gateway ended with code {await process.wait()}\n{_tail(log)}")
        return _json_object(line, "mxgateway serve")


async def _stop(process: asyncio.subprocess.Process, timeout: float) -> int:
    if process.returncode is None:
        assert process.stdin is not None
        process.stdin.close()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await process.wait()
        finally:
            await _kill(process)
    return process.returncode if process.returncode is not None else -1


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _json_object(text: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        raise LocalGatewayError(f"{what} printed no JSON: {redact(text[:300].decode(errors='replace'))}") from None
    if not isinstance(value, dict):
        raise LocalGatewayError(f"{what} printed no JSON object")
    return value


def _tail(path: Path, limit: int = 4000) -> str:
    return redact(path.read_bytes()[-limit:].decode(errors="replace"))
