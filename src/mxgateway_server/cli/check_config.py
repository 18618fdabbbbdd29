"""`mxgateway check-config`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mxgateway_contract.redaction import redact
from mxgateway_server.cli.options import config_option, load_or_fail, state_option


@click.command()
@config_option
@state_option
@click.option("--json", "as_json", is_flag=True, help="Print the resulting settings as JSON.")
def check_config(config_file: Path | None, state_dir: str | None, as_json: bool) -> None:
    """Check the settings from file and environment without starting anything."""
    settings = load_or_fail(config_file, {"state_dir": state_dir})
    if as_json:
        click.echo(redact(json.dumps(settings.model_dump(mode="json"), indent=2)))
    else:
        click.echo("The settings are right.")
