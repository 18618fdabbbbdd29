"""`mxgateway service …`: the gateway as a service of Windows."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from mxgateway_server.cli.options import config_option, load_or_fail, state_option

DEFAULT_NAME = "mxaccess-gateway"
_LOG = "service.log"
_MOST_STOP_SECONDS = 60
_STOPPED = "stopped"

name_option = click.option(
    "--name", default=DEFAULT_NAME, show_default=True, help="Of the service; several gateways need several names."
)


@click.group()
def service() -> None:
    """The gateway as a service of Windows: started with it, ended in order, started again when it fails."""


def _need_windows() -> None:
    if sys.platform != "win32":
        raise click.ClickException(
            "services of this kind are Windows'; elsewhere let systemd run mxgateway serve (docs/how-to/service.md)"
        )


@service.command()
@config_option
@state_option
@name_option
@click.option(
    "--account",
    default="",
    metavar="NAME",
    help="Account that it runs as, one without a password.  [default: NT SERVICE\\NAME, made by Windows for it]",
)
def install(config_file: Path | None, state_dir: str | None, name: str, account: str) -> None:
    """Make the service and give the state directory to its account; needs an administrator.

    The settings are checked first, so that a mistake in them shows here and not at the next start of Windows.
    """
    _need_windows()
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    state = settings.state_path.absolute()
    account = account or f"NT SERVICE\\{name}"
    from mxgateway_server.node import windows_service

    with _told_as_error():
        refused = windows_service.install(name, command_line(name, config_file, state), account)
    click.echo(f"service {name} runs as {account}, state directory {state}, log {state / _LOG}")
    for detail in refused:
        click.echo(f"Windows does not take: {detail}; set it in services.msc", err=True)
    if state.is_dir() and not _given(state, account):
        click.echo(
            f'the state directory is not the account\'s yet: icacls "{state}" /setowner "{account}" /T', err=True
        )
    click.echo(f"start it: mxgateway service start --name {name}", err=True)


def command_line(name: str, config_file: Path | None, state: Path) -> str:
    """What Windows runs as the service; quoted, since a path with blanks could mean another program."""
    config = ["--config", str(config_file.absolute())] if config_file else []
    arguments = ["-P", "-m", "mxgateway_server", "service", "run", "--name", name, "--state-dir", str(state), *config]
    return f'"{sys.executable}" {subprocess.list2cmdline(arguments)}'


def _given(state: Path, account: str) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 — an operator's own words
            ["icacls", str(state), "/setowner", account, "/T", "/C", "/Q"],  # noqa: S607 — Windows' own, on its path
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
    except OSError:
        return False
    return done.returncode == 0


@service.command()
@name_option
def start(name: str) -> None:
    """Start the service; returns at once, `status` tells when the gateway listens."""
    _need_windows()
    from mxgateway_server.node import windows_service

    with _told_as_error():
        if not windows_service.start(name):
            raise click.ClickException(f"there is no service {name}; mxgateway service install makes it")


@service.command()
@name_option
def stop(name: str) -> None:
    """End the gateway in order; returns when it has ended."""
    _need_windows()
    with _told_as_error():
        _stop(name)


@service.command()
@name_option
def remove(name: str) -> None:
    """End the service in order and take it out of Windows; the state directory stays."""
    _need_windows()
    from mxgateway_server.node import windows_service

    with _told_as_error():
        _stop(name)
        if not windows_service.remove(name):
            raise click.ClickException(f"there is no service {name}")
    click.echo(f"service {name} removed")


def _stop(name: str) -> None:
    from mxgateway_server.node import windows_service
    from mxgateway_server.node.service_life import State

    windows_service.ask_to_stop(name)
    for _ in range(_MOST_STOP_SECONDS):
        found = windows_service.status(name)
        if found is None or found.state is State.STOPPED:
            return
        time.sleep(1.0)
    raise click.ClickException(f"service {name} has not ended in {_MOST_STOP_SECONDS} s; look into its log")


@contextlib.contextmanager
def _told_as_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"{error.strerror or error}; run this as an administrator") from error


@service.command()
@name_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(name: str, as_json: bool) -> None:
    """What Windows says of the service. Exit code 0 when it runs, 3 when it does not, 4 when there is none."""
    _need_windows()
    from mxgateway_server.node import windows_service
    from mxgateway_server.node.service_life import State

    with _told_as_error():
        found = windows_service.status(name)
    state = "none" if found is None else found.state.name.lower()
    code = 0 if found is None else found.exit_code
    if as_json:
        click.echo(json.dumps({"exitCode": code, "name": name, "state": state}, indent=2, sort_keys=True))
    else:
        click.echo(f"{name}: {state}" + (f", exit code {code}" if state == _STOPPED and code else ""))
    sys.exit(4 if found is None else 0 if found.state is State.RUNNING else 3)


@service.command(hidden=True)
@config_option
@click.option("--state-dir", type=click.Path(path_type=Path), required=True)
@name_option
def run(config_file: Path | None, state_dir: Path, name: str) -> None:
    """What Windows runs: hosts the gateway, and is no use to anybody else."""
    _need_windows()
    from mxgateway_server.node.service_host import GatewayChild, host
    from mxgateway_server.node.windows_service import dispatch

    config = ["--config", str(config_file)] if config_file else []
    command = [
        *(sys.executable, "-P", "-m", "mxgateway_server", "serve", "--announce", "--stop-on-stdin-close"),
        *("--state-dir", str(state_dir), *config),
    ]
    try:
        dispatch(name, lambda manager, happenings: host(manager, GatewayChild(command, state_dir / _LOG), happenings))
    except OSError as error:
        raise click.ClickException(
            f"{error.strerror or error}; start the service instead: mxgateway service start --name {name}"
        ) from error
