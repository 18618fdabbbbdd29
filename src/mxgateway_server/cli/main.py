"""The console script `mxgateway`."""

from __future__ import annotations

import importlib
import importlib.util
import io
import os
import sys
from typing import Any

import click

from mxgateway_contract.installing import install_command
from mxgateway_contract.redaction import redact
from mxgateway_server import __version__
from mxgateway_server.upgrade import VARIABLE

_COMMANDS = {
    "access-check": ("mxgateway_server.cli.access_check", "access_check"),
    "backup": ("mxgateway_server.cli.backup", "backup"),
    "diagnostics": ("mxgateway_server.cli.diagnostics", "diagnostics"),
    "drain": ("mxgateway_server.cli.running", "drain"),
    "init": ("mxgateway_server.cli.init", "init"),
    "log-level": ("mxgateway_server.cli.running", "log_level"),
    "reload": ("mxgateway_server.cli.running", "reload"),
    "restore": ("mxgateway_server.cli.backup", "restore"),
    "service": ("mxgateway_server.cli.service", "service"),
    "status": ("mxgateway_server.cli.running", "status"),
    "serve": ("mxgateway_server.cli.serve", "serve"),
    "apikey": ("mxgateway_server.cli.apikey", "apikey"),
    "audit": ("mxgateway_server.cli.audit", "audit"),
    "cert": ("mxgateway_server.cli.cert", "cert"),
    "check-config": ("mxgateway_server.cli.check_config", "check_config"),
    "doctor": ("mxgateway_server.cli.doctor", "doctor"),
    "galaxy": ("mxgateway_server.cli.galaxy", "galaxy"),
    "pepper": ("mxgateway_server.cli.pepper", "pepper"),
    "health": ("mxgateway_server.cli.health", "health"),
    "upgrade": ("mxgateway_server.cli.upgrade", "upgrade"),
    "systemd": ("mxgateway_server.cli.systemd", "systemd"),
    "worker": ("mxgateway_server.cli.worker", "worker"),
}


NEEDED = (
    "aiosqlite",
    "cryptography",
    "grpc_health",
    "grpc_reflection",
    "grpc_status",
    "prometheus_client",
    "pydantic",
    "rich",
    "sqlalchemy",
    "starlette",
    "structlog",
    "uvicorn",
    "yaml",
)
"""Modules of the extra `server`."""


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

    def main(self, *arguments: Any, **options: Any) -> Any:
        if VARIABLE in os.environ:
            # Before anything else is loaded or opened: workers wait, and what nobody takes over has to be closed.
            from mxgateway_server.upgrade.inheritance import hold_inheritance

            hold_inheritance(os.environ)
        for stream in (sys.stdout, sys.stderr):
            # What the code page of a pipe does not have is shown as an escape; done is done.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().main(*arguments, **options)
        except ModuleNotFoundError as error:
            if (error.name or "mxgateway").startswith("mxgateway"):
                raise
            # The base install is the client; the program `mxgateway` is there all the same.
            missing = [name for name in NEEDED if importlib.util.find_spec(name) is None] or [error.name or ""]
            verb = "which are" if len(missing) > 1 else "which is"
            remedy = install_command("server")
            click.echo(f"Error: the gateway needs {', '.join(missing)}, {verb} not installed: {remedy}", err=True)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            # Whatever an error repeats of a setting or an argument: what looks like a secret is none of it.
            text = redact(error.message)
            if text == error.message:
                raise
            if isinstance(error, click.UsageError):
                raise click.UsageError(text, error.ctx) from None
            raise click.ClickException(text) from None


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mxgateway")
def main() -> None:
    """The MXAccess gateway: AVEVA System Platform tags over gRPC."""
