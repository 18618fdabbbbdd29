"""Whether what an attribute shows is an alarm of one kind: its value against the alarm's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from mxgateway_simulator.plant.alarms.kinds import AlarmKind, Bounds, Hysteresis, Test, borders, exceeds
from mxgateway_simulator.plant.alarms.settings import Setting
from mxgateway_simulator.plant.alarms.sources import AnchorSource
from mxgateway_simulator.plant.alarms.tracking import Look
from mxgateway_simulator.plant.board import Board
from mxgateway_simulator.plant.signals import NEVER
from mxgateway_simulator.switches import Switches

_Test: TypeAlias = Callable[[Any, int, bool], bool | None]

_SECOND = 10**9
_RATE_UNITS_S = (1.0, 60.0, 3600.0, 86_400.0)


_METHODS: Mapping[Test, str] = {
    Test.DISCRETE: "_is_active",
    Test.ABOVE: "_is_above",
    Test.BELOW: "_is_below",
    Test.RISING: "_is_rising",
    Test.FALLING: "_is_falling",
    Test.DEVIATION: "_deviates",
    Test.BAD: "_is_active",
}


class Judge:
    """Judges one alarm's attribute.

    Args:
        settings: what the kind looks at, by role: `active`, `limit`, `deadband`, `delay`, `period`, `units`, `target`,
            `settling`.
    """

    __slots__ = ("_board", "_bounds_known", "_hysteresis", "_keeps_when_bad", "_source", "_test", "kind", "settings")

    def __init__(
        self,
        board: Board,
        switches: Switches,
        kind: AlarmKind,
        source: AnchorSource,
        settings: Mapping[str, Setting],
    ) -> None:
        self.kind = kind
        self.settings = settings
        self._board = board
        self._source = source
        self._hysteresis = Hysteresis(switches.limit_deadband)
        self._keeps_when_bad = switches.bad_quality_alarm == "keep"
        self._bounds_known: tuple[int, Bounds | None] = (-1, None)
        self._test: _Test = getattr(self, _METHODS[kind.test])

    def looker(self) -> Look:
        """How to tell whether the condition is there, as long as the board stays as it is.

        A first look follows alarms through hundreds of instants: what stays the same is worked out once.
        """
        value_at = self._source.looker()
        if self.kind.test is Test.BAD:
            return lambda at_ns, holds: value_at(at_ns)[::-1]
        test, when_bad = self._fixed_test(value_at) or self._test, None if self._keeps_when_bad else False

        def look(at_ns: int, holds: bool) -> tuple[bool | None, Any]:
            value, is_bad = value_at(at_ns)
            return (when_bad if is_bad else test(value, at_ns, holds)), value

        return look

    def _fixed_test(self, value_at: Callable[[int], tuple[Any, bool]]) -> _Test | None:
        """The test where nobody has written to the alarm's settings; None where somebody has, or for a discrete one."""
        if self.kind.test is Test.DISCRETE or any(
            each.entry(self._board) is not None for each in self.settings.values()
        ):
            return None
        bounds = self._bounds(0)
        limit = bounds.limit
        begins, stays = borders(bounds)
        if self.is_rate:
            return self._fixed_rate(limit, value_at)
        sign, middle = -1.0 if self.kind.test is Test.BELOW else 1.0, 0.0
        deviates = self.kind.test is Test.DEVIATION
        if deviates:
            middle = self.settings["target"].number(self._board, 0)

        def test(value: Any, at_ns: int, holds: bool) -> bool | None:
            if not _is_number(value):
                return None
            excess = abs(value - middle) - limit if deviates else sign * (value - limit)
            return bool(excess > (stays if holds else begins))

        return test

    def _fixed_rate(self, limit: float, value_at: Callable[[int], tuple[Any, bool]]) -> _Test:
        period, unit = self.period_ns(0), self._unit_s(0)
        sign = -1.0 if self.kind.test is Test.FALLING else 1.0

        def test(value: Any, at_ns: int, holds: bool) -> bool | None:
            before, was_bad = value_at(at_ns - period)
            if was_bad or not _is_number(value) or not _is_number(before):
                return None
            return bool(sign * (float(value - before) / (period / _SECOND) * unit) > limit)

        return test

    def _is_active(self, value: Any, at_ns: int, holds: bool) -> bool | None:
        return bool(value) == bool(self.settings["active"].at(self._board, at_ns))

    def _is_above(self, value: Any, at_ns: int, holds: bool) -> bool | None:
        if not _is_number(value):
            return None
        bounds = self._bounds(at_ns)
        return exceeds(value - bounds.limit, holds, bounds)

    def _is_below(self, value: Any, at_ns: int, holds: bool) -> bool | None:
        if not _is_number(value):
            return None
        bounds = self._bounds(at_ns)
        return exceeds(bounds.limit - value, holds, bounds)

    def _is_rising(self, value: Any, at_ns: int, holds: bool) -> bool | None:
        rate = self.rate(value, at_ns)
        return None if rate is None else rate > self._bounds(at_ns).limit

    def _is_falling(self, value: Any, at_ns: int, holds: bool) -> bool | None:
        rate = self.rate(value, at_ns)
        return None if rate is None else -rate > self._bounds(at_ns).limit

    def rate(self, value: Any, at_ns: int) -> float | None:
        """The change since one evaluation period before, in the attribute's unit of time."""
        period = self.period_ns(at_ns)
        before, was_bad = self._source.value_at(at_ns - period)
        if was_bad or not _is_number(value) or not _is_number(before):
            return None
        return float(value - before) / (period / _SECOND) * self._unit_s(at_ns)

    def _unit_s(self, at_ns: int) -> float:
        """Seconds of the rate's unit of time."""
        unit = self.settings["units"].at(self._board, at_ns)
        return _RATE_UNITS_S[unit] if isinstance(unit, int) and 0 <= unit < len(_RATE_UNITS_S) else 1.0

    def _deviates(self, value: Any, at_ns: int, holds: bool) -> bool | None:
        if not _is_number(value):
            return None
        target = self.settings["target"]
        entry = target.entry(self._board)
        if entry is not None and entry.written_ns <= at_ns < entry.written_ns + self._settling_ns(at_ns):
            return False
        bounds = self._bounds(at_ns)
        return exceeds(abs(value - target.number(self._board, at_ns)) - bounds.limit, holds, bounds)

    # --------------------------------------------------------------------------------------------------------- settings

    def _bounds(self, at_ns: int) -> Bounds:
        revision, known = self._bounds_known
        if revision == self._board.revision and known is not None:
            return known
        limit, deadband = self.settings["limit"], self.settings.get("deadband")
        bounds = Bounds(
            limit.number(self._board, at_ns),
            deadband.number(self._board, at_ns) if deadband is not None else 0.0,
            self._hysteresis,
        )
        is_fixed = limit.entry(self._board) is None and (deadband is None or deadband.entry(self._board) is None)
        self._bounds_known = (self._board.revision, bounds if is_fixed else None)
        return bounds

    @property
    def is_rate(self) -> bool:
        return self.kind.test in (Test.RISING, Test.FALLING)

    def limit(self, at_ns: int) -> Any:
        """What the alarm's limit says; for a discrete alarm the value that is the alarm."""
        setting = self.settings.get("limit") or self.settings.get("active")
        return setting.at(self._board, at_ns) if setting is not None else None

    def delay_ns(self, at_ns: int) -> int:
        """The time deadband."""
        return self._span_ns("delay", at_ns)

    def period_ns(self, at_ns: int) -> int:
        """The evaluation period of a rate."""
        return self._span_ns("period", at_ns) or _SECOND

    def _settling_ns(self, at_ns: int) -> int:
        return self._span_ns("settling", at_ns)

    def _span_ns(self, role: str, at_ns: int) -> int:
        setting = self.settings.get(role)
        return max(0, round(setting.number(self._board, at_ns) * _SECOND)) if setting is not None else 0

    def points(self, after_ns: int, until_ns: int) -> list[int]:
        """The instants in (after, until] at which the judgement may change though the attribute does not."""
        found: list[int] = []
        for role, setting in self.settings.items():
            entry = setting.entry(self._board)
            if entry is None:
                continue
            found += [at for at, _ in entry.steps]
            if role == "target":
                found.append(entry.written_ns + self._settling_ns(until_ns))
        if self.is_rate:
            period = self.period_ns(until_ns)
            found += range((after_ns // period + 1) * period, until_ns + 1, period)
        return [at for at in found if after_ns < at <= until_ns]

    def next_ns(self, t_ns: int) -> int:
        """The first such instant after a time, as far as it can be known."""
        following = NEVER
        if self.is_rate:
            period = self.period_ns(t_ns)
            following = (t_ns // period + 1) * period
        target = self.settings.get("target")
        entry = target.entry(self._board) if target is not None else None
        if entry is not None and entry.written_ns + self._settling_ns(t_ns) > t_ns:
            following = min(following, entry.written_ns + self._settling_ns(t_ns))
        return following


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == value
