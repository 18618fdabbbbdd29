"""`mxgateway doctor`: what this machine lacks to serve a plant, and the remedy."""

from __future__ import annotations

import json
import sys
from itertools import chain
from pathlib import Path

import click

from mxgateway_server import __version__
from mxgateway_server.cli.options import config_option, load_or_fail, state_option

_MARKS = {"OK": "ok     ", "NOTE": "note   ", "SKIPPED": "-      ", "WARNING": "warning", "ERROR": "ERROR  "}


@click.command()
@config_option
@state_option
@click.option("--probe-tag", default="", metavar="TAG", help="Also read this tag once, over MXAccess.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(config_file: Path | None, state_dir: str | None, probe_tag: str, as_json: bool) -> None:
    """Look at what a gateway and MXAccess need on this machine: each line what, found, remedy.

    Reads only; with --probe-tag it advises that tag once. Exit code 0 when all is well, 1 with a warning, 2 with an
    error.
    """
    from mxgateway_server.cli.surroundings import ConfiguredSurroundings
    from mxgateway_server.node.doctor import examine
    from mxgateway_server.node.facts import Listening, Wanted
    from mxgateway_server.node.findings import Finding, exit_code
    from mxgateway_server.node.surroundings import examine_surroundings
    from mxgateway_server.node.windows import ThisMachine

    settings = load_or_fail(config_file, {"state_dir": state_dir})
    wanted = Wanted(
        com_python=settings.worker.com_python,
        com_packages=settings.worker.com_packages,
        worker_version=__version__,
        state_directory=str(settings.state_path),
        probe_tag=probe_tag,
        variables=dict(settings.worker.environment),
        addresses=tuple(Listening(*one) for one in settings.addresses()),
    )
    around = ConfiguredSurroundings(settings)
    findings: list[Finding] = []
    for finding in chain(examine(ThisMachine(), wanted), examine_surroundings(around, wanted)):
        findings.append(finding)
        if not as_json:
            click.echo(f"{_MARKS[finding.level.name]} {finding.check}: {finding.found}")
            if finding.remedy:
                click.echo(f"        remedy: {finding.remedy}")
    code = exit_code(findings)
    if as_json:
        lines = [
            {"check": one.check, "found": one.found, "level": one.level.name.lower(), "remedy": one.remedy}
            for one in findings
        ]
        click.echo(json.dumps({"exitCode": code, "findings": lines}, indent=2, sort_keys=True))
    sys.exit(code)
