"""Many alarms at once: each looked at when it may have changed, and counted for the objects and areas around it."""

from __future__ import annotations

import gc
import heapq
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from mxgateway_simulator.plant.alarms.alarm import Alarm, AlarmSituation
from mxgateway_simulator.plant.alarms.counts import AlarmCounts, Standpoint, severity_of
from mxgateway_simulator.plant.board import Board, Edit
from mxgateway_simulator.plant.entries import STORM, TRACK, Key
from mxgateway_simulator.plant.signals import NEVER

_STEPS_TO_FOLLOW = 400_000
_STEPS_AN_ALARM = 600
_MOST_STORED = 2000
_STORED_WITHIN_NS = 10 * 10**9
_CLOCK_SET_NS = 5 * 10**9


@contextmanager
def uncollected() -> Iterator[None]:
    """Spares the collector from looking again and again at the many objects that are made to stay."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Entry:
    """One alarm of a table.

    Attributes:
        now: as it was when it was last looked at.
        due_ns: when it is to be looked at again.
    """

    __slots__ = ("alarm", "counted", "due_ns", "groups", "now")

    def __init__(self, alarm: Alarm, now: AlarmSituation) -> None:
        self.alarm = alarm
        self.now = now
        self.due_ns = NEVER
        self.counted: Standpoint | None = None
        self.groups: tuple[AlarmCounts, ...] = ()


class AlarmTable:
    """The alarms of some objects, kept up to date at the cost of what changes.

    Args:
        borders: the highest priorities of severity 1, 2 and 3.
        stores: keeps on the board what could not be worked out again after a restart.
    """

    def __init__(
        self, board: Board, alarms: Iterable[Alarm], borders: tuple[int, int, int], *, stores: bool = False
    ) -> None:
        self._board = board
        self._borders = borders
        self.stores = stores
        self._alarms = list(alarms)
        self._entries: dict[str, Entry] = {}
        self._owners: dict[str, list[Entry]] = {}
        self._sources: dict[Key, list[Entry]] = {}
        self._counts: dict[str, AlarmCounts] = {}
        self._heap: list[tuple[int, int, Entry]] = []
        self._pushed = 0
        self._revision = board.revision
        self._at_ns = 0
        self._to_store: dict[str, Entry] = {}
        self.changed: dict[str, Entry] = {}
        """What has changed since this was emptied, by the alarm's name."""

    def __len__(self) -> int:
        return len(self._alarms)

    @property
    def alarms(self) -> Sequence[Alarm]:
        return self._alarms

    @property
    def entries(self) -> dict[str, Entry]:
        """All alarms by name; empty before the first `advance`."""
        return self._entries

    def counts(self, name: str) -> AlarmCounts:
        """The counters of an object or area, by its name in lower case."""
        return self._counts.get(name) or AlarmCounts()

    @property
    def next_ns(self) -> int:
        """When an alarm may change by itself next."""
        return self._heap[0][0] if self._heap else NEVER

    def advance(self, t_ns: int) -> None:
        """Looks at what may have changed up to a time."""
        if not self._entries:
            with uncollected():
                self._begin(t_ns)
            return
        before, self._at_ns = self._at_ns, t_ns
        if before - t_ns > _CLOCK_SET_NS:
            self._look_at(self._entries.values(), t_ns)
        elif t_ns < before:
            # Somebody looks a little behind the others; what they have seen stands.
            self._at_ns = t_ns = before
        if self._board.revision != self._revision:
            self._look_at(self._touched(), t_ns)
        heap = self._heap
        while heap and heap[0][0] <= t_ns:
            due_ns, _, entry = heapq.heappop(heap)
            if due_ns == entry.due_ns:
                entry.due_ns = 0
                self._look_at((entry,), t_ns)

    def store(self, t_ns: int) -> None:
        """Puts what has settled on the board, if this is the table that does so.

        Raises:
            BoardError: the board cannot be written.
        """
        if not self.stores or not self._to_store:
            return
        tracks = []
        for key, entry in list(self._to_store.items())[:_MOST_STORED]:
            track = entry.alarm.condition.to_store(t_ns)
            if track is not None:
                tracks.append((key, track))
            elif t_ns - entry.now.status.changed_ns > _STORED_WITHIN_NS:
                del self._to_store[key]
        if not tracks:
            return

        def edit(changes: Edit) -> None:
            for key, track in tracks:
                changes.put(TRACK, key, track)

        self._board.change(edit)

    # -------------------------------------------------------------------------------------------------------- beginning

    def _begin(self, t_ns: int) -> None:
        share = _STEPS_TO_FOLLOW / (
            _STEPS_AN_ALARM * max(1, sum(not a.condition.source.is_exact for a in self._alarms))
        )
        self._at_ns, self._revision = t_ns, self._board.revision
        groups: dict[str, tuple[AlarmCounts, ...]] = {}
        for alarm in self._alarms:
            if share < 1:
                alarm.condition.source.look_back_less(share)
            entry = Entry(alarm, alarm.situation(t_ns))
            name = alarm.owner.name
            if name not in groups:
                lineage = alarm.owner.lineage()
                groups[name] = tuple(self._counts.setdefault(each.name, AlarmCounts()) for each in lineage)
            entry.groups = groups[name]
            self._entries[alarm.key] = entry
            self._owners.setdefault(name, []).append(entry)
            if alarm.condition.source.tag.looks_around:
                for key in alarm.condition.source.tag.keys:
                    self._sources.setdefault(key, []).append(entry)
            self._settle(entry, entry.now)
        self.changed = dict(self._entries)

    # --------------------------------------------------------------------------------------------------------- changing

    def _touched(self) -> Iterable[Entry]:
        """The alarms that changes of the board may concern."""
        keys = self._board.changed_since(self._revision)
        self._revision = self._board.revision
        if keys is None:
            return list(self._entries.values())
        found: dict[str, Entry] = {}
        for key in keys:
            found.update((entry.alarm.key, entry) for entry in self._concerned(key))
        return found.values()

    def _concerned(self, key: Key) -> Iterable[Entry]:
        kind, name = key
        if kind == TRACK:
            return ()
        found = list(self._sources.get(key, ()))
        if kind == STORM:
            return [*found, *(self._below(name) if name else self._entries.values())]
        parts = name.split(".")
        # `object.attribute.hi.limit` concerns the alarm, all alarms of the attribute, or all of the object.
        for count in range(len(parts), 0, -1):
            start = ".".join(parts[:count])
            entry = self._entries.get(start)
            if entry is not None:
                found.append(entry)
        object_name = parts[0]
        own = self._owners.get(object_name)
        if own is not None and len(parts) > 1:
            found += [entry for entry in own if _shares_anchor(entry, name)]
        if len(parts) == 1 or (parts[-1] in ("alarmmodecmd", "alarminhibit", "plantstate") and len(parts) == 2):
            found += self._below(object_name)
        return found

    def _below(self, name: str) -> list[Entry]:
        """The alarms of an object or area and of all that belongs to it, or that it hosts."""
        found = []
        for entries in self._owners.values():
            owner = entries[0].alarm.owner
            if name in owner.hosts or any(each.name == name for each in owner.lineage()):
                found += entries
        return found

    def _look_at(self, entries: Iterable[Entry], t_ns: int) -> None:
        for entry in entries:
            now = entry.alarm.situation(t_ns)
            before, entry.now = entry.now, now
            self._settle(entry, before)

    def _settle(self, entry: Entry, before: AlarmSituation) -> None:
        now = entry.now
        status = now.status
        point = Standpoint(
            status.state,
            now.mode,
            now.shelved is not None,
            status.in_alarm,
            status.acked,
            severity_of(now.priority, self._borders),
        )
        if point != entry.counted:
            changed = max(status.changed_ns, now.shelved.from_ns if now.shelved else 0)
            for place, counts in enumerate(entry.groups):
                if entry.counted is not None:
                    counts.count(entry.counted, -1, is_local=place == 0)
                counts.count(point, 1, is_local=place == 0)
                counts.changed_ns = max(counts.changed_ns, changed)
            entry.counted = point
        if now[:4] != before[:4]:
            self.changed[entry.alarm.key] = entry
            if self.stores and not entry.alarm.condition.is_derivable:
                self._to_store[entry.alarm.key] = entry
        due_ns = max(now.next_ns, self._at_ns + 1)
        if due_ns != entry.due_ns:
            entry.due_ns = due_ns
            if due_ns != NEVER:
                self._pushed += 1
                heapq.heappush(self._heap, (due_ns, self._pushed, entry))


def _shares_anchor(entry: Entry, name: str) -> bool:
    """Whether a changed attribute is the alarm's anchor, or one below it."""
    anchor = entry.alarm.condition.source.tag.key
    return name == anchor or name.startswith(f"{anchor}.")
