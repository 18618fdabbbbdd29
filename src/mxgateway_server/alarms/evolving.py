"""From what a provider tells to the changes that an alarm has gone through: the one place that names changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mxgateway_server.alarms.model import Alarm, Kind, Origin, Report, State
from mxgateway_server.alarms.occurrences import (
    is_older,
    is_same_occurrence,
    is_the_next_of,
    merged,
    shows_the_same,
)
from mxgateway_server.alarms.steps import ORDINARY, Steps, steps_between


@dataclass(slots=True)
class Draft:
    """A change without its number."""

    kind: Kind
    origin: Origin
    alarm: Alarm
    is_listed: bool


@dataclass(slots=True)
class Evolution:
    """What becomes of one alarm.

    Attributes:
        drafts: its changes, in order.
        alarm: what is known of it after them; None when it is not in the list.
        is_stale: the report was about an earlier occurrence and tells nothing.
    """

    drafts: list[Draft]
    alarm: Alarm | None
    is_stale: bool = False


# Whatever the way there, these say that a new occurrence begins.
_BEGINNINGS = (Kind.RAISE, Kind.RETRIGGER)
_REMOVE = Kind.REMOVE
_NOT_ACKNOWLEDGED: dict[str, Any] = {
    "acknowledged_ns": 0,
    "operator_user": "",
    "operator_node": "",
    "operator_domain": "",
    "operator_full_name": "",
    "comment": "",
}


def ordinary_step(current: Alarm | None, report: Report) -> tuple[Kind, bool] | None:
    """The one change that nearly every report is, and whether the alarm is listed after it; None for all others.

    It says what `reported` would, which finds the same in four times the time: the alarm after it is the one told.
    """
    kind, told, _ = report
    if kind is _REMOVE:
        return None
    if current is None:
        return ORDINARY.get((None, told.state))
    return ORDINARY.get((current.state, told.state)) if is_the_next_of(current, told) else None


def reported(current: Alarm | None, report: Report) -> Evolution:
    """What a live report makes of an alarm."""
    told = _with_state(current, report)
    if report.kind is Kind.REMOVE:
        return removed(current, report.origin, told) if current is not None else Evolution([], None)
    is_same = True
    if current is not None:
        is_same = is_same_occurrence(current, told)
        if report.kind in _BEGINNINGS and told.guid and told.guid not in current.all_guids:
            is_same = is_same and (told.is_guid_derived or current.is_guid_derived)
        if not is_same and report.kind not in _BEGINNINGS and is_older(current, told):
            return Evolution([], current, is_stale=True)
    return evolved(current, told, report.origin, is_same=is_same)


def evolved(current: Alarm | None, told: Alarm, origin: Origin, *, is_same: bool) -> Evolution:
    """The shortest way from what is known to what is told.

    Args:
        current: what is known; None when it is not in the list.
        told: how it is now; in the state ACK_RTN when it is over.
        origin: of the last change; those before it were not told, so they are inferred unless a comparison found them.
        is_same: whether it is the same occurrence.
    """
    now = told if current is None else merged(current, told, is_same=is_same)
    before = None if current is None else current.state
    steps = steps_between(before, now.state, is_same_occurrence=is_same)
    # Mode and shelving have changes of their own, after those of the state.
    calm = now
    if current is not None and (now.mode, now.is_shelved) != (current.mode, current.is_shelved):
        calm = now.having(mode=current.mode, is_shelved=current.is_shelved)
    drafts = []
    if len(steps) == 1:
        # Nearly always.
        drafts.append(Draft(steps[0][0], origin, calm, steps[0][1].is_listed))
    elif steps:
        inferred = Origin.INFERRED if origin is Origin.LIVE else origin
        last = len(steps) - 1
        drafts += [
            Draft(kind, origin if place == last else inferred, _at_step(current, calm, steps, place), state.is_listed)
            for place, (kind, state) in enumerate(steps)
        ]
    if current is not None and now.state.is_listed:
        drafts += _quiet_changes(current, calm, now, origin, has_steps=bool(steps))
    return Evolution(drafts, now if now.state.is_listed else None)


def removed(current: Alarm, origin: Origin, told: Alarm | None = None) -> Evolution:
    """It leaves the list without having returned."""
    last = current if told is None else merged(current, told, is_same=True)
    return Evolution([Draft(Kind.REMOVE, origin, last.having(state=State.ACK_RTN), False)], None)


def over(current: Alarm, origin: Origin) -> Evolution:
    """It is not in the provider's list any more; when and how it went nobody has seen."""
    return evolved(current, current.having(state=State.ACK_RTN), origin, is_same=True)


def compared(current: Alarm, told: Alarm, origin: Origin) -> Evolution:
    """What a snapshot of the provider says of an alarm that is in the list."""
    is_other = origin in (Origin.SWITCH, Origin.RESTART)
    return evolved(current, told, origin, is_same=is_same_occurrence(current, told, is_other_provider=is_other))


def _with_state(current: Alarm | None, report: Report) -> Alarm:
    """A provider that tells kinds only leaves the state to be found out."""
    told = report.alarm
    if told.state is not State.UNKNOWN or told.raw_state or report.kind is Kind.UNKNOWN:
        return told
    if report.kind in _BEGINNINGS:
        state = State.UNACK_ALM
    elif report.kind is Kind.ACKNOWLEDGE:
        state = State.ACK_ALM if current is not None and current.state.is_active else State.ACK_RTN
    elif report.kind is Kind.CLEAR:
        state = State.ACK_RTN if current is None or current.state.is_acknowledged else State.UNACK_RTN
    elif report.kind is Kind.LATCH:
        state = State.LATCHED
    elif report.kind is Kind.DISMISS or current is None:
        state = State.ACK_RTN
    else:
        state = current.state
    return told.having(state=state)


def _at_step(current: Alarm | None, now: Alarm, steps: Steps, place: int) -> Alarm:
    """The alarm as it must have been after one of the steps; after the last one it is as it is told."""
    kind, state = steps[place]
    if place == len(steps) - 1:
        return now
    began = now.raised_ns or now.changed_ns
    if kind is Kind.CLEAR and current is not None and place == 0:
        # The end of the occurrence before: it was over when the new one began, at the latest.
        return current.having(state=state, cleared_ns=began, changed_ns=began)
    if kind is Kind.ACKNOWLEDGE:
        return now.having(state=state, changed_ns=now.acknowledged_ns or now.changed_ns, cleared_ns=0)
    return now.having(state=state, changed_ns=began, cleared_ns=0, **_NOT_ACKNOWLEDGED)


def _quiet_changes(current: Alarm, calm: Alarm, now: Alarm, origin: Origin, *, has_steps: bool) -> list[Draft]:
    found: list[Draft] = []
    if now.mode is not current.mode:
        found.append(Draft(Kind.MODE, origin, calm.having(mode=now.mode), True))
    if now.is_shelved != current.is_shelved:
        found.append(Draft(Kind.SHELVE if now.is_shelved else Kind.UNSHELVE, origin, now, True))
    if found:
        found[-1].alarm = now
    elif not has_steps and not shows_the_same(current, now):
        found.append(Draft(Kind.UPDATE, origin, now, True))
    return found
