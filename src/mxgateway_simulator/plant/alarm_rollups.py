"""What an object or an area says of the alarms below it: worked out from them whenever somebody looks.

Which alarms are below is found once, when the first such attribute is looked at. An area's are then looked at once a
second at most, because one of its many alarms changes all the time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from mxgateway_simulator.classifications import AREA_CATEGORY
from mxgateway_simulator.plant.alarms import Alarm
from mxgateway_simulator.plant.entries import Key
from mxgateway_simulator.plant.galaxy_file import AttributeRow, GalaxyFile, GalaxyObject
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.plant.signals import NEVER, Sampled
from mxgateway_simulator.plant.tags import Tag

MOST_ALARMS = 400
"""An area with more alarms below it has no roll-ups: to work them out would hold up everything else."""

_MOST_OBJECTS = 4000

_SEVERITIES = 4
_PRIORITIES_A_SEVERITY = 250
_AREA_GRID_NS = 10**9


_MOST_ROLLUPS = 64


class TagFinder(Protocol):
    """What an object's own attributes need of all others."""

    @property
    def plant(self) -> Plant: ...

    def related(self, obj: GalaxyObject, name: str) -> Tag | None:
        """Another attribute, named relative to an object."""

    def anchor_alarm(self, obj: GalaxyObject, row: AttributeRow) -> Alarm | None:
        """The alarm that an attribute of an alarm extension belongs to."""


class _Totals(NamedTuple):
    """The alarms below at one moment; severities 1 (most urgent) to 4, 0 for none."""

    active: int
    unacked: int
    by_severity: tuple[int, ...]
    severity: int
    acked: bool
    in_alarm: bool
    changed_ns: int
    next_ns: int


class AlarmRollup:
    """The alarms of one object, or of an area with all its objects and areas."""

    def __init__(self, plant: Plant, obj: GalaxyObject, alarms: Sequence[tuple[Alarm, Tag]]) -> None:
        self._plant = plant
        self._alarms = alarms
        self._grid_ns = _AREA_GRID_NS if obj.category_id == AREA_CATEGORY else 1
        self._known: tuple[int, int, _Totals] | None = None
        self.keys: frozenset[Key] = frozenset().union(*(alarm.keys | priority.keys for alarm, priority in alarms))

    def reader(self, name: str) -> Callable[[int], Sampled] | None:
        """How to work out an attribute; None for one that is no roll-up."""
        field = _FIELDS.get(name)
        return None if field is None else lambda t_ns: self._sampled(field, t_ns)

    def _sampled(self, field: str, t_ns: int) -> Sampled:
        totals = self._totals(t_ns)
        return Sampled(getattr(totals, field), totals.changed_ns, totals.next_ns)

    def _totals(self, t_ns: int) -> _Totals:
        at = t_ns - t_ns % self._grid_ns
        revision = self._plant.board.revision
        if self._known is None or self._known[:2] != (at, revision):
            self._known = (at, revision, self._worked_out(at))
        return self._known[2]

    def _worked_out(self, at: int) -> _Totals:
        counts = [0] * (_SEVERITIES + 1)
        unacked, changed, following = 0, 0, NEVER
        urgent: tuple[int, bool, bool] | None = None
        for alarm, priority in self._alarms:
            state = alarm.state(at)
            changed, following = max(changed, state.changed_ns, state.acked_ns), min(following, state.next_ns)
            if not state.in_alarm and state.acked:
                continue
            rank = self._plant.sample(priority, at).value // _PRIORITIES_A_SEVERITY + 1
            severity = max(1, min(rank, _SEVERITIES))
            unacked += not state.acked
            counts[severity - 1] += state.in_alarm
            candidate = (severity, state.acked, not state.in_alarm)
            urgent = candidate if urgent is None else min(urgent, candidate)
        severity, acked, over = urgent or (0, True, True)
        if following != NEVER:
            following = max(following, at + self._grid_ns)
        return _Totals(
            active=sum(counts),
            unacked=unacked,
            by_severity=tuple(counts),
            severity=severity,
            acked=acked,
            in_alarm=not over,
            changed_ns=changed,
            next_ns=following,
        )


_FIELDS = {
    "alarmsactive": "active",
    "alarmsunacked": "unacked",
    "alarmcntsbyseverity": "by_severity",
    "alarmcntsbyseverityenableshelved": "by_severity",
    "alarmmosturgentseverity": "severity",
    "alarmmosturgentacked": "acked",
    "alarmmosturgentinalarm": "in_alarm",
}


def is_rollup(name: str) -> bool:
    """Whether a built-in attribute, in lower case, sums up alarms."""
    return name in _FIELDS


def alarms_below(tags: TagFinder, obj: GalaxyObject) -> list[tuple[Alarm, Tag]] | None:
    """The alarms of an object, for an area also of all that is in it, each with its priority; None for too many."""
    places = _places(tags.plant.galaxy, obj)
    if places is None:
        return None
    pairs = (_alarm(tags, owner, anchor) for owner, anchor in places)
    return [pair for pair in pairs if pair is not None]


def _places(galaxy: GalaxyFile, obj: GalaxyObject) -> list[tuple[GalaxyObject, str]] | None:
    """Objects and the attributes that have an alarm, counted before anything about them is looked up."""
    found: list[tuple[GalaxyObject, str]] = []
    waiting, seen = [obj], {obj.gobject_id}
    while waiting:
        current = waiting.pop()
        found += [(current, anchor) for anchor in galaxy.alarm_anchors(current.package_id)]
        if len(found) > MOST_ALARMS or len(seen) > _MOST_OBJECTS:
            return None
        if current.category_id == AREA_CATEGORY:
            for other in galaxy.objects_of_area(current.gobject_id, _MOST_OBJECTS + 1):
                if other.gobject_id not in seen:
                    seen.add(other.gobject_id)
                    waiting.append(other)
    return found


def _alarm(tags: TagFinder, obj: GalaxyObject, anchor: str) -> tuple[Alarm, Tag] | None:
    row = tags.plant.galaxy.attribute(obj.package_id, f"{anchor}.InAlarm")
    alarm = tags.anchor_alarm(obj, row) if row is not None else None
    priority = tags.related(obj, f"{anchor}.Priority")
    return (alarm, priority) if alarm is not None and priority is not None else None


class AlarmRollups:
    """The roll-ups of all objects and areas that somebody looks at."""

    def __init__(self, tags: TagFinder) -> None:
        self._tags = tags
        self._known: dict[int, AlarmRollup | None] = {}

    def of(self, obj: GalaxyObject) -> AlarmRollup | None:
        """What an object or area says of the alarms below it; None when there are too many to say it."""
        if obj.gobject_id not in self._known:
            if len(self._known) >= _MOST_ROLLUPS:
                self._known.clear()
            # Kept, because hundreds of look-ups stand behind an area's.
            alarms = alarms_below(self._tags, obj)
            self._known[obj.gobject_id] = None if alarms is None else AlarmRollup(self._tags.plant, obj, alarms)
        return self._known[obj.gobject_id]

    def clear(self) -> None:
        """Forgets them all, as after a deployment."""
        self._known.clear()
