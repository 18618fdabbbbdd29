"""The alarm extension: what its sub-attributes show, worked out from the attribute it sits on and the board.

Nothing is remembered here: an alarm's times are those of the attribute's changes, and an acknowledgement counts when it
is not older than the alarm. So every session sees the same alarm state without talking to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from mxgateway_simulator.plant.board import Board, Edit
from mxgateway_simulator.plant.entries import ACK, VALUE, Acked, Key, Step
from mxgateway_simulator.plant.signals import NEVER, Sampled

_LONGEST_COMMENT = 256
_NEVER_ACKED = Acked(0, "")
_DISABLED = 2
"""AlarmModeCmd: 0 enable, 1 silence, 2 disable."""


class AlarmState(NamedTuple):
    """An alarm at one moment; times are 0 for never.

    Attributes:
        on_ns: when the present alarm came up, or the last one.
        off_ns: when the last alarm went away.
        next_ns: earliest time at which this may change by itself.
    """

    in_alarm: bool
    acked: bool
    on_ns: int
    off_ns: int
    acked_ns: int
    changed_ns: int
    next_ns: int
    comment: str


class Alarm:
    """One alarm extension.

    Args:
        sample: the anchor attribute at a time.
        steps: times and values of writes to the anchor, oldest first, what stood before in front.
        anchor: key of the anchor attribute.
        active: the anchor's value that is the alarm.
        owners: object and areas, as named on the board: what disables their alarms disables this one.
    """

    def __init__(
        self,
        board: Board,
        anchor: str,
        sample: Callable[[int], Sampled],
        steps: Callable[[int], Sequence[Step]],
        active: bool,
        owners: Sequence[str] = (),
    ) -> None:
        self._board = board
        self._anchor = anchor
        self._sample = sample
        self._steps = steps
        self._active = active
        places = (anchor, *owners)
        self._inhibits = tuple(f"{place}.alarminhibit" for place in places)
        self._modes = tuple(f"{place}.alarmmodecmd" for place in places)
        self._state: tuple[int, int, AlarmState] | None = None
        self._history: tuple[int, Sampled] | None = None

    @property
    def keys(self) -> frozenset[Key]:
        """Entries of the board that the alarm depends on."""
        own = {(VALUE, self._anchor), (ACK, self._anchor)}
        return frozenset(own | {(VALUE, name) for name in (*self._inhibits, *self._modes)})

    def _enabled(self) -> bool:
        written = self._board.written
        if any((entry := written(name)) and entry.value for name in self._inhibits):
            return False
        return not any((entry := written(name)) and entry.value == _DISABLED for name in self._modes)

    def state(self, t_ns: int) -> AlarmState:
        """The alarm at a time; its sub-attributes ask for the same time one after the other."""
        known = self._state
        if known is not None and known[:2] == (t_ns, self._board.revision):
            return known[2]
        state = self._worked_out(t_ns)
        self._state = (t_ns, self._board.revision, state)
        return state

    def _worked_out(self, t_ns: int) -> AlarmState:
        now = self._sample(t_ns)
        in_alarm = bool(now.value) == self._active
        ack = self._board.acked(self._anchor) or _NEVER_ACKED
        if in_alarm:
            on_ns, off_ns = now.changed_ns, self._previous_end(t_ns, now.changed_ns)
        else:
            on_ns, off_ns = self._last_alarm(t_ns, now.changed_ns)
        if not self._enabled():
            return AlarmState(
                in_alarm=False,
                acked=True,
                on_ns=on_ns,
                off_ns=off_ns,
                acked_ns=ack.time_ns,
                changed_ns=now.changed_ns,
                next_ns=now.next_ns,
                comment=ack.comment,
            )
        return AlarmState(
            in_alarm=in_alarm,
            acked=ack.time_ns >= on_ns,
            on_ns=on_ns,
            off_ns=off_ns,
            acked_ns=ack.time_ns,
            changed_ns=now.changed_ns,
            next_ns=now.next_ns,
            comment=ack.comment,
        )

    def _last_alarm(self, t_ns: int, changed_ns: int) -> tuple[int, int]:
        """Start and end of the alarm before a time without one; zeros when there was none."""
        steps = self._steps(t_ns)
        if steps:
            previous = [at for at, value in steps[:-1] if bool(value) == self._active]
            return (previous[-1], changed_ns) if previous else (0, 0)
        before = self._before(changed_ns)
        if before.next_ns == NEVER or bool(before.value) != self._active:
            return 0, 0
        return before.changed_ns, changed_ns

    def _previous_end(self, t_ns: int, changed_ns: int) -> int:
        if self._steps(t_ns):
            return 0
        before = self._before(changed_ns)
        return 0 if bool(before.value) == self._active else before.changed_ns

    def _before(self, changed_ns: int) -> Sampled:
        """What stood before a change; the past of a signal does not change."""
        if self._history is None or self._history[0] != changed_ns:
            self._history = (changed_ns, self._sample(changed_ns - 1))
        return self._history[1]

    def read(self, name: str) -> Callable[[int], Sampled] | None:
        """How to work out a sub-attribute; None for one that is simply configured."""
        return {
            "inalarm": lambda t: self._sampled(t, "in_alarm"),
            "condition": lambda t: self._sampled(t, "in_alarm"),
            "acked": lambda t: self._sampled(t, "acked"),
            "ackmsg": lambda t: self._sampled(t, "comment"),
            "timealarmon": lambda t: self._sampled(t, "on_ns"),
            "timealarmoff": lambda t: self._sampled(t, "off_ns"),
            "timealarmacked": lambda t: self._sampled(t, "acked_ns"),
        }.get(name.lower())

    def _sampled(self, t_ns: int, name: str) -> Sampled:
        state = self.state(t_ns)
        changed = state.changed_ns
        if name in ("comment", "acked_ns"):
            changed = state.acked_ns or changed
        elif name == "acked" and state.acked:
            changed = max(state.acked_ns, changed)
        return Sampled(getattr(state, name), changed, state.next_ns)

    def acknowledge(self, edit: Edit, comment: Any, now_ns: int) -> None:
        """Writing AckMsg: acknowledges, and the text is the comment."""
        edit.put(ACK, self._anchor, Acked(now_ns, str(comment)[:_LONGEST_COMMENT]))
