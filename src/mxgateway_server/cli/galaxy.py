"""`mxgateway galaxy …`: makes and changes the simulator's Galaxies."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from mxgateway_server.cli.galaxy_alarms import alarm


@click.group()
def galaxy() -> None:
    """Make and change simulated Galaxies."""


galaxy.add_command(alarm)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turns what the simulator refuses into one line on stderr."""
    from mxgateway_simulator.errors import SimulatorError

    try:
        yield
    except SimulatorError as error:
        raise click.ClickException(str(error)) from error


@galaxy.command()
@click.option(
    "--galaxy", "source", required=True, help="reference, plant, secured, alarms, or the path of a description (YAML)."
)
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Database to write.")
@click.option("--objects", type=click.IntRange(0, 1_000_000), default=0, help="Fill up to this many deployed objects.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
def build(source: str, output: Path, objects: int, as_json: bool) -> None:
    """Make a Galaxy database of a description."""
    # SQLAlchemy and YAML are loaded by those commands only that need them.
    from mxgateway_server.galaxy import SqlGalaxySource
    from mxgateway_simulator.building.builder import build_galaxy
    from mxgateway_simulator.building.description_reader import read_description

    try:
        with _refusals():
            result = build_galaxy(read_description(source), output, objects)
        browsable = SqlGalaxySource(str(output)).count_objects()
    except OSError as error:
        raise click.ClickException(f"--output {output} cannot be written: {error.strerror}") from error
    if as_json:
        click.echo(
            json.dumps(
                {
                    "output": str(output),
                    "galaxy": result.galaxy,
                    "objects": result.objects,
                    "browsable": browsable,
                    "templates": result.templates,
                    "rows": dict(sorted(result.rows.items())),
                }
            )
        )
    else:
        # Symbols and the like are deployed, too.
        shown = "" if browsable == result.objects else f", {browsable} of which browse shows"
        click.echo(f"{output}: Galaxy {result.galaxy} with {result.objects} deployed objects{shown}")


_DATABASE = click.option(
    "--galaxy",
    "database",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Database of the Galaxy (.db).",
)
_BOARD = click.option(
    "--board",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Board of the plant; the default is NAME.board.db beside NAME.db.",
)
_CASCADE = click.option("--cascade", is_flag=True, help="Also what hosts the objects, or what they host.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
_TAGS = click.argument("tags", nargs=-1, required=True)


def _report(what: str, objects: tuple[str, ...], deployed: datetime, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"objects": list(objects), "timeOfLastDeploy": f"{deployed.isoformat()}Z"}))
    else:
        click.echo(f"{what}: {', '.join(objects)}")


@galaxy.command()
@_DATABASE
@_CASCADE
@_JSON
@_TAGS
def deploy(database: Path, cascade: bool, as_json: bool, tags: tuple[str, ...]) -> None:
    """Deploy objects as they are checked in, or deploy them again."""
    from mxgateway_simulator.plant.deployment import Deployment

    with _refusals():
        result = Deployment(database, datetime.now(UTC)).deploy(tags, cascade=cascade)
    _report("deployed", result.objects, result.time_of_last_deploy, as_json)


@galaxy.command()
@_DATABASE
@_CASCADE
@_JSON
@_TAGS
def undeploy(database: Path, cascade: bool, as_json: bool, tags: tuple[str, ...]) -> None:
    """Undeploy objects."""
    from mxgateway_simulator.plant.deployment import Deployment

    with _refusals():
        result = Deployment(database, datetime.now(UTC)).undeploy(tags, cascade=cascade)
    _report("undeployed", result.objects, result.time_of_last_deploy, as_json)


@galaxy.command()
@_DATABASE
@_BOARD
@click.argument("state", type=click.Choice(["on", "off"]))
@click.argument("tag")
def scan(database: Path, board: Path | None, state: str, tag: str) -> None:
    """Put an object on scan, or take it off."""
    from mxgateway_simulator.plant.operation import PlantOperation

    with _refusals():
        name = PlantOperation(database, board).set_scan(tag, state == "on", time.time_ns())
    click.echo(f"{name} is {state} scan")


@galaxy.command()
@_DATABASE
@_BOARD
@click.argument("state", type=click.Choice(["start", "stop"]))
@click.argument("tag")
def engine(database: Path, board: Path | None, state: str, tag: str) -> None:
    """Start or stop an engine or a platform."""
    from mxgateway_simulator.plant.operation import PlantOperation

    with _refusals():
        name = PlantOperation(database, board).set_running(tag, state == "start", time.time_ns())
    click.echo(f"{name} {'runs' if state == 'start' else 'is stopped'}")


@galaxy.command()
@_DATABASE
@_BOARD
def reset(database: Path, board: Path | None) -> None:
    """Forget all that was written to the plant: values, acknowledgements, scan states, stopped engines."""
    from mxgateway_simulator.plant.operation import PlantOperation

    with _refusals():
        count = PlantOperation(database, board).reset()
    click.echo(f"{count} entries forgotten")


@galaxy.command()
@_DATABASE
@_BOARD
def operate(database: Path, board: Path | None) -> None:
    """Operate the plant by JSON lines on stdin, one answer a line, until stdin ends: for test kits.

    \b
    {"op": "set", "tag": "TestChildObject.TestInt", "value": {"int32Value": 42}, "quality": 192}
    {"op": "scan", "object": "TestChildObject", "on": false}
    {"op": "engine", "object": "DevAppEngine", "on": true}
    {"op": "deploy", "objects": ["TestChildObject"], "cascade": true}
    {"op": "undeploy", "objects": ["TestChildObject"]}
    {"op": "reset"}
    {"op": "alarm", "raise": ["Tank_01.LevelHigh"], "seconds": 30}
    {"op": "alarm", "clear": ["Tank_01.LevelHigh"]}
    {"op": "alarm", "release": ["Tank_01.LevelHigh"]}
    {"op": "alarm", "acknowledge": ["Tank_01.LevelHigh"], "comment": "seen", "user": "anna"}
    {"op": "alarm", "shelve": ["Tank_01.LevelHigh"], "hours": 0.5, "reason": "repair", "user": "anna"}
    {"op": "storm", "area": "Hall", "count": 100, "within": 60, "seconds": 30, "seed": 1}

    The answer is {"ok": ...} or {"error": "..."}. Security, ranges and scan states do not hinder a "set"; "timeNs"
    gives it a source time (Unix, nanoseconds), and without "value" only the quality changes. "settle" waits so many
    seconds at most for every session to see what was done.
    """
    from mxgateway_simulator.console import PlantConsole

    console = PlantConsole(database, board, time.time_ns)
    for answer in console.answers(line.decode("utf-8", "replace") for line in sys.stdin.buffer):
        click.echo(answer)
