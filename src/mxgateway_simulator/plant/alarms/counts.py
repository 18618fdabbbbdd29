"""What an object or an area says of the alarms below it: counters that each change of an alarm moves by one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mxgateway_simulator.plant.alarms.states import AlarmState, Mode

SEVERITIES = 4
_STATES = (AlarmState.UNACK_ALM, AlarmState.ACK_ALM, AlarmState.UNACK_RTN)
_MODES = 3
_RANKS = _MODES * 2 * 2 * 2 * SEVERITIES


class Standpoint(NamedTuple):
    """One alarm as its owners count it.

    Attributes:
        severity: 1 (most urgent) to 4; 0 for one that is too low to count.
        in_alarm, acked: as its attributes show.
    """

    state: AlarmState
    mode: Mode
    is_shelved: bool
    in_alarm: bool
    acked: bool
    severity: int

    @property
    def counts(self) -> bool:
        """Whether it is counted: what is enabled or silenced, stands in the list and is severe enough."""
        return self.severity > 0 and self.mode is not Mode.DISABLED and self.state in _STATES

    @property
    def rank(self) -> int:
        """Its place in the order of urgency, the most urgent first: mode, shelved, in alarm, acknowledged, severity."""
        rank = int(self.mode) * 2 + self.is_shelved
        return ((rank * 2 + (not self.in_alarm)) * 2 + self.acked) * SEVERITIES + self.severity - 1


class MostUrgent(NamedTuple):
    """The most urgent alarm below; these defaults without one.

    Attributes:
        mode: 0 none, 1 enabled, 2 disabled, 3 silenced, 4 shelved.
    """

    severity: int = 0
    mode: int = 0
    acked: bool = True
    in_alarm: bool = False
    shelved: bool = False


_URGENT_MODES = {Mode.ENABLED: 1, Mode.SILENCED: 3, Mode.DISABLED: 2}


class AlarmCounts:
    """The counters of one object or area.

    Attributes:
        changed_ns: when one of its alarms last changed.
    """

    __slots__ = ("_active", "_enabled", "_local", "_ranks", "_unack_alm", "_unack_rtn", "changed_ns")

    def __init__(self) -> None:
        self._active = [0] * SEVERITIES
        self._unack_alm = [0] * SEVERITIES
        self._unack_rtn = [0] * SEVERITIES
        self._enabled = [0] * SEVERITIES
        self._local = [0] * (3 * SEVERITIES)
        self._ranks = [0] * _RANKS
        self.changed_ns = 0

    def count(self, point: Standpoint, by: int, *, is_local: bool) -> None:
        """Adds (1) or takes away (-1) an alarm.

        Args:
            is_local: it is one of the object's own.
        """
        if not point.counts:
            return
        place = point.severity - 1
        self._ranks[point.rank] += by
        if point.state is AlarmState.UNACK_RTN:
            self._unack_rtn[place] += by
        else:
            self._active[place] += by
            if point.mode is Mode.ENABLED:
                self._enabled[place] += by
            if point.state is AlarmState.UNACK_ALM:
                self._unack_alm[place] += by
        if is_local:
            group = 2 if point.state is AlarmState.UNACK_RTN else 0
            self._local[group * SEVERITIES + place] += by
            if point.state is AlarmState.UNACK_ALM:
                self._local[SEVERITIES + place] += by

    @property
    def active(self) -> int:
        """Alarms that are in alarm."""
        return sum(self._active)

    @property
    def unacknowledged(self) -> int:
        return sum(self._unack_alm) + sum(self._unack_rtn)

    def by_severity(self, *, active_bit_with_rtn: bool) -> tuple[int, ...]:
        """AlarmCntsBySeverity: active, UNACK_ALM, UNACK_RTN, four severities each, and the bits of the own alarms."""
        return (*self._active, *self._unack_alm, *self._unack_rtn, self._bits(active_bit_with_rtn))

    def enabled_by_severity(self, *, active_bit_with_rtn: bool) -> tuple[int, ...]:
        """As `by_severity`, but only alarms that are not silenced among the active ones."""
        return (*self._enabled, *self._unack_alm, *self._unack_rtn, self._bits(active_bit_with_rtn))

    def _bits(self, active_bit_with_rtn: bool) -> int:
        bits = 0
        for place, count in enumerate(self._local):
            if count:
                bits |= 1 << place
                if active_bit_with_rtn and place >= 2 * SEVERITIES:
                    bits |= 1 << (place - 2 * SEVERITIES)
        return bits

    @property
    def most_urgent(self) -> MostUrgent:
        rank = next((place for place, count in enumerate(self._ranks) if count), None)
        if rank is None:
            return MostUrgent()
        rest, severity = divmod(rank, SEVERITIES)
        rest, acked = divmod(rest, 2)
        rest, returned = divmod(rest, 2)
        mode, shelved = divmod(rest, 2)
        number = 4 if shelved else _URGENT_MODES[Mode(mode)]
        return MostUrgent(severity + 1, number, bool(acked), not returned, bool(shelved))


def severity_of(priority: int, borders: tuple[int, int, int]) -> int:
    """The severity of a priority: 1 up to the first border, 4 above the last."""
    return 1 + sum(priority > border for border in borders)


DEFAULT_BORDERS = (249, 499, 749)
BORDERS_SETTING = "severities"


def severity_borders(settings: Mapping[str, str]) -> tuple[int, int, int]:
    """The highest priorities of severity 1, 2 and 3 of a Galaxy."""
    text = settings.get(BORDERS_SETTING)
    if not text:
        return DEFAULT_BORDERS
    first, second, third = (int(part) for part in text.split(","))
    return first, second, third
