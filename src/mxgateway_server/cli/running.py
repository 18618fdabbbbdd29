"""`mxgateway status|reload|drain|log-level`: what can be asked of a gateway that runs, by its own account or root."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mxgateway_server.cli.options import config_option, load_or_fail, state_option
from mxgateway_server.control.client import ask
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import plain

pid_option = click.option("--pid", type=int, default=0, help="Which one, where several share the state directory.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def asked(config_file: Path | None, state_dir: str | None, what: str, **more: Any) -> Any:
    """The answer of the gateway of this state directory, or a one-line error."""
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    try:
        return ask(settings.state_path, what, **more)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error


@click.command()
@config_option
@state_option
@pid_option
@json_option
def status(config_file: Path | None, state_dir: str | None, pid: int, as_json: bool) -> None:
    """Show how the running gateway is doing: health, sessions, workers, traffic, Galaxy, audit, certificate.

    Exit code 0 when it is ready or degraded, 1 when it is not.
    """
    found = asked(config_file, state_dir, "status", pid=pid)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for line in _lines(found):
            click.echo(plain(line))
    if found["health"]["readiness"] == "not_ready":
        raise click.exceptions.Exit(1)


@click.command()
@config_option
@state_option
@pid_option
@json_option
def reload(config_file: Path | None, state_dir: str | None, pid: int, as_json: bool) -> None:
    """Let the running gateway read its settings again: all of them, or none when one is wrong.

    Says which have changed, and which need a restart to. Certificate files are looked at, too.
    """
    found = asked(config_file, state_dir, "reload", pid=pid)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"changed: {', '.join(found['changed']) or 'nothing'}")
    if found["needsRestart"]:
        click.echo(f"needs a restart: {', '.join(found['needsRestart'])}")


@click.command()
@config_option
@state_option
@pid_option
@click.option(
    "--seconds",
    type=click.FloatRange(0, 7 * 86_400),
    default=600.0,
    show_default=True,
    help="How long open sessions may go on; then the gateway stops, and clients are told to come back.",
)
def drain(config_file: Path | None, state_dir: str | None, pid: int, seconds: float) -> None:
    """Stop the running gateway without haste: no session opens any more, open ones go on for a while.

    Load balancers are told at once. The gateway stops when the last session is over, or after --seconds.
    """
    found = asked(config_file, state_dir, "drain", pid=pid, seconds=seconds)
    click.echo(f"draining: {found['sessions']} sessions are open; it stops after {seconds:g} s at the latest")


@click.command("log-level")
@config_option
@state_option
@pid_option
@click.argument("level", type=click.Choice(["debug", "info", "warning", "error"]))
@click.option(
    "--seconds",
    type=click.FloatRange(1, 86_400),
    default=900.0,
    show_default=True,
    help="After these it is again what the settings say.",
)
def log_level(config_file: Path | None, state_dir: str | None, pid: int, level: str, seconds: float) -> None:
    """Let the running gateway log more, or less, for a while."""
    found = asked(config_file, state_dir, "log-level", pid=pid, level=level, seconds=seconds)
    click.echo(f"{found['before']} → {found['level']}, for {seconds:g} s")


def _lines(found: dict[str, Any]) -> list[str]:
    health, workers, totals, traffic = found["health"], found["workers"], found["sessionTotals"], found["traffic"]
    galaxy, audit, certificate = found["galaxy"], found["audit"], found["certificate"]
    taken = sum(not each["isApart"] for each in found["sessions"])
    lines = [
        f"health       {health['readiness']}",
        *(
            f"             {check['name']}: {check['reason']}; {check['remedy']}"
            for check in health["checks"]
            if not check["isOk"]
        ),
        f"up           {_duration(found['uptimeSeconds'])}{_program(found['program'])}",
        f"sessions     {taken} open of {found['maxSessions']}; {totals['opened']} opened, "
        f"{totals['faulted']} faulted, {totals['killed']} ended by force",
        f"workers      {workers['alive']} running, {workers['pooled']} of {workers['poolSize']} ready, "
        f"{workers['failed']} starts failed",
        f"commands     {traffic['commandsStarted']} sent, {traffic['commandsFailed']} failed",
        f"events       {traffic['eventsReceived']} received, {traffic['eventsDelivered']} delivered, "
        f"{traffic['droppedByWorker'] + traffic['droppedByStream'] + traffic['droppedUnread']} dropped",
        f"Galaxy       {galaxy['status']}: {galaxy['objects']} objects, {galaxy['attributes']} attributes"
        + (f"; {galaxy['reason']}" if galaxy["reason"] else ""),
        f"audit        {audit['waiting']} waiting, {audit['lost']} lost",
    ]
    if certificate is not None:
        lines.append(f"certificate  until {certificate['notAfter'][:10]}")
    for session in found["sessions"]:
        name = f" ({session['name']})" if session["name"] else ""
        lines.append(
            f"  {session['sessionId']}{name}: {session['state']}, key {session['ownerKeyId']}, "
            f"{session['items']} items, {session['commandsStarted']} commands, {session['eventsReceived']} events, "
            f"{session['eventsDropped']} dropped, {_duration(session['ageSeconds'])}"
        )
    return lines


def _program(found: dict[str, Any]) -> str:
    if not found["upgrades"]:
        return f" with version {found['version']}"
    whole = _duration((found["sinceNs"] - found["processSinceNs"]) / 1e9)
    return (
        f" with version {found['version']}, which took over from {found['cameFrom'] or 'another'} after {whole} "
        f"(upgrade {found['upgrades']} of this process; sessions kept: {found['keptSessions']})"
    )


def _duration(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {rest // 60} min" if hours else f"{rest // 60} min {rest % 60} s"
