"""`mxgateway check-config`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mxgateway_contract.redaction import redact
from mxgateway_server.cli.options import config_option, state_option
from mxgateway_server.config.problems import Problem
from mxgateway_server.config.settings import Settings, setting_names
from mxgateway_server.config.shown import shown
from mxgateway_server.config.sources import Values, check, read_sources
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import plain

if TYPE_CHECKING:
    from mxgateway_server.preflight import Preflight
    from mxgateway_server.workers.confinement import Confinement


@click.command()
@config_option
@state_option
@click.option("--galaxy", help="Galaxy that `serve` will be given: a name, a .db file, a URL, a connection string.")
@click.option("--deep", is_flag=True, help="Also open the databases and start a worker, which ends again.")
@click.option("--json", "as_json", is_flag=True, help="Print the settings as JSON, with what was found under `check`.")
def check_config(
    config_file: Path | None, state_dir: str | None, galaxy: str | None, deep: bool, as_json: bool
) -> None:
    """Check the settings from file and environment, and what a start would meet.

    Looks at files, folders, ports and the worker's program as the user who runs it, and changes nothing. Prints one
    line for each mistake, with the place where it was made, and ends with 1 when there are any.
    """
    flags = {"state_dir": state_dir, "galaxy.connection_string": galaxy}
    try:
        values = read_sources(config_file, {name: value for name, value in flags.items() if value is not None})
        settings, problems = check(values)
    except ConfigurationError as error:
        _tell_unreadable(str(error), as_json)
        sys.exit(1)
    report = _look(settings, deep)
    known = {problem.name for problem in problems}
    problems += [
        Problem(finding.name, finding.text, values.place(finding.name.split(".")))
        for finding in report.findings
        if finding.name not in known
    ]
    if as_json:
        click.echo(json.dumps({**shown(settings), "check": _as_data(values, problems, report)}, indent=2))
    else:
        _tell(problems, report, deep)
    if problems:
        sys.exit(1)


def _look(settings: Settings, deep: bool) -> Preflight:
    # Loads the gateway: only once the settings can be read.
    from mxgateway_server.logs import configure
    from mxgateway_server.preflight import look, look_deep

    configure("error")
    return asyncio.run(look_deep(settings)) if deep else look(settings)


def _tell(problems: list[Problem], report: Preflight, deep: bool) -> None:
    for problem in problems:
        click.echo(f"Error: {plain(redact(str(problem)))}", err=True)
    if not problems:
        click.echo("The settings are right.")
    click.echo(f"Looked at: {', '.join(report.looked_at)}.")
    if report.not_looked_at:
        click.echo(f"Not looked at: {', '.join(report.not_looked_at)}.")
    if report.confinement is not None:
        click.echo("What a worker is kept from:")
        for name, meaning, why in report.confinement.table:
            click.echo(f"  {name:16} {'no:  ' + why if why else 'yes: ' + meaning}")
    if not deep:
        click.echo("With --deep the databases are opened, and a worker is started.")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        click.echo("Looked at as root; the gateway's own user may have fewer rights.")


def _tell_unreadable(text: str, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps({"check": {"problems": [{"setting": "", "place": "", "problem": redact(text)}]}}, indent=2)
        )
    else:
        click.echo(f"Error: {plain(redact(text))}", err=True)


def _confined(found: Confinement) -> dict[str, Any]:
    return {
        "sandbox": found.mode,
        "keptFrom": {name: {"inForce": not why, "why": why} for name, _, why in found.table},
    }


def _as_data(values: Values, problems: list[Problem], report: Preflight) -> dict[str, Any]:
    return {
        "problems": [
            {"setting": problem.name, "place": problem.place, "problem": redact(problem.text)} for problem in problems
        ],
        "lookedAt": report.looked_at,
        "notLookedAt": report.not_looked_at,
        **({} if report.confinement is None else {"workers": _confined(report.confinement)}),
        # Defaults are what has no place.
        "places": {name: place for name in setting_names() if (place := values.place(name.split(".")))},
    }
