"""`mxgateway worker …`: the Python that COM workers run on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from mxgateway_server.cli.options import config_option, load_or_fail, state_option
from mxgateway_server.errors import ConfigurationError


@click.group()
def worker() -> None:
    """The 32-bit Python that owns MXAccess."""


@worker.command()
@config_option
@state_option
@click.option("--python", default="", metavar="PATH", help="A 32-bit Python of this machine; else one is looked for.")
@click.option(
    "--embeddable",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The embeddable Python for Windows x86, as a zip; needs no installation.",
)
@click.option(
    "--wheels",
    type=click.Path(exists=True, file_okay=False),
    help="Folder with wheels, for a node without a network (protobuf for win32).",
)
@click.option(
    "--target",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to lay it in.  [default: state directory]",
)
def provision(
    config_file: Path | None,
    state_dir: str | None,
    python: str,
    embeddable: Path | None,
    wheels: str | None,
    target: Path | None,
) -> None:
    """Find or take a 32-bit Python, lay the worker's packages beside it, and print the settings.

    Can be done again at any time: after an upgrade of the gateway it brings the worker to the same version.
    """
    from mxgateway_server.node import provision as steps
    from mxgateway_server.node.windows import ThisMachine

    settings = load_or_fail(config_file, {"state_dir": state_dir})
    if python and embeddable:
        raise click.UsageError("give --python or --embeddable, not both")
    machine = ThisMachine()
    place = target or settings.state_path / "worker32"
    click.echo(f"laying the worker's packages in {place} …", err=True)
    try:
        made = steps.provision(
            machine,
            place,
            python=python,
            embeddable=embeddable,
            wheels=wheels or "",
            registered=machine.pythons(),
            pip=_pip,
        )
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(
            f"{place}: {error.strerror or error}; choose another folder with --target"
        ) from error
    click.echo(
        f"Python {made.version} (32-bit) runs the worker. Put this into the settings, then: mxgateway doctor", err=True
    )
    click.echo(made.settings())
    click.echo("Then: mxgateway doctor", err=True)


def _pip(arguments: Sequence[str]) -> None:
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)  # noqa: S603 — our own
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        reason = lines[-1] if lines else "no reason given"
        raise ConfigurationError(
            f"pip could not lay the packages: {reason}; without a network give a folder of wheels: --wheels"
        )
