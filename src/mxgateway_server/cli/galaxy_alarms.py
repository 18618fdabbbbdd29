"""`mxgateway galaxy alarm …`: raises, ends, acknowledges and shelves alarms of a simulated plant."""

from __future__ import annotations

import getpass
import json
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from mxgateway_protocol.alarms.records import AlarmRecord
    from mxgateway_simulator.plant.alarm_operation import AlarmOperation
    from mxgateway_simulator.plant.tags import Author

_MODES = ("Enable", "Silence", "Disable")
_COLUMNS = ("state", "priority", "raised", "reference", "description", "operator")


@click.group()
def alarm() -> None:
    """Raise, end, acknowledge and shelve alarms of a simulated plant.

    An alarm is named as in Tank_01.LevelHigh, or for the limits of a number as in Tank_01.Level.Hi.
    """


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--board",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Board of the plant; the default is NAME.board.db beside NAME.db.",
        ),
        click.option(
            "--galaxy",
            "database",
            required=True,
            type=click.Path(dir_okay=False, path_type=Path),
            help="Database of the Galaxy (.db).",
        ),
    ):
        command = option(command)
    return command


_ALARMS = click.argument("alarms", nargs=-1, required=True)
_OPERATOR = click.option("--operator", default="", help="Who does it; the default is the user of this computer.")


