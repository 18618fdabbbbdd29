"""Options that choose alarms and spans of time, as the alarm commands share them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from mxgateway import AlarmPosition

Command: TypeAlias = Callable[..., Any]

_STATES = ("UNACK_ALM", "ACK_ALM", "UNACK_RTN", "LATCHED")
_SPAN = re.compile(r"-?(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


if TYPE_CHECKING:
    _Parameter = click.ParamType[Any]
else:
    _Parameter = click.ParamType


class PriorityRange(_Parameter):
    """`1-250`, or one number."""

    name = "first-last"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"\s*(\d{1,3})\s*(?:-\s*(\d{1,3})\s*)?", str(value))
        if found is None:
            self.fail(f"{value!r} is no range; write 1-250, or one number", param, ctx)
        first, last = int(found[1]), int(found[2] or found[1])
        if not 1 <= first <= last:
            self.fail(f"{value!r}: priorities go from 1, the most urgent, to 999", param, ctx)
        return first, last


class Moment(_Parameter):
    """A time, or how long ago."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        span = _SPAN.fullmatch(text)
        try:
            if span is not None:
                return datetime.now(UTC) - timedelta(seconds=float(span[1]) * _SECONDS[span[2]])
            found = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is no time; write how long ago (8h, 30m, 7d) or a time (2026-11-28T06:00, with an offset "
                "or Z when it is not this machine's)",
                param,
                ctx,
            )
        return found.astimezone(UTC)


class Span(_Parameter):
    """A length of time, such as 24h."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        found = _SPAN.fullmatch(str(value).strip())
        if found is None or not float(found[1]):
            self.fail(f"{value!r} is no length of time; write 30m, 8h, 24h, 7d", param, ctx)
        return timedelta(seconds=float(found[1]) * _SECONDS[found[2]])


class Position(_Parameter):
    """A place in the gateway's log of alarms."""

    name = "position"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> AlarmPosition:
        if isinstance(value, AlarmPosition):
            return value
        try:
            return AlarmPosition.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def chosen_alarms(command: Command) -> Command:
    """Gives a command the options that choose alarms, as one argument `chosen` for `client.alarms`."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **given: Any) -> Any:
        chosen = {
            "areas": given.pop("area"),
            "include_sub_areas": not given.pop("no_sub_areas"),
            "references": given.pop("glob"),
            "objects": given.pop("object_glob"),
            "priority": given.pop("priority"),
            "states": given.pop("state"),
            "text": given.pop("text"),
        }
        return command(*arguments, chosen=chosen, **given)

    for option in reversed(
        (
            click.option("--area", multiple=True, help="Only this area, with the areas inside it; repeatable."),
            click.option("--no-sub-areas", is_flag=True, help="Only the areas themselves."),
            click.option("--object", "object_glob", multiple=True, metavar="GLOB", help="Only these objects."),
            click.option("--glob", multiple=True, metavar="GLOB", help="Only these full references."),
            click.option("--priority", type=PriorityRange(), help="Only these, 1 is the most urgent: 1-250."),
            click.option(
                "--state",
                multiple=True,
                type=click.Choice(_STATES, case_sensitive=False),
                help="Only in this state; repeatable.",
            ),
            click.option("--text", default="", help="Only with this in reference, description or comment."),
        )
    ):
        wrapped = option(wrapped)
    return wrapped


def is_chosen(chosen: dict[str, Any]) -> bool:
    """Whether the options narrow the choice at all."""
    return any(value for name, value in chosen.items() if name != "include_sub_areas")
