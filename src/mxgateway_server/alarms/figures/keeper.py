"""Keeps the figures up to date as the list of alarms changes, and answers for any span of time. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mxgateway_server.alarms.figures.annunciations import Annunciations
from mxgateway_server.alarms.figures.computing import FigureRules, Figures, compute
from mxgateway_server.alarms.figures.floods import SPAN, Flood, FloodWatch
from mxgateway_server.alarms.figures.observed import Sight, SightLog
from mxgateway_server.alarms.model import Alarm, AlarmSource, Change, Kind, Mode, Origin

LATE_SECONDS = 600.0
EVERYTHING = "all"
"""Name of the position that every alarm belongs to."""
_BEGINNINGS = (Kind.RAISE, Kind.RETRIGGER)
_ENDINGS = (Kind.CLEAR, Kind.LATCH)
_REPEATED = (Origin.SWITCH, Origin.RESTART)


@dataclass(frozen=True, slots=True)
class Report:
    """Figures over a span of time, and how far to trust them; seconds since 1970 UTC, and lengths in seconds.

    Attributes:
        begin: begin of the span; later than asked for when nothing is known of the time before.
        observed: time in which a provider spoke.
        degraded: of that, the time by watched attributes only.
    """

    begin: float
    end: float
    observed: float
    degraded: float
    figures: tuple[Figures, ...]


class FigureKeeper:
    """Figures of the whole plant and of each operator's position.

    Args:
        positions: name of a position → the areas that it is responsible for.
        most: annunciations that are kept.
        now: seconds since 1970 UTC.
    """

    def __init__(
        self, positions: Mapping[str, Collection[str]], rules: FigureRules, now: float, most: int = 500_000
    ) -> None:
        self._rules = rules
        self._areas = {name: frozenset(area.casefold() for area in areas) for name, areas in positions.items()}
        self._table = Annunciations(most)
        self._sights = SightLog()
        self._floods = {name: FloodWatch(name, rules.floods, now) for name in (EVERYTHING, *positions)}
        # Positions of an area path, so that an alarm costs one look-up.
        self._places: dict[frozenset[str], list[FloodWatch]] = {}
        self._open: dict[str, int] = {}
        self._last = 0.0
        self._since = now

    @property
    def positions(self) -> list[str]:
        """Every position, the whole plant first."""
        return list(self._floods)

    @property
    def newest(self) -> float:
        """When the last alarm came up, by the plant's clock; 0 before the first."""
        return self._last

    @property
    def rates(self) -> dict[str, int]:
        """Alarms within ten minutes, by position, as of the last change or `advance`."""
        return {name: watch.rate for name, watch in self._floods.items()}

    @property
    def floods(self) -> list[Flood]:
        """The floods that go on now."""
        return [flood for watch in self._floods.values() if (flood := watch.flood) is not None]

    def seen(self, at: float, sight: Sight) -> None:
        """From now on the plant's alarms are seen so well."""
        self._sights.add(at, sight)

    def changed(self, change: Change) -> list[Flood]:
        """A change of the list; the floods that it begins or ends."""
        kind, alarm = change.kind, change.alarm
        at = (alarm.changed_ns or change.received_ns) / 1e9
        if kind in _BEGINNINGS:
            return self._raised(change, at)
        row = self._open.get(alarm.key)
        if row is None:
            return []
        if kind is Kind.ACKNOWLEDGE:
            self._table.acknowledged(row, at)
        elif kind in _ENDINGS:
            self._table.returned(row, at)
        if not change.is_listed:
            del self._open[alarm.key]
        return []

    def advance(self, now: float) -> list[Flood]:
        """Time has passed; the floods that have ended."""
        return [flood for watch in self._floods.values() for flood in watch.advance(now)]

    def frozen(self) -> FigureKeeper:
        """What is known now, for another thread to make a report of while this one goes on."""
        other: FigureKeeper = object.__new__(FigureKeeper)
        other.__dict__.update(self.__dict__)
        other._table, other._sights = self._table.copied(), self._sights.copied()
        return other

    def report(
        self,
        alarms: Collection[Alarm],
        *,
        begin: float,
        end: float,
        positions: Sequence[str] = (),
        takes: Callable[[AlarmSource], bool] = lambda _: True,
        priorities: tuple[int, int] = (1, 999),
        top: int = 0,
    ) -> Report:
        """The figures of a span of time.

        Args:
            alarms: the list of alarms now.
            positions: names of the positions; empty for all.
            takes: whether an alarm is to be counted at all.
            priorities: first and last priority of the alarms that are to be counted; `alarms` has no others.
            top: alarms in the lists of the worst; 0 for the usual number.

        Raises:
            KeyError: there is no position of this name.
        """
        # The plant's clock may be behind this machine's: what was told counts all the same.
        known_since = min(self._since, self._table.oldest) if len(self._table) else self._since
        begin = min(max(begin, known_since), end)
        rules = replace(self._rules, top=top) if top else self._rules
        observed, degraded = self._sights.seconds(begin, end)
        first, last = priorities
        rows = [row for row in self._table.between(begin - SPAN, end) if first <= max(row.priority, 1) <= last]
        figures = tuple(
            compute(
                name,
                rows,
                self._table.sources,
                alarms,
                rules,
                begin=begin,
                end=end,
                observed=observed,
                belongs=self._belongs(name, takes),
            )
            for name in (positions or self.positions)
        )
        return Report(begin, end, observed, degraded, figures)

    def restore(self, changes: Iterable[Change], since: float) -> None:
        """Takes in the past, oldest first, out of the history; `since` is when that begins."""
        if not len(self._table):
            # Their time runs forward only, and this is a time before they were made.
            self._floods = {name: FloodWatch(name, self._rules.floods, since) for name in self._floods}
            self._places.clear()
        self._since = since
        for change in changes:
            self.changed(change)

    def restore_sights(self, sights: Iterable[tuple[float, Sight]]) -> None:
        """How well the alarms of that past were seen, oldest first: without it each would count as many."""
        # Whoever told the first of them saw the plant.
        self._sights.add(self._since, Sight.GOOD)
        for at, sight in sights:
            self._sights.add(at, sight)

    def _raised(self, change: Change, at: float) -> list[Flood]:
        alarm = change.alarm
        self._open.pop(alarm.key, None)
        if alarm.is_shelved or alarm.mode not in (Mode.ENABLED, Mode.UNKNOWN) or change.origin in _REPEATED:
            return []
        is_late = at < self._last - LATE_SECONDS
        if not is_late:
            # Times run in the order of arrival: what comes a little late counts as now.
            at = self._last = max(at, self._last)
        self._open[alarm.key] = self._table.add(at, alarm.source, alarm.priority, is_late=is_late)
        if is_late:
            return []
        return [flood for watch in self._watches(alarm.source) for flood in watch.add(at)]

    def _watches(self, source: AlarmSource) -> list[FloodWatch]:
        watches = self._places.get(source.folded_areas)
        if watches is None:
            watches = [
                watch
                for name, watch in self._floods.items()
                if name == EVERYTHING or self._areas[name] & source.folded_areas
            ]
            self._places[source.folded_areas] = watches
        return watches

    def _belongs(self, position: str, takes: Callable[[AlarmSource], bool]) -> Callable[[AlarmSource], bool]:
        if position == EVERYTHING:
            return takes
        areas = self._areas[position]
        return lambda source: bool(areas & source.folded_areas) and takes(source)
