"""`mxgateway upgrade`: the gateway that runs becomes the program that is installed, and keeps its sessions."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from mxgateway_server.cli.options import config_option, load_or_fail, state_option
from mxgateway_server.cli.running import json_option, pid_option
from mxgateway_server.control.client import NoGatewayError, ask
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import plain

_LOOK_SECONDS = 0.1
_PATIENCE = 5.0


@click.command()
@config_option
@state_option
@pid_option
@json_option
@click.option("--dry-run", is_flag=True, help="Only ask the installed program whether it could take over.")
@click.option(
    "--timeout",
    type=click.FloatRange(1, 3600),
    default=120.0,
    show_default=True,
    help="Seconds until the new program has to answer.",
)
def upgrade(
    config_file: Path | None, state_dir: str | None, pid: int, as_json: bool, dry_run: bool, timeout: float
) -> None:
    """Replace the program of the running gateway by the one that is installed; sessions and workers stay.

    To be called after the new version was installed over the old one. The new program is asked first whether it can
    take over: its settings, the key store, and what both must have in common. On any doubt nothing is done, and the
    reason is told. For about two seconds the gateway cannot be reached; clients come back to their sessions by
    themselves. On Linux only; elsewhere use `mxgateway drain`, and start it again.
    """
    if sys.platform == "win32":
        raise click.ClickException("on Windows a gateway cannot replace itself; drain it, stop it, and start it again")
    state = load_or_fail(config_file, {"state_dir": state_dir}).state_path
    try:
        before = ask(state, "status", pid=pid)
        found = _asked(state, pid, dry_run)
        if not dry_run:
            found = _awaited(state, pid, before["program"], timeout)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif dry_run:
        click.echo(
            plain(f"{found['from']} → {found['to']}: it can take over; sessions that would stay: {found['sessions']}")
        )
    else:
        lost = f", lost: {found['lostSessions']}" if found["lostSessions"] else ""
        click.echo(plain(f"{found['cameFrom']} → {found['version']}: sessions kept: {found['keptSessions']}{lost}"))
    if not dry_run and found["lostSessions"]:
        raise click.exceptions.Exit(1)


def _asked(state: Path, pid: int, dry_run: bool) -> Any:
    """The answer to a dry run; a gateway that becomes another program gives none."""
    try:
        return ask(state, "upgrade", pid=pid, dry_run=dry_run)
    except NoGatewayError:
        if dry_run:
            raise
        return None


def _awaited(state: Path, pid: int, before: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What the new program says of itself.

    Raises:
        ConfigurationError: it does not come.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found: dict[str, Any] = ask(state, "status", pid=pid, patience=_PATIENCE)["program"]
        except NoGatewayError:
            time.sleep(_LOOK_SECONDS)
            continue
        if found["sinceNs"] == before["sinceNs"]:
            raise ConfigurationError("the gateway has not replaced its program; its log says why")
        return found
    raise ConfigurationError(
        f"the new program does not answer after {seconds:g} s; look at the gateway's log, and start it again"
    )
