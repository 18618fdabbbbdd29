"""An attribute as its alarms see it: its values and qualities at any instant, and the instants at which they change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mxgateway_contract import quality as q
from mxgateway_simulator.plant.entries import Key, Written
from mxgateway_simulator.plant.plant import Plant
from mxgateway_simulator.plant.signals import NEVER, CycleSignal, Signal, StormSignal
from mxgateway_simulator.plant.tags import Tag

_SECOND = 10**9
_STEPS_BACK = 600
_FEWEST_STEPS_BACK = 8
_STRETCHES_BACK = 4
_MOST_SEEN = 3 * _STEPS_BACK


class AnchorSource:
    """The attribute that alarms sit on; all its alarms share one."""

    __slots__ = ("__weakref__", "_plant", "_seen", "_seen_revision", "_steps_back", "_tag")

    def __init__(self, plant: Plant, tag: Tag) -> None:
        self._plant = plant
        self._tag = tag
        self._steps_back = _STEPS_BACK
        self._seen: dict[int, tuple[Any, bool]] = {}
        self._seen_revision = -1

    @property
    def tag(self) -> Tag:
        return self._tag

    @property
    def is_exact(self) -> bool:
        """Whether its past can be worked out at any later time."""
        signal = self._tag.signal
        return signal is not None and not isinstance(signal, Signal) and self._plant.written(self._tag) is None

    def alternating(self) -> StormSignal | CycleSignal | None:
        """The signal that alone decides, when it goes from one value to the other and back; None for all others."""
        signal = self._tag.signal
        if self._tag.quality is not None or self._plant.written(self._tag) is not None:
            return None
        if isinstance(signal, StormSignal) or (isinstance(signal, CycleSignal) and signal.alternates):
            return signal
        return None

    def look_back_less(self, share: float) -> None:
        """Follows only so much of the past from now on, because there are so many."""
        self._steps_back = max(_FEWEST_STEPS_BACK, int(_STEPS_BACK * share))

    def value_at(self, at_ns: int) -> tuple[Any, bool]:
        """The value at a time, and whether its quality is bad."""
        return self.looker()(at_ns)

    def looker(self) -> Callable[[int], tuple[Any, bool]]:
        """As `value_at`, as long as the board stays as it is."""
        revision, seen, look = self._plant.board.revision, self._seen, self._look
        if revision != self._seen_revision or len(seen) > _MOST_SEEN:
            seen.clear()
            self._seen_revision = revision

        def value_at(at_ns: int) -> tuple[Any, bool]:
            found = seen.get(at_ns)
            if found is None:
                found = seen[at_ns] = look(at_ns)
            return found

        return value_at

    def _look(self, at_ns: int) -> tuple[Any, bool]:
        tag = self._tag
        if tag.quality is not None and q.is_bad(tag.quality.sample(at_ns).value):
            return self._plant.value_at(tag, at_ns), True
        written = self._plant.written(tag)
        is_bad = written is not None and at_ns >= written.written_ns and q.is_bad(written.quality)
        return self._plant.value_at(tag, at_ns), is_bad

    def stamp(self, at_ns: int) -> int:
        """The source time of the value that came at an instant."""
        written = self._plant.written(self._tag)
        if written is not None and written.written_ns == at_ns:
            return written.time_ns
        return at_ns

    def points(self, after_ns: int, until_ns: int) -> list[int]:
        """The instants in (after, until] at which value or quality may change, in order."""
        tag = self._tag
        written = self._plant.written(tag)
        found: list[int] = []
        begin = after_ns
        if written is not None:
            found += [at for at, _ in written.steps if after_ns < at <= until_ns]
            if after_ns < written.written_ns <= until_ns:
                found.append(written.written_ns)
            resumed = self._resumed_ns(written)
            begin = max(after_ns, resumed)
            if after_ns < resumed <= until_ns:
                found.append(resumed)
        if begin < until_ns:
            found += self._signal_points(begin, until_ns)
        if tag.quality is not None:
            found += _changes(tag.quality.sample, after_ns, until_ns)
        return sorted(set(found))

    def _resumed_ns(self, written: Written) -> int:
        """When the signal goes on, or went on, after the last write."""
        return written.written_ns + self._tag.resume_ns if self._tag.resume_ns else NEVER

    def _signal_points(self, after_ns: int, until_ns: int) -> list[int]:
        signal = self._tag.signal
        if signal is None:
            return []
        if not isinstance(signal, Signal):
            return list(_changes(signal.sample, after_ns, until_ns))
        interval = signal.interval_ns or _SECOND
        first = (after_ns - signal.offset_ns) // interval + 1
        last = (until_ns - signal.offset_ns) // interval
        return [signal.offset_ns + k * interval for k in range(first, last + 1)]

    def begin(self, t_ns: int) -> int:
        """From when on the past has to be followed to know what stands now."""
        tag = self._tag
        signal = tag.signal
        written = self._plant.written(tag)
        resumed = 0 if written is None else self._resumed_ns(written)
        if signal is None or resumed > t_ns:
            return self._deployed_ns(t_ns)
        if isinstance(signal, Signal):
            back = (signal.interval_ns or _SECOND) * self._steps_back
            return max(resumed, (t_ns - back) // _SECOND * _SECOND, 1)
        at = t_ns
        for _ in range(_STRETCHES_BACK):
            at = signal.sample(at - 1).changed_ns if at < t_ns else signal.sample(at).changed_ns
            if at <= 1:
                break
        return max(resumed, at, 1)

    def since_always(self, at_ns: int, keys: frozenset[Key]) -> int:
        """When something began that has no beginning in the past that is followed: the last write before, if any."""
        latest = self._deployed_ns(at_ns)
        for kind, name in keys:
            entry = self._plant.board.get(kind, name)
            if isinstance(entry, Written) and entry.written_ns <= at_ns:
                latest = max(latest, entry.written_ns)
        return latest

    def _deployed_ns(self, t_ns: int) -> int:
        return max(1, min(self._tag.since_ns, t_ns))

    def next_ns(self, t_ns: int) -> int:
        """The first instant after a time at which value or quality may change by itself."""
        tag = self._tag
        following = NEVER if tag.quality is None else tag.quality.sample(t_ns).next_ns
        written = self._plant.written(tag)
        if written is not None:
            resumed = self._resumed_ns(written)
            if t_ns < resumed:
                return min(following, resumed)
        signal = tag.signal
        if signal is None:
            return following
        if not isinstance(signal, Signal):
            return min(following, signal.sample(t_ns).next_ns)
        interval = signal.interval_ns or _SECOND
        return min(following, signal.offset_ns + ((t_ns - signal.offset_ns) // interval + 1) * interval)


def _changes(sample: Any, after_ns: int, until_ns: int) -> Iterator[int]:
    """The instants of change in (after, until] of what knows its next one."""
    at: int = sample(after_ns).next_ns
    while at <= until_ns:
        yield at
        at = sample(at).next_ns