def _duration(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """A duration as Galaxy descriptions write it, in nanoseconds; 0 for none."""
    from mxgateway_simulator.signal_specs import SignalSpecError, duration_ns

    try:
        return duration_ns(value) if value else 0
    except SignalSpecError as error:
        raise click.BadParameter(str(error), context, parameter) from None


@contextmanager
def _operation(database: Path, board: Path | None) -> Iterator[AlarmOperation]:
    """The plant's alarms; what the simulator refuses becomes one line on stderr."""
    from mxgateway_simulator.errors import SimulatorError
    from mxgateway_simulator.plant.alarm_operation import AlarmOperation

    try:
        yield AlarmOperation(database, board, time.time_ns)
    except SimulatorError as error:
        raise click.ClickException(str(error)) from error


def _author(operator: str) -> Author:
    from mxgateway_simulator.plant.tags import Author

    return Author(operator or getpass.getuser(), platform.node())


@alarm.command("raise")
@_options
@click.option(
    "--for", "duration", callback=_duration, default="", help="For how long, as in 30s; else until it is cleared."
)
@_ALARMS
def raise_(database: Path, board: Path | None, duration: int, alarms: tuple[str, ...]) -> None:
    """Raise alarms, whatever their attributes show."""
    with _operation(database, board) as operation:
        names = operation.force(alarms, True, duration)
    click.echo(f"raised: {', '.join(names)}")


@alarm.command()
@_options
@click.option(
    "--for", "duration", callback=_duration, default="", help="For how long, as in 30s; else until it is released."
)
@_ALARMS
def clear(database: Path, board: Path | None, duration: int, alarms: tuple[str, ...]) -> None:
    """End alarms, whatever their attributes show. An unacknowledged one stays in the list as returned."""
    with _operation(database, board) as operation:
        names = operation.force(alarms, False, duration)
    click.echo(f"cleared: {', '.join(names)}")


@alarm.command()
@_options
@_ALARMS
def release(database: Path, board: Path | None, alarms: tuple[str, ...]) -> None:
    """Leave alarms that were raised or cleared to their attributes again."""
    with _operation(database, board) as operation:
        names = operation.force(alarms, None)
    click.echo(f"released: {', '.join(names)}")


@alarm.command()
@_options
@click.option("--area", default="", help="Only alarms of this area and all that is in it.")
@click.option("--count", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="How many alarms.")
@click.option(
    "--within", callback=_duration, default="60s", show_default=True, help="From the first raise to the last."
)
@click.option("--for", "duration", callback=_duration, default="30s", show_default=True, help="How long each stays.")
@click.option("--seed", type=click.IntRange(0, 2**31), default=1, show_default=True, help="Another seed, other alarms.")
def storm(database: Path, board: Path | None, area: str, count: int, within: int, duration: int, seed: int) -> None:
    """Let many alarms come up one after the other."""
    with _operation(database, board) as operation:
        struck = operation.storm(area, count, within, duration, seed)
    fewer = f" (there are no more than {struck})" if struck < count else ""
    click.echo(f"{struck} alarms of {area or 'the Galaxy'} come up within {within / 1e9:g} s{fewer}")


@alarm.command("ack")
@_options
@click.option("--comment", default="", help="Comment of the acknowledgement, up to 256 characters.")
@_OPERATOR
@_ALARMS
def acknowledge(database: Path, board: Path | None, comment: str, operator: str, alarms: tuple[str, ...]) -> None:
    """Acknowledge alarms, as an operator in the plant would."""
    with _operation(database, board) as operation:
        names = operation.acknowledge(alarms, comment, _author(operator))
    click.echo(f"acknowledged: {', '.join(names)}")


@alarm.command()
@_options
@click.option("--hours", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="For how long.")
@click.option("--reason", default="", help="Why, up to 200 characters.")
@_OPERATOR
@_ALARMS
def shelve(
    database: Path, board: Path | None, hours: float, reason: str, operator: str, alarms: tuple[str, ...]
) -> None:
    """Shelve alarms: out of sight for some hours."""
    with _operation(database, board) as operation:
        names = operation.shelve(alarms, hours, reason, _author(operator))
    click.echo(f"shelved for {hours:g} h: {', '.join(names)}")


@alarm.command()
@_options
@_OPERATOR
@_ALARMS
def unshelve(database: Path, board: Path | None, operator: str, alarms: tuple[str, ...]) -> None:
    """End the shelving of alarms."""
    with _operation(database, board) as operation:
        names = operation.shelve(alarms, 0, "", _author(operator))
    click.echo(f"no longer shelved: {', '.join(names)}")


@alarm.command()
@_options
@_ALARMS
def dismiss(database: Path, board: Path | None, alarms: tuple[str, ...]) -> None:
    """End latched alarms."""
    with _operation(database, board) as operation:
        names = operation.dismiss(alarms)
    click.echo(f"dismissed: {', '.join(names)}")


@alarm.command()
@_options
@click.argument("name")
@click.argument("mode", type=click.Choice(_MODES, case_sensitive=False))
def mode(database: Path, board: Path | None, name: str, mode: str) -> None:
    """Enable, silence or disable an alarm, or all alarms of an object or area."""
    with _operation(database, board) as operation:
        shown = operation.set_mode(name, mode)
    click.echo(f"{shown}: {mode}")


@alarm.command("plant-state")
@_options
@click.argument("area")
@click.argument("state")
def plant_state(database: Path, board: Path | None, area: str, state: str) -> None:
    """Set the plant state of an area, as Running or Maintenance, and with it the mode of its alarms."""
    with _operation(database, board) as operation:
        shown = operation.set_plant_state(area, state)
    click.echo(f"{shown}: {state}")


@alarm.command("list")
@_options
@click.option("--area", default="", help="Only alarms of this area and all that is in it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_(database: Path, board: Path | None, area: str, as_json: bool) -> None:
    """Show the alarms in the list now, the newest first."""
    with _operation(database, board) as operation:
        records = operation.listed(area)
    for record in records:
        shown = dict(zip(_COLUMNS, _shown(record), strict=True))
        click.echo(json.dumps(shown) if as_json else "  ".join(str(shown[name]) for name in _COLUMNS).rstrip())
    if not as_json and not records:
        click.echo("no alarms")


def _shown(record: AlarmRecord) -> tuple[str, int, str, str, str, str]:
    raised = datetime.fromtimestamp(record.raised_ns / 1e9, UTC).isoformat(timespec="milliseconds")
    return (
        record.state,
        record.priority,
        raised.replace("+00:00", "Z"),
        record.reference,
        record.description,
        record.user,
    )
