"""`mxgateway backup|restore`: the state directory as one file, and back."""

from __future__ import annotations

import time
from pathlib import Path

import click

from mxgateway_server import __version__
from mxgateway_server.cli.options import config_option, load_or_fail, state_option
from mxgateway_server.errors import ConfigurationError


@click.command()
@config_option
@state_option
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="New file to write.  [default: mxgateway-DATE.tar.gz here]",
)
def backup(config_file: Path | None, state_dir: str | None, output: Path | None) -> None:
    """Save the state directory: keys, pepper, audit, certificates, the Galaxy's snapshot.

    The gateway may run meanwhile: databases are copied as of one moment. The file holds secrets: whoever has it can let
    himself in. A key store on a database server (authentication.database) is not in it.
    """
    from mxgateway_server.node.archive import back_up

    settings = load_or_fail(config_file, {"state_dir": state_dir})
    target = output or Path(f"mxgateway-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz")
    try:
        done = back_up(settings.state_path, target, __version__)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{target}: {done.files} files, {done.size / 1024:,.0f} KiB; keep it as secret as the keys in it")
    if "://" in settings.authentication.database:
        click.echo("The key store is on a database server, and not in it: back that up, too.", err=True)


@click.command()
@config_option
@state_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def restore(config_file: Path | None, state_dir: str | None, file: Path) -> None:
    """Make the state directory from a backup. It must be empty or not there, and no gateway may run on it."""
    from mxgateway_server.node.archive import restore as make

    settings = load_or_fail(config_file, {"state_dir": state_dir})
    try:
        done = make(file, settings.state_path)
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{settings.state_path}: {done.files} files; look at it with mxgateway check-config --deep")
