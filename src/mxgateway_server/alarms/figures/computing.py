"""The figures of a span of time, from the annunciations in it: definitions after ISA-18.2, IEC 62682 and EEMUA 191.

Pure. Times are seconds since 1970 UTC, lengths are seconds.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from mxgateway_server.alarms.bands import DEFAULT_BANDS
from mxgateway_server.alarms.figures.annunciations import Row
from mxgateway_server.alarms.figures.floods import SPAN, Flood, FloodRules
from mxgateway_server.alarms.model import Alarm, AlarmSource, Mode, State

PERIOD = 600.0
HOUR = 3600.0
DAY = 86_400.0
_MOST_PER_PERIOD = 10
_MOST_PER_HOUR = 30
_CONTRIBUTORS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureRules:
    """Bounds of the definitions.

    Attributes:
        floods: when a flood begins and ends.
        fleeting_seconds: an alarm that is shorter than this, and does not chatter, is fleeting.
        chatter_times: an alarm chatters that comes up so often within `chatter_seconds`.
        bands: last priority of each band, the most urgent first.
        top: alarms in the lists of the worst.
    """

    floods: FloodRules = field(default_factory=FloodRules)
    fleeting_seconds: float = 10.0
    chatter_times: int = 3
    chatter_seconds: float = 60.0
    bands: tuple[int, ...] = DEFAULT_BANDS
    top: int = 10


@dataclass(frozen=True, slots=True)
class Often:
    """How often an alarm did something, and its share of all that were counted, 0 to 1."""

    reference: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class PriorityShare:
    """Alarms of a band of priorities, both borders included."""

    first: int
    last: int
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long something took; zeros when it never happened."""

    median: float = 0.0
    ninety_percent: float = 0.0
    longest: float = 0.0
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PastFlood:
    """A flood, and who made it."""

    flood: Flood
    contributors: tuple[Often, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one operator's position over a span of time.

    Attributes:
        annunciated: alarms that came up in front of people.
        average_rate: per ten minutes of the time in which a provider spoke.
        peak_rate: most within any ten minutes.
        share_above_ten: of the span's periods of ten minutes by the clock, those with more than ten.
        share_of_hours_above_thirty: of its hours by the clock, those with more than thirty.
        flood_seconds: time in flood.
        most_frequent: the worst alarms.
        chattering: alarms that came up three times and more within a minute, with the times they did.
        fleeting: alarms that were gone within ten seconds without chattering.
        standing: in alarm now.
        stale: references that have been in alarm for more than a day without a break, the oldest first.
        unacknowledged: not acknowledged now.
        oldest_unacknowledged: age of the oldest of them.
    """

    position: str
    annunciated: int
    average_rate: float
    peak_rate: int
    share_above_ten: float
    share_of_hours_above_thirty: float
    flood_seconds: float
    floods: tuple[PastFlood, ...]
    most_frequent: tuple[Often, ...]
    chattering: tuple[Often, ...]
    fleeting: tuple[Often, ...]
    standing: int
    stale: tuple[str, ...]
    priorities: tuple[PriorityShare, ...]
    to_acknowledge: Lengths
    to_return: Lengths
    unacknowledged: int
    oldest_unacknowledged: float
    shelved: int
    silenced: int


def compute(
    position: str,
    rows: Iterable[Row],
    sources: Sequence[AlarmSource],
    alarms: Collection[Alarm],
    rules: FigureRules,
    *,
    begin: float,
    end: float,
    observed: float,
    belongs: Callable[[AlarmSource], bool],
) -> Figures:
    """The figures of one position.

    Args:
        rows: the annunciations of the span, and of the ten minutes before it, in the order in which they came.
        sources: their sources, by number.
        alarms: the list of alarms at the end of the span.
        observed: seconds of the span in which a provider spoke.
        belongs: whether an alarm is one of this position's.
    """
    is_ours = [belongs(source) for source in sources]
    known = [row for row in rows if is_ours[row.source]]
    ours = [row for row in known if row.at >= begin]
    names = [source.reference for source in sources]
    steady = [row for row in known if not row.is_late]
    timely = [row for row in steady if row.at >= begin]
    floods = _floods(position, steady, names, rules.floods, begin, end)
    chattering = _chattering(ours, rules)
    fleeting = Counter(
        row.source for row in ours if row.to_return < rules.fleeting_seconds and row.source not in chattering
    )
    present = [alarm for alarm in alarms if belongs(alarm.source)]
    open_ages = [
        max(0.0, end - alarm.raised_ns / 1e9)
        for alarm in present
        if alarm.state in (State.UNACK_ALM, State.UNACK_RTN) and alarm.raised_ns
    ]
    return Figures(
        position=position,
        annunciated=len(ours),
        # A rate needs ten minutes to be one: after a few seconds each alarm would count as many.
        average_rate=len(ours) / max(observed / PERIOD, 1.0),
        peak_rate=_peak([row.at for row in steady], begin),
        share_above_ten=_share_above(timely, PERIOD, _MOST_PER_PERIOD, begin, end),
        share_of_hours_above_thirty=_share_above(timely, HOUR, _MOST_PER_HOUR, begin, end),
        flood_seconds=sum((past.flood.ended or end) - max(past.flood.began, begin) for past in floods),
        floods=floods,
        most_frequent=_worst(Counter(row.source for row in ours), names, rules.top, len(ours)),
        chattering=_worst(chattering, names, rules.top, len(ours)),
        fleeting=_worst(fleeting, names, rules.top, len(ours)),
        standing=sum(alarm.state.is_active for alarm in present),
        stale=_stale(present, end),
        priorities=_by_priority(ours, rules.bands),
        to_acknowledge=_lengths(row.to_acknowledge for row in ours),
        to_return=_lengths(row.to_return for row in ours),
        unacknowledged=sum(alarm.state in (State.UNACK_ALM, State.UNACK_RTN) for alarm in present),
        oldest_unacknowledged=max(open_ages, default=0.0),
        shelved=sum(alarm.is_shelved for alarm in present),
        silenced=sum(alarm.mode is Mode.SILENCED for alarm in present),
    )


def _worst(counts: Counter[int], names: Sequence[str], top: int, total: int) -> tuple[Often, ...]:
    # Equal counts by name, so that the same alarms give the same list.
    ranked = sorted(counts.items(), key=lambda each: (-each[1], names[each[0]].casefold()))
    return tuple(Often(names[source], count, count / total if total else 0.0) for source, count in ranked[:top])


def _peak(times: Sequence[float], begin: float) -> int:
    window: deque[float] = deque()
    highest = 0
    for at in times:
        window.append(at)
        while window[0] <= at - PERIOD:
            window.popleft()
        if at >= begin:
            highest = max(highest, len(window))
    return highest


def _share_above(rows: Iterable[Row], length: float, most: int, begin: float, end: float) -> float:
    periods = math.ceil(end / length) - math.floor(begin / length)
    counts = Counter(math.floor(row.at / length) for row in rows)
    return sum(count > most for count in counts.values()) / periods if periods > 0 else 0.0


def _floods(
    position: str, rows: Sequence[Row], names: Sequence[str], rules: FloodRules, begin: float, end: float
) -> tuple[PastFlood, ...]:
    """Walks through the alarms and through the moments at which each is ten minutes old."""
    found: list[PastFlood] = []
    window: deque[float] = deque()
    began: float | None = None
    contributors: Counter[int] = Counter()

    def finish(ended: float | None) -> None:
        nonlocal began
        assert began is not None
        if ended is None or ended > begin:
            total = contributors.total()
            worst = _worst(contributors, names, _CONTRIBUTORS, total)
            found.append(PastFlood(flood=Flood(position, began, ended, total), contributors=worst))
        began = None
        contributors.clear()

    def expire(until: float) -> None:
        while window and window[0] + SPAN <= until:
            expired = window.popleft() + SPAN
            if began is not None and len(window) < rules.ends_below:
                finish(expired)

    for row in rows:
        expire(row.at)
        window.append(row.at)
        if began is not None:
            contributors[row.source] += 1
        elif len(window) > rules.begins_above:
            began = row.at
            contributors[row.source] += 1
    expire(end)
    if began is not None:
        finish(None)
    return tuple(found)


def _chattering(rows: Iterable[Row], rules: FigureRules) -> Counter[int]:
    """By source: the times that it came up as one of three, or more, within a minute."""
    newest: dict[int, deque[list[float]]] = {}
    counts: Counter[int] = Counter()
    for row in rows:
        if row.is_late:
            continue
        times = newest.setdefault(row.source, deque(maxlen=rules.chatter_times))
        # Time, and 1 when it is counted already.
        times.append([row.at, 0])
        if len(times) == rules.chatter_times and row.at - times[0][0] <= rules.chatter_seconds:
            for each in times:
                counts[row.source] += 1 - int(each[1])
                each[1] = 1
    return counts


def _by_priority(rows: Sequence[Row], bands: Sequence[int]) -> tuple[PriorityShare, ...]:
    counts = Counter(row.priority for row in rows)
    shares = []
    first = 1
    for last in bands:
        count = sum(number for priority, number in counts.items() if max(first, 1) <= max(priority, 1) <= last)
        shares.append(PriorityShare(first, last, count, count / len(rows) if rows else 0.0))
        first = last + 1
    return tuple(shares)


def _lengths(values: Iterable[float]) -> Lengths:
    known = sorted(value for value in values if not math.isnan(value))
    if not known:
        return Lengths()
    ninetieth = known[math.ceil(0.9 * len(known)) - 1]
    return Lengths(statistics.median(known), ninetieth, known[-1], len(known))


def _stale(alarms: Iterable[Alarm], end: float) -> tuple[str, ...]:
    old = [
        (alarm.raised_ns, alarm.source.reference)
        for alarm in alarms
        if alarm.state.is_active and alarm.raised_ns and end - alarm.raised_ns / 1e9 > DAY
    ]
    return tuple(reference for _, reference in sorted(old))
