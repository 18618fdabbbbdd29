"""`mxgw-py tui`."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

import click

from mxgateway_cli import tag_lists
from mxgateway_cli.commands.tags import glob_options
from mxgateway_cli.connection import DEFAULT_TIMEOUT, Connection, connected, readable_failures
from mxgateway_cli.failures import CommandFailure
from mxgateway_contract.installing import install_command


@click.command()
@click.argument("names", nargs=-1, metavar="[TAG|GLOB|@LIST]...")
@glob_options
@click.option("--read-only", is_flag=True, help="Refuse every write, whatever the key may do.")
@connected(long_running=True)
def tui(connection: Connection, names: tuple[str, ...], every: bool, limit: int, read_only: bool) -> None:
    """Browses the Galaxy, watches tags and writes to them, full screen in this terminal.

    What is named is watched from the start; more is added from the tree with Enter, and from saved lists. The
    connection is kept up: after a loss everything is subscribed anew. Needs the extra `tui`.

    \b
    Examples:
      mxgw-py tui
      mxgw-py tui --read-only TestMachine_001.TestChangingInt
      mxgw-py tui @levels "Fermenter_*.Level"
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

    bounded = replace(connection, timeout=DEFAULT_TIMEOUT)
    tags = tag_lists.resolve_tags(bounded, names, limit, every=every) if names else []
    list_name = names[0].removeprefix("@") if len(names) == 1 and names[0].startswith("@") else ""
    with readable_failures(connection.options.api_key):
        asyncio.run(run(connection.options, tags, list_name=list_name, read_only=read_only))
