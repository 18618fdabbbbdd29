"""The list of alarms and the log of its changes, kept together: every change goes through here and gets its number."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from mxgateway_server.alarms.bands import PriorityBands
from mxgateway_server.alarms.evolving import Evolution, compared, evolved, ordinary_step, over, removed, reported
from mxgateway_server.alarms.log import ChangeLog
from mxgateway_server.alarms.model import Alarm, AlarmSource, Change, Kind, Origin, Report, Snapshot, State
from mxgateway_server.alarms.occurrences import is_all_the_same, is_same_occurrence

_PAST_GUIDS = 20_000


@dataclass(slots=True)
class BookCounters:
    """What happened beside the changes.

    Attributes:
        repeated: reports of what was known already.
        stale: reports about an occurrence before the present one.
        unknown_states: reports with a state that is not understood.
        changes: by kind and band of priorities.
    """

    repeated: int = 0
    stale: int = 0
    unknown_states: int = 0
    changes: Counter[tuple[Kind, str]] = field(default_factory=Counter)


class AlarmBook:
    """The gateway's list of alarms.

    Args:
        bands: by which alarms are counted.
    """

    def __init__(self, log: ChangeLog, bands: PriorityBands | None = None) -> None:
        self.log = log
        self.bands = bands or PriorityBands()
        self.counters = BookCounters()
        self.states: Counter[tuple[State, str]] = Counter()
        """Alarms of the list by state and band."""
        self._alarms: dict[str, Alarm] = {}
        self._by_guid: dict[str, str] = {}
        # References end with object and attribute: what is before those, and of how many alarms, finds them all. Only
        # what is named otherwise has an entry of its own.
        self._places: Counter[str] = Counter()
        self._elsewhere: dict[str, dict[str, None]] = {}
        self._past_guids: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._alarms)

    @property
    def alarms(self) -> Mapping[str, Alarm]:
        """Every alarm in the list, by its key; not to be changed."""
        return self._alarms

    def cut(self) -> list[Alarm]:
        """The list at this moment."""
        return list(self._alarms.values())

    def by_guid(self, guid: str) -> Alarm | None:
        """The alarm whose present occurrence has, or had, this GUID."""
        key = self._by_guid.get(guid)
        return None if key is None else self._alarms.get(key)

    def successor(self, guid: str) -> Alarm | None:
        """The alarm as it is now, of which this GUID named an earlier occurrence; None when none is in the list."""
        key = self._past_guids.get(guid)
        return None if key is None else self._alarms.get(key)

    def by_object(self, object_reference: str) -> list[Alarm]:
        """The alarms of this object and attribute."""
        wanted = object_reference.casefold()
        keys = [place + wanted for place in self._places] + list(self._elsewhere.get(wanted, ()))
        found = [alarm for key in keys if (alarm := self._alarms.get(key)) is not None]
        return [alarm for alarm in found if alarm.source.object_reference.casefold() == wanted]

    # ---------------------------------------------------------------------------------------------------- what comes in

    def restore(self, alarms: Iterable[Alarm]) -> None:
        """Takes the list of an earlier run; nothing has changed by that."""
        for alarm in alarms:
            self._put(alarm, self._alarms.get(alarm.key))

    def adopt(self, snapshot: Snapshot) -> None:
        """Takes the first list; there is nothing that it could be compared with."""
        for alarm in snapshot.alarms:
            if alarm.state.is_listed:
                self._put(alarm, self._alarms.get(alarm.key))

    def report(self, report: Report, received_ns: int) -> list[Change]:
        """Takes what a provider says has happened to one alarm; the changes that this was."""
        alarm = report.alarm
        if alarm.raw_state:
            self.counters.unknown_states += 1
        key = alarm.source.key
        current = self._alarms.get(key)
        step = ordinary_step(current, report)
        if step is not None:
            kind, is_listed = step
            return [self._append(kind, report.origin, alarm, key, current, received_ns, is_listed=is_listed)]
        evolution = reported(current, report)
        if evolution.is_stale:
            self.counters.stale += 1
            return []
        if not evolution.drafts:
            self.counters.repeated += 1
        return self._take(key, evolution, received_ns)

    def meet(
        self,
        snapshot: Snapshot,
        origin: Origin,
        received_ns: int,
        is_deployed: Callable[[Alarm], bool] = lambda _: True,
        newer: Collection[str] = (),
    ) -> list[Change]:
        """Compares the list with a provider's and makes them one.

        Args:
            origin: of the changes that are found.
            is_deployed: whether the object of an alarm that is missing is still there; else it is removed, not clear.
            newer: keys of the alarms that something has been told of since the snapshot was made.
        """
        told = self._newest_of_each(snapshot.alarms)
        for key in newer:
            told.pop(key, None)
        moved = {alarm.guid for key, alarm in told.items() if alarm.guid and key not in self._alarms}
        found: list[tuple[str, Evolution]] = []
        for key, alarm in told.items():
            current = self._alarms.get(key)
            if current is None:
                found.append((key, evolved(None, alarm, origin, is_same=True)))
            elif not is_all_the_same(current, alarm):
                found.append((key, compared(current, alarm, origin)))
        # While events come without a hole, a list that is cut makes nothing less certain.
        is_doubtful = not snapshot.is_truncated or origin is not Origin.RECONCILE
        for key, current in self._alarms.items():
            if key in told or key in newer:
                continue
            if not snapshot.knows(current):
                if is_doubtful and not current.is_uncertain:
                    found.append((key, Evolution([], current.having(is_uncertain=True))))
            elif current.guid in moved or not is_deployed(current):
                found.append((key, removed(current, origin)))
            else:
                found.append((key, over(current, origin)))
        # In the order of the plant's own times, and always the same one.
        found.sort(key=lambda each: (each[1].drafts[0].alarm.changed_ns if each[1].drafts else 0, each[0]))
        return [change for key, evolution in found for change in self._take(key, evolution, received_ns)]

    # ---------------------------------------------------------------------------------------------------------- details

    @staticmethod
    def _newest_of_each(alarms: Collection[Alarm]) -> dict[str, Alarm]:
        newest: dict[str, Alarm] = {}
        for alarm in alarms:
            if not alarm.state.is_listed:
                continue
            other = newest.get(alarm.key)
            if other is None or (alarm.raised_ns, alarm.changed_ns) > (other.raised_ns, other.changed_ns):
                newest[alarm.key] = alarm
        return newest

    def _take(self, key: str, evolution: Evolution, received_ns: int) -> list[Change]:
        changes = []
        for draft in evolution.drafts:
            before = self._alarms.get(key)
            change = self._append(
                draft.kind, draft.origin, draft.alarm, key, before, received_ns, is_listed=draft.is_listed
            )
            changes.append(change)
        if evolution.alarm is not None and not changes:
            # Names and times of the occurrence, and who tells them: no change to a reader.
            current = self._alarms.get(key)
            evolution.alarm.sequence = 0 if current is None else current.sequence
            self._put(evolution.alarm, current)
        return changes

    def _append(
        self,
        kind: Kind,
        origin: Origin,
        alarm: Alarm,
        key: str,
        before: Alarm | None,
        received_ns: int,
        *,
        is_listed: bool,
    ) -> Change:
        log = self.log
        sequence = log.newest + 1
        if alarm.sequence:
            alarm = alarm.having()
        alarm.sequence = sequence
        change = Change(sequence, kind, origin, alarm, before, is_listed, received_ns)
        log.append(change)
        self.counters.changes[kind, self.bands.name_of(alarm.priority)] += 1
        if is_listed:
            self._put(alarm, before)
        elif before is not None:
            self._drop(key, before)
        return change

    def _put(self, alarm: Alarm, old: Alarm | None) -> None:
        """Has the alarm in the list.

        Args:
            old: as it is there now.
        """
        source = alarm.source
        key = source.key
        if old is not None and (old.guid != alarm.guid or old.former_guids != alarm.former_guids):
            self._forget_guids(old)
        self._alarms[key] = alarm
        if old is None:
            self._count(alarm, 1)
            self._note_object(source)
        else:
            if old.state is not alarm.state or old.priority != alarm.priority:
                self._count(alarm, 1)
                self._count(old, -1)
            if old.source is not source:
                self._forget_object(old.source)
                self._note_object(source)
        if alarm.guid:
            self._by_guid[alarm.guid] = key
        for guid in alarm.former_guids:
            self._by_guid[guid] = key

    def _drop(self, key: str, old: Alarm) -> None:
        del self._alarms[key]
        self._count(old, -1)
        self._forget_guids(old)
        self._forget_object(old.source)

    def _count(self, alarm: Alarm, by: int) -> None:
        self.states[alarm.state, self.bands.name_of(alarm.priority)] += by

    def _forget_guids(self, alarm: Alarm) -> None:
        key = alarm.source.key
        for guid in alarm.all_guids:
            if self._by_guid.get(guid) == key:
                del self._by_guid[guid]
                self._past_guids[guid] = key
        while len(self._past_guids) > _PAST_GUIDS:
            self._past_guids.popitem(last=False)

    def _note_object(self, source: AlarmSource) -> None:
        place, wanted = _place_of(source)
        if place:
            self._places[place] += 1
        else:
            self._elsewhere.setdefault(wanted, {})[source.key] = None

    def _forget_object(self, source: AlarmSource) -> None:
        place, wanted = _place_of(source)
        if place:
            self._places[place] -= 1
            if not self._places[place]:
                del self._places[place]
            return
        keys = self._elsewhere.get(wanted, {})
        keys.pop(source.key, None)
        if not keys:
            self._elsewhere.pop(wanted, None)


@lru_cache(maxsize=4096)
def _place_of(source: AlarmSource) -> tuple[str, str]:
    """What the reference has before object and attribute, and those; the first is empty when it does not end so."""
    key, wanted = source.key, source.object_reference.casefold()
    return (key[: -len(wanted)] if wanted and key.endswith(wanted) else "", wanted)


def is_occurrence(alarm: Alarm, guid: str, raised_ns: int) -> bool:
    """Whether a caller who names an occurrence by GUID, by its start or by both means the present one."""
    if guid and guid not in alarm.all_guids:
        return False
    return not raised_ns or is_same_occurrence(alarm, Alarm(alarm.source, State.UNKNOWN, raised_ns=raised_ns))
