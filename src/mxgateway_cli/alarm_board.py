"""What a view of the alarms shows: the list in its order, what happened lately, and how good it is. Without clock and
terminal."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from mxgateway import Alarm, AlarmFeedState, AlarmMode, AlarmState

if TYPE_CHECKING:
    from mxgateway import AlarmChange, AlarmProviderChanged

RATE_WINDOW = 10.0
"""Seconds that the rate of changes looks back."""
_FRESH = 3.0
"""Seconds that an alarm stands out after a change."""


class Look(NamedTuple):
    """How a state looks: none of the three is needed to tell it from the others."""

    shape: str
    word: str
    colour: str


LOOKS = {
    AlarmState.UNACK_ALM: Look("▲", "UNACK_ALM", "bold red"),
    AlarmState.ACK_ALM: Look("△", "ACK_ALM", "red"),
    AlarmState.UNACK_RTN: Look("▽", "UNACK_RTN", "yellow"),
    AlarmState.LATCHED: Look("■", "LATCHED", "magenta"),
    AlarmState.ACK_RTN: Look("·", "ACK_RTN", "dim"),
    AlarmState.UNKNOWN: Look("?", "UNKNOWN", "bold magenta"),
}


def marks(alarm: Alarm) -> list[str]:
    """What stands beside an alarm's state, in words."""
    found = []
    if alarm.uncertain:
        found.append("uncertain")
    if alarm.degraded:
        found.append("degraded")
    if alarm.shelved:
        found.append("shelved")
    if alarm.mode is AlarmMode.SILENCED:
        found.append("silenced")
    return found


def is_hidden(alarm: Alarm) -> bool:
    """Whether a view leaves it out unless it is asked not to: somebody has put it aside."""
    return alarm.shelved or alarm.mode is AlarmMode.SILENCED


def urgency(alarm: Alarm) -> tuple[bool, int, float, str]:
    """What alarms are sorted by: unacknowledged first, then the priority, then the oldest."""
    return alarm.acknowledged, alarm.priority or 1000, alarm.raised.timestamp() if alarm.raised else 0.0, alarm.key


class AlarmBoard:
    """The list of a feed as a view shows it.

    Attributes:
        shows_hidden: also what is shelved or silenced.
        changes: so many came.
        problem: why there is no connection; empty while there is one.
    """

    def __init__(self, *, shows_hidden: bool = False) -> None:
        self.shows_hidden = shows_hidden
        self.changes = 0
        self.state = AlarmFeedState.CONNECTING
        self.provider: AlarmProviderChanged | None = None
        self.problem = ""
        self._alarms: dict[str, Alarm] = {}
        self._sorted: list[Alarm] | None = None
        self._changed_at: dict[str, float] = {}
        self._recent: deque[float] = deque(maxlen=10_000)

    def replace(self, alarms: Iterable[Alarm]) -> None:
        """The list is now this one."""
        self._alarms = {alarm.key: alarm for alarm in alarms}
        self._sorted = None

    def note(self, change: AlarmChange, now: float) -> None:
        """A change came; the list is what `replace` says."""
        self.changes += 1
        self._recent.append(now)
        self._changed_at[change.alarm.key] = now
        if len(self._changed_at) > 2 * len(self._alarms) + 1000:
            self._changed_at = {key: at for key, at in self._changed_at.items() if at > now - _FRESH}

    def rows(self) -> list[Alarm]:
        """The alarms that are shown, the most urgent first."""
        if self._sorted is None:
            shown = (
                self._alarms.values() if self.shows_hidden else (a for a in self._alarms.values() if not is_hidden(a))
            )
            self._sorted = sorted(shown, key=urgency)
        return self._sorted

    def forget_order(self) -> None:
        """What is shown has been chosen anew."""
        self._sorted = None

    def get(self, key: str) -> Alarm | None:
        return self._alarms.get(key)

    def is_fresh(self, alarm: Alarm, now: float) -> bool:
        """Whether it has just changed."""
        return now - self._changed_at.get(alarm.key, -_FRESH) < _FRESH

    def rate(self, now: float) -> float:
        """Changes a second over the last RATE_WINDOW seconds."""
        while self._recent and self._recent[0] < now - RATE_WINDOW:
            self._recent.popleft()
        return len(self._recent) / RATE_WINDOW

    @property
    def badges(self) -> list[str]:
        """What has to be known of the list as a whole; none when it is the plant's, told by the alarm manager."""
        found = []
        if self.state is AlarmFeedState.RECONNECTING:
            found.append("RECONNECTING")
        elif self.state is AlarmFeedState.CONNECTING:
            found.append("NO LIST YET")
        if self.provider is not None:
            words = (("UNCERTAIN", self.provider.uncertain), ("DEGRADED", self.provider.degraded))
            found += [word for word, holds in (*words, ("FORCED", self.provider.forced)) if holds]
        return found

    def summary(self, now: float) -> str:
        """The list in a line."""
        rows = self.rows()
        open_ones = sum(not alarm.acknowledged for alarm in rows)
        count = f"{len(rows)} alarm{'' if len(rows) == 1 else 's'}"
        parts = [count, f"{open_ones} unacknowledged", f"{self.rate(now):.1f} changes/s"]
        if hidden := len(self._alarms) - len(rows):
            parts.append(f"{hidden} shelved or silenced not shown")
        return ", ".join(parts)

    @property
    def why(self) -> str:
        """Why the list is not as good as it could be; empty when it is."""
        if self.problem:
            return self.problem
        if self.provider is not None and (self.provider.uncertain or self.provider.degraded):
            return self.provider.reason
        return ""


def age_text(alarm: Alarm, now: datetime) -> str:
    """How long ago it came up, in one unit; empty when that is not known."""
    age = alarm.age(now)
    if age is None:
        return ""
    seconds = max(0.0, age.total_seconds())
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
