"""The attributes in which an object or an area sums up the alarms below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from mxgateway_simulator.classifications import AREA_CATEGORY
from mxgateway_simulator.plant.alarms.counts import AlarmCounts
from mxgateway_simulator.plant.alarms.table import AlarmTable
from mxgateway_simulator.plant.entries import ANYTHING, VALUE, Key
from mxgateway_simulator.plant.galaxy_file import GalaxyObject
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.plant.signals import NEVER, Sampled

_AREA_GRID_NS = 10**9
_DEFAULTS = AlarmCounts()
_MOST_TABLES = 256


def _figures(with_rtn: bool) -> Mapping[str, Callable[[AlarmCounts], Any]]:
    return {
        "alarmsactive": lambda counts: counts.active,
        "alarmsunacked": lambda counts: counts.unacknowledged,
        "inalarm": lambda counts: counts.active > 0,
        "alarmcntsbyseverity": lambda counts: counts.by_severity(active_bit_with_rtn=with_rtn),
        "alarmcntsbyseverityenableshelved": lambda counts: counts.enabled_by_severity(active_bit_with_rtn=with_rtn),
        "alarmmosturgentseverity": lambda counts: counts.most_urgent.severity,
        "alarmmosturgentmode": lambda counts: counts.most_urgent.mode,
        "alarmmosturgentacked": lambda counts: counts.most_urgent.acked,
        "alarmmosturgentinalarm": lambda counts: counts.most_urgent.in_alarm,
        "alarmmosturgentshelved": lambda counts: counts.most_urgent.shelved,
    }


_NAMES = frozenset(_figures(False))


def is_rollup(name: str) -> bool:
    """Whether a built-in attribute, in lower case, sums up alarms."""
    return name in _NAMES


class TableFinder(Protocol):
    """Where roll-ups get their alarms from."""

    @property
    def plant(self) -> Plant: ...

    def alarm_table(self) -> AlarmTable:
        """The alarms of the whole Galaxy."""

    def object_table(self, obj: GalaxyObject) -> AlarmTable:
        """The alarms of an object and of what it contains."""


class AlarmRollups:
    """The roll-ups that somebody looks at. Those of areas share one table, each object has one of its own."""

    def __init__(self, tags: TableFinder) -> None:
        self._tags = tags
        self._tables: dict[int, AlarmTable] = {}
        self._figures = _figures(tags.plant.switches.active_bit_with_rtn)

    def clear(self) -> None:
        """Forgets them all, as after a deployment."""
        self._tables.clear()

    def reader(self, obj: GalaxyObject, name: str) -> tuple[Callable[[int], Sampled], frozenset[Key]]:
        """How to work out a roll-up, and the board entries that change it."""
        figure = self._figures[name]
        own = obj.tag_name.casefold()
        is_area = obj.category_id == AREA_CATEGORY
        switch = f"{own}.alarmaggregationstatecmd"
        board = self._tags.plant.board

        def sampled(t_ns: int) -> Sampled:
            table = self._tags.alarm_table() if is_area else self._table(obj)
            table.advance(t_ns)
            written = board.written(switch)
            counts = _DEFAULTS if written is not None and not written.value else table.counts(own)
            following = table.next_ns
            if is_area and following != NEVER:
                # One of its many alarms changes all the time.
                following = max(following, t_ns + _AREA_GRID_NS)
            return Sampled(figure(counts), min(t_ns, counts.changed_ns), following)

        keys = frozenset({ANYTHING}) if is_area else self._keys(obj)
        return sampled, keys | {(VALUE, switch)}

    def _table(self, obj: GalaxyObject) -> AlarmTable:
        table = self._tables.get(obj.gobject_id)
        if table is None:
            if len(self._tables) >= _MOST_TABLES:
                self._tables.clear()
            table = self._tables[obj.gobject_id] = self._tags.object_table(obj)
        return table

    def _keys(self, obj: GalaxyObject) -> frozenset[Key]:
        return frozenset().union(*(alarm.keys for alarm in self._table(obj).alarms))
