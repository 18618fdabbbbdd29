"""As much of a change as figures are made of: what a start takes out of the history by the hundred thousand. Pure."""

from __future__ import annotations

from typing import NamedTuple

from mxgateway_server.alarms.model import AlarmSource, Change, Kind, Mode, Origin

BEGINNINGS = frozenset({int(Kind.RAISE), int(Kind.RETRIGGER)})
ENDINGS = frozenset({int(Kind.CLEAR), int(Kind.LATCH)})
TELLING = BEGINNINGS | ENDINGS | {int(Kind.ACKNOWLEDGE)}
"""Numbers of the kinds that figures are made of; any other counts only when the alarm leaves the list with it."""
SHOWN_MODES = frozenset({int(Mode.ENABLED), int(Mode.UNKNOWN)})
REPEATED = frozenset({int(Origin.SWITCH), int(Origin.RESTART)})
"""Origins of what was told before."""


class Moment(NamedTuple):
    """One change.

    Attributes:
        sequence: of the change.
        kind: number of its kind.
        at: when it happened, in seconds since 1970 UTC; when it was received where that is not known.
        received: when the gateway learned of it.
        is_shown: people have it before them, if it is a beginning.
        is_listed: whether the alarm is in the list after it.
    """

    sequence: int
    kind: int
    source: AlarmSource
    at: float
    received: float
    priority: int
    is_shown: bool
    is_listed: bool


def moment_of(change: Change) -> Moment:
    """A change as figures take it."""
    alarm = change.alarm
    return Moment(
        change.sequence,
        change.kind,
        alarm.source,
        (alarm.changed_ns or change.received_ns) / 1e9,
        change.received_ns / 1e9,
        alarm.priority,
        not alarm.is_shelved and alarm.mode in SHOWN_MODES and change.origin not in REPEATED,
        change.is_listed,
    )
