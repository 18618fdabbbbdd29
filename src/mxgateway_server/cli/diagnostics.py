"""`mxgateway diagnostics`: one file that tells somebody else what is wrong, without any secret."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click

from mxgateway_server import __version__
from mxgateway_server.cli.options import config_option, load_or_fail, state_option
from mxgateway_server.config.settings import Settings, setting_names
from mxgateway_server.config.shown import shown
from mxgateway_server.config.sources import load_configuration
from mxgateway_server.errors import ConfigurationError


@click.command()
@config_option
@state_option
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write.  [default: by the date]"
)
@click.option("--offline", is_flag=True, help="Do not ask the running gateway.")
@click.option("--include-names", is_flag=True, help="Leave names of clients, keys and addresses as they are.")
@click.option("--pid", type=int, default=0, help="Which gateway, where several share the state directory.")
def diagnostics(
    config_file: Path | None,
    state_dir: str | None,
    output: Path | None,
    offline: bool,
    include_names: bool,
    pid: int,
) -> None:
    """Write a bundle for whoever helps you: settings, health, sessions, metrics, log, machine, packages.

    Works with a gateway that runs, and without one. Never in it: keys, pepper, private keys, values of tags, tokens, or
    what environment variables hold. What looks like a secret all the same is left out, and MANIFEST.json says so.
    """
    from mxgateway_server.node.bundle import Bundle, packages, system, tail, variables

    settings = load_or_fail(config_file, {"state_dir": state_dir})
    bundle = Bundle()
    bundle.add("about.json", lambda: {"version": __version__, "stateDir": str(settings.state_path)})
    bundle.add("system.json", system)
    bundle.add("packages.txt", packages)
    bundle.add("environment.txt", lambda: variables(os.environ))
    bundle.add("config.json", lambda: _settings(settings, config_file, state_dir))
    bundle.add("check.json", lambda: _check(settings))
    if settings.logging.file:
        bundle.add("log-file.txt", lambda: tail(Path(settings.logging.file).expanduser()))
    if offline:
        bundle.left_out["running gateway"] = "--offline"
    else:
        _ask(bundle, settings, pid, include_names=include_names)
    target = output or Path(f"mxgateway-diagnostics-{time.strftime('%Y%m%d-%H%M%S')}.zip")
    try:
        bundle.write(target)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{target}: {len(bundle.parts)} parts, {target.stat().st_size / 1024:,.0f} KiB")
    for name, reason in bundle.left_out.items():
        click.echo(f"left out: {name}: {reason}", err=True)


def _ask(bundle: Any, settings: Settings, pid: int, *, include_names: bool) -> None:
    from mxgateway_server.control.client import ask
    from mxgateway_server.node.bundle import running_parts

    try:
        found = ask(settings.state_path, "diagnose", pid=pid, patience=30.0)
    except ConfigurationError as error:
        bundle.left_out["running gateway"] = str(error)
        return
    running_parts(bundle, found, include_names=include_names)


def _settings(settings: Settings, config_file: Path | None, state_dir: str | None) -> dict[str, Any]:
    flags = {} if state_dir is None else {"state_dir": state_dir}
    configuration = load_configuration(config_file, flags)
    origins = {name: str(configuration.origin(name)) for name in setting_names()}
    return {"settings": shown(settings), "origins": origins}


def _check(settings: Settings) -> dict[str, Any]:
    from mxgateway_server.preflight import look

    report = look(settings)
    return {
        "findings": [{"setting": each.name, "problem": each.text} for each in report.findings],
        "lookedAt": list(report.looked_at),
    }
