"""The console script `mxgateway`."""

from __future__ import annotations

import importlib

import click

from mxgateway_server import __version__

_COMMANDS = {
    "serve": ("mxgateway_server.commands.serve", "serve"),
    "apikey": ("mxgateway_server.commands.apikey", "apikey"),
    "check-config": ("mxgateway_server.commands.check_config", "check_config"),
    "galaxy": ("mxgateway_server.commands.galaxy", "galaxy"),
}


class _LazyGroup(click.Group):
    """Imports a command's module only when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        command = getattr(importlib.import_module(place[0]), place[1])
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mxgateway")
def main() -> None:
    """The MXAccess gateway: AVEVA System Platform tags over gRPC."""
