"""The state machine of one alarm, as a function of what is known about it.

Nothing is remembered here, so every worker that knows the same facts says the same, without talking to the others:
the last time the condition was there, since when the alarm counts, and who acknowledged which occurrence.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple


class AlarmState(IntEnum):
    """Where an alarm stands; the numbers are those of the contract's AlarmState."""

    NORMAL = 0
    UNACK_ALM = 1
    ACK_ALM = 2
    UNACK_RTN = 3
    ACK_RTN = 4
    LATCHED = 5


class Mode(IntEnum):
    """AlarmMode, the least restrictive first."""

    ENABLED = 0
    SILENCED = 1
    DISABLED = 2


LISTED = frozenset({AlarmState.UNACK_ALM, AlarmState.ACK_ALM, AlarmState.UNACK_RTN, AlarmState.LATCHED})
"""States of alarms that stand in the alarm list: what has returned and is acknowledged does not."""


class Run(NamedTuple):
    """The present, or the last, time that the condition was there; all 0 when it never was.

    Attributes:
        is_on: whether it is there now.
        off_ns: end of the last run: of this one, or while it lasts of the one before.
        stamp_ns: the time that the alarm carries; that of the input value where it has one.
        value: what raised it.
    """

    is_on: bool = False
    on_ns: int = 0
    off_ns: int = 0
    stamp_ns: int = 0
    value: Any = None


class Standing(NamedTuple):
    """Whether an alarm counts at all, and since when without interruption; 0 for always.

    Attributes:
        counts: it is enabled, and its object is on scan and runs.
        is_disabled: its mode is what keeps it from counting.
    """

    counts: bool = True
    since_ns: int = 0
    is_disabled: bool = False


UNTOLD = -1
"""For an occurrence: the one that was there at the time, as boards of earlier versions have it."""


class Acknowledgement(NamedTuple):
    """Who acknowledged which occurrence when, and with what words."""

    occurrence_ns: int
    time_ns: int
    comment: str = ""
    user: str = ""
    node: str = ""
    domain: str = ""
    full_name: str = ""

    def is_of(self, occurrence_ns: int) -> bool:
        """Whether it is an occurrence's acknowledgement."""
        if self.occurrence_ns == UNTOLD:
            return self.time_ns >= occurrence_ns
        return self.occurrence_ns == occurrence_ns


class Rules(NamedTuple):
    """The choices of the model that bear on the states.

    Attributes:
        latches: an acknowledged alarm that returns stays until it is dismissed.
        acked_when_disabled: Acked is true as long as the alarm is disabled.
        keeps_start: after an enable the alarm carries the time at which its condition came.
    """

    latches: bool = False
    acked_when_disabled: bool = True
    keeps_start: bool = False


class AlarmStatus(NamedTuple):
    """An alarm at one moment; times are 0 for never.

    Attributes:
        condition: whether the condition is there, whatever the alarm's mode.
        occurrence_ns: which occurrence it is: when it began to count.
        on_ns, off_ns, acked_ns: TimeAlarmOn, TimeAlarmOff, TimeAlarmAcked.
        changed_ns: when the state was reached.
        value: what raised it.
        acknowledgement: that of this occurrence; None while nobody has acknowledged it.
    """

    state: AlarmState
    condition: bool
    in_alarm: bool
    acked: bool
    occurrence_ns: int
    on_ns: int
    off_ns: int
    acked_ns: int
    changed_ns: int
    value: Any
    acknowledgement: Acknowledgement | None


def status_of(
    run: Run, standing: Standing, ack: Acknowledgement | None, dismissed_ns: int, rules: Rules
) -> AlarmStatus:
    """What an alarm is.

    Args:
        ack: the last acknowledgement, of whatever occurrence.
        dismissed_ns: the occurrence that was dismissed last; 0 for none.
    """
    since = standing.since_ns
    occurrence = max(run.on_ns, since) if run.is_on or run.off_ns > since else run.on_ns
    own = ack if ack is not None and ack.is_of(occurrence) else None
    state, changed = _state(run, standing, own, dismissed_ns == occurrence, rules)
    acked = own is not None
    if standing.is_disabled and rules.acked_when_disabled:
        acked = True
    return AlarmStatus(
        state=state,
        condition=run.is_on,
        in_alarm=run.is_on and standing.counts,
        acked=acked,
        occurrence_ns=occurrence,
        on_ns=run.stamp_ns if rules.keeps_start or occurrence == run.on_ns else occurrence,
        off_ns=run.off_ns,
        acked_ns=ack.time_ns if ack is not None else 0,
        changed_ns=changed,
        value=run.value,
        acknowledgement=own,
    )


def _state(
    run: Run, standing: Standing, own: Acknowledgement | None, is_dismissed: bool, rules: Rules
) -> tuple[AlarmState, int]:
    """The state, and when it was reached."""
    since = standing.since_ns
    if not standing.counts or not run.on_ns:
        return AlarmState.NORMAL, max(since, run.off_ns)
    if run.is_on:
        began = max(run.on_ns, since)
        return (AlarmState.ACK_ALM, max(began, own.time_ns)) if own else (AlarmState.UNACK_ALM, began)
    if run.off_ns <= since:  # it returned before the alarm counted again
        return AlarmState.NORMAL, since
    if own is None:
        return AlarmState.UNACK_RTN, run.off_ns
    if rules.latches and own.time_ns < run.off_ns and not is_dismissed:
        return AlarmState.LATCHED, run.off_ns
    return AlarmState.ACK_RTN, max(run.off_ns, own.time_ns)
