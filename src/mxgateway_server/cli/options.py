"""Options that several commands share, and how errors of settings reach the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mxgateway_server.config.settings import Settings
from mxgateway_server.config.sources import load
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import configure

config_option = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Settings file (TOML).", envvar="MXGATEWAY_CONFIG"
)
state_option = click.option(
    "--state-dir", type=click.Path(file_okay=False), help="Directory of keys, certificates and Galaxy files."
)


def load_or_fail(config_file: Path | None, flags: dict[str, Any]) -> Settings:
    """The settings, or a one-line error that names the setting. Warnings go to stderr from here on."""
    try:
        settings = load(config_file, {name: value for name, value in flags.items() if value is not None})
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    configure("warning", settings.logging.format)
    return settings
