"""`mxgw-py tui`."""

from __future__ import annotations

import asyncio
import sys

import click

from mxgateway_cli.connection import Connection, connected, readable_failures
from mxgateway_cli.failures import CommandFailure
from mxgateway_contract.installing import install_command


@click.command()
@click.argument("tags", nargs=-1, metavar="[TAG]...")
@click.option("--read-only", is_flag=True, help="Refuse every write, whatever the key may do.")
@connected(long_running=True)
def tui(connection: Connection, tags: tuple[str, ...], read_only: bool) -> None:
    """Browses the Galaxy, watches tags and writes to them, full screen in this terminal.

    TAGs are watched from the start; others are added from the tree with Enter. The connection is kept up: after a
    loss everything is subscribed anew. Needs the extra `tui`.

    \b
    Examples:
      mxgw-py tui
      mxgw-py tui --read-only TestMachine_001.TestChangingInt
    """
    if connection.output_json:
        raise click.UsageError("tui has no --json; mxgw-py watch and stream-events have")
    try:
        import textual  # noqa: F401
    except ImportError as error:
        raise CommandFailure(f"mxgw-py tui needs textual: {install_command('tui')}") from error
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("tui needs a terminal; in pipes use mxgw-py watch, read and browse")
    from mxgateway_cli.tui.run import run

    with readable_failures(connection.options.api_key):
        asyncio.run(run(connection.options, tags, read_only=read_only))
