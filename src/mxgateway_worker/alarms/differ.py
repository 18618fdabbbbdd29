"""Compares the lists of two polls: what must have happened in between.

A poll shows states, not what led to them. What is hidden between two polls is told as what it must have been, marked as
inferred; what cannot be known is left open. A list that failed or is cut ends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mxgateway_protocol.alarms.provider import Operator, PollResult
from mxgateway_protocol.alarms.records import (
    ACK_ALM,
    ACK_RTN,
    LATCHED,
    STATES,
    UNACK_ALM,
    UNACK_RTN,
    AlarmRecord,
)
from mxgateway_worker.alarms.changes import Change, Kind, Origin
from mxgateway_worker.alarms.steps import beside, came, came_again, has_hidden_cycle, is_same_occurrence

_OWN_ACK_NS = 10 * 10**9
_MOST_OWN_ACKS = 10_000
_MOST_UNKNOWN = 100

_Slot = tuple[str, str]
"""(node, guid) within one reference."""


class _OwnAck(NamedTuple):
    """An acknowledgement that this worker made itself."""

    until_ns: int
    operator: Operator
    comment: str


class AlarmDiffer:
    """Keeps one provider's list and finds out what changes it. Two nodes may tell of one alarm: it is one alarm."""

    def __init__(self) -> None:
        self._alarms: dict[str, AlarmRecord] = {}
        self._told: dict[str, dict[_Slot, AlarmRecord]] = {}
        self._own: dict[str, _OwnAck] = {}
        self._unknown: set[str] = set()
        self._notes: list[str] = []
        self._has_list = False
        # Whether others have told of alarms since the provider's last whole list.
        self._is_taken_over = False
        self._last_ns = 0
        self.adopted: list[AlarmRecord] = []

    @property
    def older_occurrences(self) -> int:
        """Records in the list beside that of a newer occurrence, or of another node, of the same alarm."""
        return sum(len(slots) - 1 for slots in self._told.values())

    @property
    def alarms(self) -> Mapping[str, AlarmRecord]:
        """The list now, by key."""
        return self._alarms

    @property
    def has_list(self) -> bool:
        """Whether a first list has been taken."""
        return self._has_list

    def take_notes(self) -> list[str]:
        """What a site should know of the records, each once: for the log."""
        notes, self._notes = self._notes, []
        return notes

    def forget(self) -> None:
        """Begins anew: the next list is a first one."""
        self._alarms, self._told = {}, {}
        self._has_list = self._is_taken_over = False

    def take_over(self, alarms: Mapping[str, AlarmRecord]) -> None:
        """Goes on with what another provider has told meanwhile: with that the next whole list is compared as a whole,
        as what has not changed for this provider may have for the other."""
        self._alarms = dict(alarms)
        self._is_taken_over = True

    def acknowledged(self, key: str, operator: Operator, comment: str, now_ns: int) -> None:
        """This worker has acknowledged an alarm: if it is gone next time, that is why."""
        if len(self._own) >= _MOST_OWN_ACKS:
            self._own = {each: ack for each, ack in self._own.items() if ack.until_ns > now_ns}
        self._own[key] = _OwnAck(now_ns + _OWN_ACK_NS, operator, comment)

    def take(self, result: PollResult, now_ns: int) -> list[Change]:
        """What a poll says has happened; nothing for the first list, which is a snapshot.

        What has changed without being worth a word is in `adopted` afterwards.

        Args:
            now_ns: the time of the poll.
        """
        is_first = not self._has_list
        self.adopted = []
        touched = self._sort_in(result)
        if self._is_taken_over and not result.is_truncated:
            self._is_taken_over = False
            touched = dict.fromkeys((*self._alarms, *self._told)) | touched
        news: list[list[Change]] = []
        for key in touched:
            before, now = self._alarms.get(key), self._entry(key)
            if now is not None:
                now = self._completed(before, now)
            if now is not None and now.state != ACK_RTN:
                self._alarms[key] = now
            elif before is not None:
                del self._alarms[key]
            if not is_first:
                steps = self._between(key, before, now, now_ns, result.is_reread)
                if steps:
                    news.append(steps)
                elif now is not None and now.state != ACK_RTN:
                    self.adopted.append(now)
        self._has_list = True
        self._last_ns = now_ns
        # In the order of time, as far as it is told; the steps of one alarm stay together.
        news.sort(key=lambda steps: max(change.at_ns for change in steps))
        return [change for steps in news for change in steps]

    # ---------------------------------------------------------------------------------------------------------- entries

    def _sort_in(self, result: PollResult) -> dict[str, None]:
        """Puts the records where they belong; returns the alarms concerned, in the order of the list."""
        touched: dict[str, None] = {}
        for record in result.gone:
            slots = self._told.get(record.key)
            if slots is not None and slots.get((record.node, record.guid)) == record:
                del slots[record.node, record.guid]
            touched[record.key] = None
        for record in result.fresh:
            key = record.key
            self._told.setdefault(key, {})[record.node, record.guid] = record
            touched.pop(key, None)
            touched[key] = None
            if record.state not in STATES:
                self._note_unknown(record.state)
        return touched

    def _entry(self, key: str) -> AlarmRecord | None:
        """The record that stands for an alarm: the newest occurrence's; None when it is not in the list."""
        slots = self._told.get(key)
        if not slots:
            self._told.pop(key, None)
            return None
        if len(slots) == 1:
            (record,) = slots.values()
        else:
            record = max(slots.values(), key=lambda each: (each.began_ns, each.changed_ns))
        return record

    @staticmethod
    def _completed(before: AlarmRecord | None, now: AlarmRecord) -> AlarmRecord:
        """The record with what earlier ones of the same occurrence told and it does not."""
        raised, acked, cleared = now.raised_ns, now.acked_ns, now.cleared_ns
        same = before is not None and is_same_occurrence(before, now)
        if not raised:
            raised = (
                now.changed_ns if now.state == UNACK_ALM else before.raised_ns if before is not None and same else 0
            )
        if not acked and now.state == ACK_ALM:
            acked = now.changed_ns
        if not cleared and now.state == UNACK_RTN:
            cleared = now.changed_ns
        if (raised, acked, cleared) == (now.raised_ns, now.acked_ns, now.cleared_ns):
            return now
        return now._replace(raised_ns=raised, acked_ns=acked, cleared_ns=cleared)

    def _note_unknown(self, state: str) -> None:
        if state not in self._unknown and len(self._unknown) < _MOST_UNKNOWN:
            self._unknown.add(state)
            self._notes.append(f"an alarm record has a state that is not known: {state[:64]!r}")

    # ---------------------------------------------------------------------------------------------------------- changes

    def _between(
        self, key: str, before: AlarmRecord | None, now: AlarmRecord | None, now_ns: int, is_reread: bool
    ) -> list[Change]:
        """What must have happened to one alarm."""
        was = before
        if now is None or now.state == ACK_RTN:
            return self._left(key, was, now, now_ns)
        if was is None:
            return came(now)
        if not is_same_occurrence(was, now) or (has_hidden_cycle(was, now) and not is_reread):
            return came_again(was, now)
        changes = self._moved(key, was, now, now_ns)
        return changes + beside(was, now, now_ns, had_news=bool(changes))

    def _left(self, key: str, was: AlarmRecord | None, now: AlarmRecord | None, now_ns: int) -> list[Change]:
        """An alarm that is not in the list any more, or only as returned and acknowledged."""
        if was is None:
            # It came and went between two polls, and was acknowledged: told only when it cannot be an old one.
            if now is not None and now.raised_ns > self._last_ns:
                raised = now._replace(state=UNACK_ALM)
                acked = now._replace(state=ACK_ALM)
                return [
                    Change(Kind.RAISE, raised, now.raised_ns, Origin.INFERRED),
                    Change(Kind.ACKNOWLEDGE, acked, now.acked_ns, Origin.INFERRED),
                    Change(Kind.CLEAR, now, now.cleared_ns or now.changed_ns, Origin.INFERRED, is_gone=True),
                ]
            return []
        if now is not None and not is_same_occurrence(was, now):
            now = None
        gone = (now or was)._replace(state=ACK_RTN)
        # Nothing tells when it left the list: it was in it at the poll before.
        at = now.changed_ns if now is not None else now_ns
        origin = Origin.LIVE if now is not None else Origin.INFERRED
        if was.state == LATCHED:
            return [Change(Kind.DISMISS, gone, at, Origin.LIVE, is_gone=True)]
        if was.state == UNACK_RTN:
            gone, origin = self._explained(key, gone, now is not None, origin, now_ns)
            return [Change(Kind.ACKNOWLEDGE, gone, at, origin, is_gone=True)]
        if was.state == UNACK_ALM and now is not None:
            acked = gone._replace(state=ACK_ALM)
            return [
                Change(Kind.ACKNOWLEDGE, acked, now.acked_ns, Origin.INFERRED),
                Change(Kind.CLEAR, gone, at, is_gone=True),
            ]
        if was.state == UNACK_ALM:
            # Acknowledged and returned, disabled or undeployed: it cannot be told apart, so nobody is said to have.
            return [Change(Kind.CLEAR, gone, at, Origin.INFERRED, is_gone=True)]
        return [Change(Kind.CLEAR, gone, at, Origin.LIVE, is_gone=True)]

    def _explained(
        self, key: str, gone: AlarmRecord, is_told: bool, origin: Origin, now_ns: int
    ) -> tuple[AlarmRecord, Origin]:
        """Who acknowledged what is gone: told by the record, or done by this worker a moment ago."""
        own = self._own.pop(key, None)
        if own is None or own.until_ns < now_ns:
            return gone, origin
        gone = gone._replace(
            user=gone.user or own.operator.user,
            user_node=gone.user_node or own.operator.node,
            domain=gone.domain or own.operator.domain,
            full_name=gone.full_name or own.operator.full_name,
            comment=gone.comment or own.comment,
        )
        return gone, Origin.LIVE if is_told else Origin.INFERRED

    def _moved(self, key: str, was: AlarmRecord, now: AlarmRecord, now_ns: int) -> list[Change]:
        """The steps of one occurrence from a state to another, the shortest way."""
        step = (was.state, now.state)
        if was.state == now.state:
            return []
        if step == (UNACK_ALM, ACK_ALM):
            return [Change(Kind.ACKNOWLEDGE, self._with_own(key, now, now_ns), now.acked_ns or now.changed_ns)]
        if step == (ACK_ALM, UNACK_ALM):
            return [Change(Kind.RETRIGGER, now, now.changed_ns)]
        if step == (UNACK_ALM, UNACK_RTN):
            return [Change(Kind.CLEAR, now, now.cleared_ns or now.changed_ns)]
        if now.state == LATCHED:
            acked = now._replace(state=ACK_ALM)
            first = [Change(Kind.ACKNOWLEDGE, acked, now.acked_ns, Origin.INFERRED)] if was.state == UNACK_ALM else []
            return [*first, Change(Kind.LATCH, now, now.changed_ns)]
        if now.state not in STATES or was.state not in STATES:
            return [Change(Kind.UPDATE, now, now.changed_ns)]
        return came_again(was, now)

    def _with_own(self, key: str, now: AlarmRecord, now_ns: int) -> AlarmRecord:
        """The record with what only this worker knows of the operator, when it was this worker that acknowledged."""
        own = self._own.pop(key, None)
        if own is None or own.until_ns < now_ns or now.user not in ("", own.operator.user):
            return now
        return now._replace(
            user=now.user or own.operator.user,
            user_node=now.user_node or own.operator.node,
            domain=now.domain or own.operator.domain,
            full_name=now.full_name or own.operator.full_name,
        )
