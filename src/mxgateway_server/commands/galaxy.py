"""`mxgateway galaxy …`: makes and changes the simulator's Galaxies."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.group()
def galaxy() -> None:
    """Make and change simulated Galaxies."""


@galaxy.command()
@click.option("--galaxy", "source", required=True, help="reference, plant, or the path of a description (YAML).")
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Database to write.")
@click.option("--objects", type=click.IntRange(0, 1_000_000), default=0, help="Fill up to this many deployed objects.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def build(source: str, output: Path, objects: int, as_json: bool) -> None:
    """Make a Galaxy database of a description."""
    # SQLAlchemy and YAML are loaded by those commands only that need them.
    from mxgateway_simulator.builder import build_galaxy
    from mxgateway_simulator.description_reader import read_description
    from mxgateway_simulator.errors import SimulatorError

    try:
        result = build_galaxy(read_description(source), output, objects)
    except SimulatorError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"--output {output} cannot be written: {error.strerror}") from error
    if as_json:
        click.echo(
            json.dumps(
                {
                    "output": str(output),
                    "galaxy": result.galaxy,
                    "objects": result.objects,
                    "templates": result.templates,
                    "rows": dict(sorted(result.rows.items())),
                }
            )
        )
    else:
        click.echo(f"{output}: Galaxy {result.galaxy} with {result.objects} deployed objects")
