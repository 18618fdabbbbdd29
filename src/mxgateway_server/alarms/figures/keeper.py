"""Keeps the figures up to date as the list of alarms changes, and answers for any span of time. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mxgateway_server.alarms.figures.annunciations import Annunciations
from mxgateway_server.alarms.figures.computing import FigureRules, Figures, compute
from mxgateway_server.alarms.figures.floods import SPAN, Flood, FloodWatch
from mxgateway_server.alarms.figures.moments import BEGINNINGS, ENDINGS, Moment, moment_of
from mxgateway_server.alarms.figures.observed import Sight, SightLog
from mxgateway_server.alarms.model import Alarm, AlarmSource, Change, Kind

LATE_SECONDS = 600.0
EVERYTHING = "all"
"""Name of the position that every alarm belongs to."""
_ACKNOWLEDGE = int(Kind.ACKNOWLEDGE)


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
        self._last = self._shown = 0.0
        self._since = self._now = now
        # How far the clock has been set back since the floods' own time began: theirs goes on as if it had not been.
        self._behind = 0.0

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
        if kind in BEGINNINGS:
            return self._raised(moment_of(change), alarm.source.key)
        # The same as from its moment, which is not needed for that.
        at = (alarm.changed_ns or change.received_ns) / 1e9
        self._followed(kind, alarm.source.key, at, is_listed=change.is_listed)
        return []

    def advance(self, now: float) -> list[Flood]:
        """Time has passed, or the clock has been set back; the floods that have ended.

        A flood has times of one clock: one that goes on while that is set back is told by the clock before.
        """
        self._behind += max(0.0, self._now - now)
        self._now = now
        floods = [flood for watch in self._floods.values() for flood in watch.advance(now + self._behind)]
        if self._behind and all(watch.is_quiet for watch in self._floods.values()):
            self._behind, self._shown = 0.0, now
            for watch in self._floods.values():
                watch.restart(now)
        return floods

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

    def restore(self, moments: Iterable[Moment], since: float) -> None:
        """Takes in the past, oldest first, out of the history; `since` is when that begins."""
        if not len(self._table):
            # Their time runs forward only, and this is a time before they were made.
            self._floods = {name: FloodWatch(name, self._rules.floods, since) for name in self._floods}
            self._places.clear()
        self._since = since
        for moment in moments:
            self._take(moment)

    def restore_sights(self, sights: Iterable[tuple[float, Sight]]) -> None:
        """How well the alarms of that past were seen, oldest first: without it each would count as many."""
        # Whoever told the first of them saw the plant.
        self._sights.add(self._since, Sight.GOOD)
        for at, sight in sights:
            self._sights.add(at, sight)

    def _take(self, moment: Moment) -> list[Flood]:
        kind, key = moment.kind, moment.source.key
        if kind in BEGINNINGS:
            return self._raised(moment, key)
        self._followed(kind, key, moment.at, is_listed=moment.is_listed)
        return []

    def _followed(self, kind: int, key: str, at: float, *, is_listed: bool) -> None:
        """What came after the beginning."""
        row = self._open.get(key)
        if row is None:
            return
        if kind == _ACKNOWLEDGE:
            self._table.acknowledged(row, at)
        elif kind in ENDINGS:
            self._table.returned(row, at)
        if not is_listed:
            del self._open[key]

    def _raised(self, moment: Moment, key: str) -> list[Flood]:
        self._open.pop(key, None)
        if not moment.is_shown:
            return []
        at, source = moment.at, moment.source
        is_late = at < self._last - LATE_SECONDS
        # Late by a clock that was set back is not late for people, who have it before them now.
        counts_now = at + self._behind >= self._shown - LATE_SECONDS
        if not is_late:
            # Times run in the order of arrival: what comes a little late counts as now.
            at = self._last = max(at, self._last)
        self._open[key] = self._table.add(at, source, moment.priority, is_late=is_late)
        if not counts_now:
            return []
        self._shown = max(at + self._behind, self._shown)
        return [flood for watch in self._watches(source) for flood in watch.add(self._shown)]

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
