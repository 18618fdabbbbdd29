"""What is to be told of alarms and waits for room in the event queue, so that no storm ever fills that.

It is bounded by the number of alarms: of one that changes faster than it can be told, the steps in between are left
out, before any number is given to them. What has been told is known at every moment: that is the list which a query
gives.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mxgateway_protocol.alarms.records import AlarmRecord
from mxgateway_worker.alarms.changes import Change
from mxgateway_worker.alarms.failover import Speaker, Switch

STEPS_KEPT = 16
"""Changes of one alarm that wait at most."""


class _Step:
    """A change that waits; None for one that is only taken over in silence."""

    __slots__ = ("change", "record")

    def __init__(self, change: Change | None, record: AlarmRecord) -> None:
        self.change = change
        self.record = record


class _Turn(NamedTuple):
    """A change of the speaker, with the list of the one that speaks from then on; None to keep the old list."""

    switch: Switch
    alarms: Mapping[str, AlarmRecord] | None
    at_ns: int


class AlarmOutbox:
    """Keeps changes until they can be told, in order."""

    def __init__(self) -> None:
        self._waiting: deque[_Step | _Turn] = deque()
        self._steps: dict[str, deque[_Step]] = {}
        self.published: dict[str, AlarmRecord] = {}
        """The list as it has been told."""
        self.speaker = Speaker.NONE
        """Who it has been told by."""
        self.conflated = 0
        """Changes that were left out."""

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, alarms: Mapping[str, AlarmRecord], speaker: Speaker) -> None:
        """Takes a list over at once, without telling."""
        self._waiting.clear()
        self._steps.clear()
        self.published = dict(alarms)
        self.speaker = speaker

    def add(self, change: Change) -> None:
        """A change to tell."""
        key = change.alarm.key
        steps = self._steps.setdefault(key, deque())
        if len(steps) >= STEPS_KEPT:
            # The last of them is overtaken; the state after it is what counts.
            steps[-1].change, steps[-1].record = change, change.alarm
            self.conflated += 1
            return
        step = _Step(change, change.alarm)
        steps.append(step)
        self._waiting.append(step)

    def adopt(self, record: AlarmRecord) -> None:
        """An alarm that is a little different now, without a change to tell."""
        key = record.key
        steps = self._steps.get(key)
        if steps:
            steps[-1].record = record
        elif not self._waiting:
            self.published[key] = record
        else:
            step = _Step(None, record)
            self._steps.setdefault(key, deque()).append(step)
            self._waiting.append(step)

    def turn(self, switch: Switch, alarms: Mapping[str, AlarmRecord] | None, at_ns: int) -> None:
        """Another speaker: what waits is told first, and nothing of it is mixed with what comes."""
        self._waiting.append(_Turn(switch, None if alarms is None else dict(alarms), at_ns))
        self._steps.clear()

    def flush(
        self, most: int, tell: Callable[[Change, Speaker], None], tell_switch: Callable[[Switch, int], None]
    ) -> None:
        """Tells what waits, `most` changes at most."""
        while self._waiting and most > 0:
            item = self._waiting.popleft()
            if isinstance(item, _Turn):
                most -= 1
                self.speaker = item.switch.speaker
                if item.alarms is not None:
                    self.published = dict(item.alarms)
                tell_switch(item.switch, item.at_ns)
                continue
            self._forget(item)
            key = item.record.key
            if item.change is None:
                self.published[key] = item.record
                continue
            most -= 1
            if item.change.is_gone:
                self.published.pop(key, None)
            else:
                self.published[key] = item.record
            tell(item.change, self.speaker)

    def _forget(self, step: _Step) -> None:
        key = step.record.key
        steps = self._steps.get(key)
        if steps and steps[0] is step:
            steps.popleft()
            if not steps:
                del self._steps[key]
