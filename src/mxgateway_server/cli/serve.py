"""`mxgateway serve`."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mxgateway_server.cli.console import on_console_close
from mxgateway_server.cli.options import config_option, load_or_fail, state_option
from mxgateway_server.config.settings import Settings
from mxgateway_server.config.sources import load, read_sources
from mxgateway_server.errors import ConfigurationError, StoreError
from mxgateway_server.node.notify import Notifier
from mxgateway_server.upgrade.handover import Handover
from mxgateway_server.upgrade.inheritance import Inheritance, held_inheritance
from mxgateway_server.upgrade.legacy import Legacy

if sys.platform == "linux":
    from mxgateway_server.upgrade.inheritance import replace_program
    from mxgateway_server.upgrade.signals import let_signals_in, signals_held

if TYPE_CHECKING:
    from mxgateway_server.log_writer import LogWriter
    from mxgateway_server.status import GatewayStatus

START_SECONDS = 60.0
"""How long the next program may take until it listens, as systemd is told."""
LOG_SECONDS = 1.0
"""How long lines of the log may take to be written before the program is replaced."""


@click.command()
@config_option
@state_option
@click.option("--listen", help="TLS endpoint HOST:PORT; port 0 for any free one.  [default: localhost:5001]")
@click.option("--listen-plaintext", help="Endpoint without TLS on this machine, such as localhost:5000.")
@click.option(
    "--allow-remote-plaintext",
    is_flag=True,
    default=None,
    help="Let that endpoint be reached from other machines: keys travel in clear.",
)
@click.option("--no-tls", is_flag=True, help="No TLS endpoint; needs --listen-plaintext.")
@click.option("--operations", help="HTTP for operators, HOST:PORT with TLS.  [default: localhost:5002]")
@click.option("--no-operations", is_flag=True, help="No HTTP, unless --operations says where.")
@click.option("--galaxy", help="Galaxy: a shipped one by name (plant, reference), a .db file, or an SQLAlchemy URL.")
@click.option("--backend", help="Backend of workers.  [default: simulator]")
@click.option("--allow-fault-injection", is_flag=True, default=None, help="Let admins make the backend misbehave.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default=None)
@click.option("--log-format", type=click.Choice(["console", "json"]), default=None)
@click.option("--announce", is_flag=True, help="Print one JSON line on stdout when listening.")
@click.option("--stop-on-stdin-close", is_flag=True, help="Stop in order when standard input ends.")
@click.option("--upgrade-check", is_flag=True, hidden=True, help="Say whether this program could take over, and end.")
def serve(
    config_file: Path | None,
    state_dir: str | None,
    listen: str | None,
    listen_plaintext: str | None,
    allow_remote_plaintext: bool | None,
    no_tls: bool,
    operations: str | None,
    no_operations: bool,
    galaxy: str | None,
    backend: str | None,
    allow_fault_injection: bool | None,
    log_level: str | None,
    log_format: str | None,
    announce: bool,
    stop_on_stdin_close: bool,
    upgrade_check: bool,
) -> None:
    """Run the gateway until SIGINT or SIGTERM; a second signal ends it at once.

    SIGHUP reads the settings again, as `mxgateway reload` does. In a terminal it means that the terminal is gone, and
    ends the gateway. SIGUSR2 replaces the program by the one that is installed, as `mxgateway upgrade` does.
    """
    inherited = held_inheritance()
    flags = _flags(
        {
            "state_dir": state_dir,
            "listen": "" if no_tls else listen,
            **({"listen_client_certificates": ""} if no_tls else {}),
            "listen_plaintext": listen_plaintext,
            "allow_remote_plaintext": allow_remote_plaintext,
            "operations.enabled": False if no_operations and not operations else None,
            "operations.listen": "" if no_tls and not operations else operations,
            "galaxy.connection_string": galaxy,
            "worker.backend": backend,
            "allow_fault_injection": allow_fault_injection,
            "logging.level": log_level,
            "logging.format": log_format,
        }
    )
    if upgrade_check:
        from mxgateway_server.cli.self_check import self_check

        click.echo(self_check(config_file, flags))
        return
    settings = load_or_fail(config_file, flags)
    origins = read_sources(config_file, flags)
    if hasattr(os, "umask"):
        # Whatever this process and its workers make is for their own account: Galaxy, board, snapshot, key store.
        os.umask(os.umask(0o077) | 0o077)
    # gRPC's own C logging would write lines of its own format to stderr.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from mxgateway_server.access.callers import call_facts
    from mxgateway_server.heap import use_few_arenas
    from mxgateway_server.logs import add_context, configure, recent
    from mxgateway_server.open_files import raise_limit
    from mxgateway_server.telemetry.tracing import trace_facts

    raise_limit()
    use_few_arenas()
    writer = _log_writer(settings)
    configure(settings.logging.level, settings.logging.format, writer=writer)
    recent.resize(settings.logging.ring_records)
    add_context(call_facts)
    add_context(trace_facts)
    try:
        with asyncio.Runner(loop_factory=_loop_factory(settings.event_loop)) as runner:
            runner.run(
                _serve(
                    settings,
                    lambda: load(config_file, flags),
                    lambda name: origins.place(name.split(".")),
                    announce,
                    stop_on_stdin_close,
                    inherited,
                    writer.flush_for,
                )
            )
    except* (ConfigurationError, StoreError) as errors:
        raise click.ClickException("; ".join(str(error) for error in errors.exceptions)) from None
    finally:
        # What is logged after this, by whatever is left, goes to stderr as such.
        configure(settings.logging.level, settings.logging.format)
        writer.close()


def _log_writer(settings: Settings) -> LogWriter:
    from mxgateway_server.log_writer import LogWriter
    from mxgateway_server.logs import recent

    logging = settings.logging
    return LogWriter(
        file=Path(logging.file).expanduser() if logging.file else None,
        max_bytes=logging.file_max_bytes,
        count=logging.file_count,
        ring=recent,
    )


def _flags(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


async def _serve(
    settings: Settings,
    read_again: Callable[[], Settings],
    origin: Callable[[str], str],
    announce: bool,
    stop_on_stdin_close: bool,
    inherited: Inheritance | None,
    flush_log: Callable[[float], None],
) -> None:
    from mxgateway_server.app import Gateway
    from mxgateway_server.assembled import Running
    from mxgateway_server.upgrade.upgrading import tell_ignored

    notifier = Notifier(os.environ)
    if inherited is not None:
        # The service is being reloaded for systemd, and its watchdog runs on.
        notifier.replacing(START_SECONDS)
    gateway = Gateway(
        settings, read_again=read_again, origin=origin, handover=_handover(inherited, notifier, flush_log)
    )

    def stop() -> None:
        notifier.stopping()
        gateway.request_stop()

    remove_handlers = _install_signals(stop, gateway.reload, gateway.upgrade)
    if inherited is not None and sys.platform == "linux" and let_signals_in(inherited.signals):
        tell_ignored("it was asked for while another one was under way")
    if stop_on_stdin_close:
        _watch_stdin(stop)

    def on_running(running: Running) -> None:
        # What is there now stays; a collection that walks all of it would stop the loop for tens of milliseconds.
        gc.collect()
        gc.freeze()
        notifier.ready(_words(running.status()))
        if not announce:
            return
        line = {
            "event": "ready",
            "pid": os.getpid(),
            "endpoints": [
                {
                    "address": endpoint.address,
                    "tls": endpoint.is_tls,
                    "caFile": endpoint.ca_file,
                    **({"clientCertificate": True} if endpoint.wants_certificate else {}),
                }
                for endpoint in running.endpoints
            ],
            "galaxy": running.galaxy,
            **({"http": list(running.urls)} if running.urls else {}),
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    try:
        async with asyncio.TaskGroup() as group:
            watchdog = group.create_task(
                notifier.keep_alive(
                    lambda: gateway.is_alive,
                    lambda: _words(gateway.parts.status.take()) if gateway.is_running else "upgrading",
                )
            )
            await gateway.run(on_running)
            watchdog.cancel()
    finally:
        remove_handlers()


def _handover(inherited: Inheritance | None, notifier: Notifier, flush_log: Callable[[float], None]) -> Handover:
    """How this process becomes the program that is installed where it was begun from."""

    def before() -> None:
        notifier.replacing(START_SECONDS)
        flush_log(LOG_SECONDS)

    if sys.platform != "linux" or len(sys.orig_argv) < 2:
        return Handover(inherited=inherited)

    def replace(command: Sequence[str], left: Legacy) -> None:
        replace_program(command, os.environ, left)

    return Handover(
        command=(sys.executable, *sys.orig_argv[1:]),
        inherited=inherited,
        replace=replace,
        before=before,
        failed=notifier.ready,
        holds_signals=signals_held,
    )


def _words(status: GatewayStatus) -> str:
    """The gateway in one line, for `systemctl status`."""
    return f"{status.health.readiness}; {status.open_sessions} of {status.max_sessions} sessions"


def _install_signals(
    stop: Callable[[], None], reload: Callable[[], None], upgrade: Callable[[], None]
) -> Callable[[], None]:
    loop = asyncio.get_running_loop()
    signals: dict[signal.Signals, Callable[[], None]] = {signal.SIGINT: stop, signal.SIGTERM: stop}
    if hasattr(signal, "SIGHUP"):
        # Under nohup, which ignores it, it stays ignored.
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            signals[signal.SIGHUP] = stop if _is_in_a_terminal() else reload
        signals[signal.SIGUSR2] = upgrade
        for number, action in signals.items():
            loop.add_signal_handler(number, action)

        def remove() -> None:
            for number in signals:
                loop.remove_signal_handler(number)

        return remove

    def on_signal(_number: int, _frame: Any) -> None:
        loop.call_soon_threadsafe(stop)

    if hasattr(signal, "SIGBREAK"):
        signals[signal.SIGBREAK] = stop
    before = {number: signal.signal(number, on_signal) for number in signals}

    def on_close() -> None:
        loop.call_soon_threadsafe(stop)

    close_console = on_console_close(on_close)

    def restore() -> None:
        close_console()
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore


def _is_in_a_terminal() -> bool:
    return any(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _watch_stdin(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()

    def watch() -> None:
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        try:
            loop.call_soon_threadsafe(stop)
        except RuntimeError:
            return  # the loop has ended before the input did

    # A blocked read cannot be canceled, so this thread may outlive the loop; it must not keep the process.
    threading.Thread(target=watch, name="stdin-watch", daemon=True).start()


def _loop_factory(wanted: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        if wanted == "uvloop":
            raise click.ClickException("event_loop = uvloop: not on Windows; set event_loop = auto")
        # The Proactor: no other loop there starts processes as workers need them.
        return None
    if wanted == "asyncio":
        return None
    try:
        import uvloop

        return uvloop.new_event_loop
    except ImportError:
        if wanted == "uvloop":
            raise click.ClickException(
                "event_loop = uvloop: it is not installed; install the extra `fast`, or set event_loop = auto"
            ) from None
        return None
