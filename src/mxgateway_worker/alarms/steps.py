"""The steps that lead from one record of an alarm to another."""

from __future__ import annotations

from mxgateway_protocol.alarms.records import (
    ACK_ALM,
    ACK_RTN,
    IN_ALARM,
    LATCHED,
    STATES,
    UNACK_ALM,
    UNACK_RTN,
    AlarmRecord,
)
from mxgateway_worker.alarms.changes import Change, Kind, Origin

SAME_START_NS = 2 * 10**9
"""Starts that are no further apart are the same occurrence, whatever the GUIDs say."""


def is_same_occurrence(was: AlarmRecord, now: AlarmRecord) -> bool:
    """Whether two records are of one occurrence: the same GUID, or as good as the same start."""
    if was.guid and was.guid == now.guid:
        return True
    if now.guid and was.guid:
        # A provider that was restarted gives other GUIDs to the same occurrences.
        if was.state == now.state and abs(now.changed_ns - was.changed_ns) <= SAME_START_NS:
            return True
        return bool(was.raised_ns and now.raised_ns) and abs(now.raised_ns - was.raised_ns) <= SAME_START_NS
    return not (was.raised_ns and now.raised_ns) or abs(now.raised_ns - was.raised_ns) <= SAME_START_NS


def has_hidden_cycle(was: AlarmRecord, now: AlarmRecord) -> bool:
    """Whether the same state of the same occurrence was reached anew."""
    # Another GUID with as good as the same start: a provider that was restarted, whose times may differ a little, too.
    tolerance = 0 if was.guid == now.guid else SAME_START_NS
    return was.state == now.state and bool(was.changed_ns) and now.changed_ns > was.changed_ns + tolerance


def came(now: AlarmRecord) -> list[Change]:
    """An alarm that was not in the list."""
    if now.state == UNACK_ALM or now.state not in STATES:
        return [Change(Kind.RAISE, now, now.raised_ns or now.changed_ns)]
    raised = now._replace(state=UNACK_ALM, acked_ns=0, cleared_ns=0)
    if now.state == ACK_ALM:
        return [
            Change(Kind.RAISE, raised, now.raised_ns),
            Change(Kind.ACKNOWLEDGE, now, now.acked_ns or now.changed_ns, Origin.INFERRED),
        ]
    last = Kind.LATCH if now.state == LATCHED else Kind.CLEAR
    return [
        Change(Kind.RAISE, raised, now.raised_ns, Origin.INFERRED),
        Change(last, now, now.cleared_ns or now.changed_ns, Origin.INFERRED),
    ]


def came_again(was: AlarmRecord, now: AlarmRecord) -> list[Change]:
    """A new occurrence of an alarm that was in the list: what ended the old one was hidden."""
    if was.state == LATCHED:
        return came(now)
    start = now.raised_ns or now.changed_ns
    changes: list[Change] = []
    if was.state in IN_ALARM:
        ended = was._replace(state=UNACK_RTN if was.state == UNACK_ALM else ACK_RTN, cleared_ns=start)
        changes.append(Change(Kind.CLEAR, ended, start, Origin.INFERRED, is_gone=ended.state == ACK_RTN))
    raised = now._replace(state=UNACK_ALM, acked_ns=0, cleared_ns=0)
    if now.state == UNACK_ALM or now.state not in STATES:
        return [*changes, Change(Kind.RETRIGGER, now, start)]
    if now.state == ACK_ALM:
        last = Change(Kind.ACKNOWLEDGE, now, now.acked_ns or now.changed_ns, Origin.INFERRED)
    else:
        kind = Kind.LATCH if now.state == LATCHED else Kind.CLEAR
        last = Change(kind, now, now.cleared_ns or now.changed_ns, Origin.INFERRED)
    return [*changes, Change(Kind.RETRIGGER, raised, now.raised_ns, Origin.INFERRED), last]


def _texts(record: AlarmRecord) -> tuple[object, ...]:
    return record.priority, record.value, record.limit, record.description, record.type_name, record.comment


def beside(was: AlarmRecord, now: AlarmRecord, now_ns: int, *, had_news: bool) -> list[Change]:
    """Changes that leave the state as it is; no record tells when they were made."""
    changes = []
    if bool(was.shelved_until_ns) != bool(now.shelved_until_ns):
        changes.append(Change(Kind.SHELVE if now.shelved_until_ns else Kind.UNSHELVE, now, now_ns))
    if was.mode != now.mode and was.mode and now.mode:
        changes.append(Change(Kind.MODE, now, now_ns))
    if not had_news and not changes and _texts(was) != _texts(now):
        changes.append(Change(Kind.UPDATE, now, now_ns))
    return changes
