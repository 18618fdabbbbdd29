"""Judges what readers of alarms were told against what the plant did, by rules of its own. Without I/O and clock.

Times are seconds since the storm began.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from chaos.violations import Journal

TOLERANCE = 0.5
"""Seconds that a told time of an occurrence may be beside what the plant did: times of attributes, and of scans."""

JUMP = 100_000
"""A gateway that was killed leaves out more numbers than these."""
UNWRITTEN = 30
"""Changes before such a jump that the history may not have had yet: readers were told that something is missing, and
are told of these again."""

_RAISES = ("RAISE", "RETRIGGER")
# What must have been told last of an alarm before a change, for the change to be one.
_BEFORE = {
    "RAISE": ("", "LATCHED"),
    "RETRIGGER": ("UNACK_ALM", "ACK_ALM", "UNACK_RTN"),
    "ACKNOWLEDGE": ("UNACK_ALM", "UNACK_RTN"),
    "CLEAR": ("UNACK_ALM", "ACK_ALM"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """One change as a reader got it.

    Attributes:
        sequence: 0 for one that its own library found by comparing two lists.
        state: after it; empty when it is not in the list any more.
        raised: when this occurrence began; None when that is not told.
        is_live: whether it is told as something that was seen when it happened.
    """

    sequence: int
    reference: str
    kind: str
    state: str
    raised: float | None
    is_live: bool


@dataclass(slots=True)
class Occurrence:
    """One time that an alarm came up in the plant: between `began` and `up`."""

    began: float
    up: float
    cleared: float | None = None
    acknowledged: float | None = None
    was_told: bool = False

    @property
    def over(self) -> float | None:
        """When nothing was left of it; None while there is."""
        if self.cleared is None or self.acknowledged is None:
            return None
        return max(self.cleared, self.acknowledged)

    @property
    def state(self) -> str:
        if self.cleared is None:
            return "UNACK_ALM" if self.acknowledged is None else "ACK_ALM"
        return "UNACK_RTN" if self.acknowledged is None else ""


@dataclass(slots=True)
class _Reader:
    epoch: str = ""
    last: int = 0
    may_jump: bool = True


@dataclass(slots=True)
class _Log:
    """What all readers together have got of one epoch."""

    changes: dict[int, Told] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)


class AlarmOracle:
    """The plant's own record, and what every reader was told.

    Attributes:
        told: changes in all.
        marks: gaps that were told.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._plant: dict[str, list[Occurrence]] = {}
        self._readers: dict[str, _Reader] = {}
        self._logs: dict[str, _Log] = {}
        self._dark: list[tuple[float, float]] = []
        self.told = 0
        self.marks = 0

    # -------------------------------------------------------------------------------------------------------- the plant

    def happened(self, reference: str, event: str, at: float) -> None:
        """`on`, `off` or `ack` of an alarm of the plant."""
        known = self._plant.setdefault(reference.casefold(), [])
        if event == "on":
            # Until it is known to be done it may happen at any later time.
            known.append(Occurrence(at, float("inf")))
        elif event == "off":
            known[-1].cleared = at
        else:
            known[-1].acknowledged = at

    def is_done(self, reference: str, at: float) -> None:
        """What happened last to this alarm has happened by now."""
        known = self._plant[reference.casefold()][-1]
        known.up = min(known.up, at)

    def state(self, reference: str) -> str:
        """The state of an alarm of the plant; empty when it is not in the list."""
        known = self._plant.get(reference.casefold())
        return known[-1].state if known else ""

    def present(self) -> dict[str, str]:
        """The plant's list: reference without case → state."""
        return {key: known[-1].state for key, known in self._plant.items() if known and known[-1].state}

    def dark(self, begin: float, end: float) -> None:
        """Between these times the gateway could not see everything."""
        self._dark.append((begin, end))

    # ------------------------------------------------------------------------------------------------------ the readers

    def marked(self, reader: str) -> None:
        """A reader was told that changes are missing, or begins with a list."""
        self.marks += 1
        self._readers.setdefault(reader, _Reader()).may_jump = True

    def change(self, reader: str, epoch: str, told: Told, now: float, *, gets_all: bool = True) -> None:
        """A reader got a change.

        Args:
            gets_all: whether its stream has every change of the log, so that numbers follow one another.
        """
        self.told += 1
        self._is_no_invention(reader, told, now)
        if not told.sequence:
            return
        known = self._readers.setdefault(reader, _Reader())
        if known.epoch and epoch != known.epoch and not known.may_jump:
            self._wrong("epoch", reader, now, f"{told.reference}: another epoch, and no gap was told")
        elif known.epoch == epoch and told.sequence <= known.last:
            self._wrong("order", reader, now, f"change {told.sequence} came after {known.last}: {told}")
        elif known.epoch == epoch and gets_all and told.sequence != known.last + 1 and not known.may_jump:
            self._wrong("lost", reader, now, f"change {told.sequence} came after {known.last}, and no gap was told")
        known.epoch, known.last, known.may_jump = epoch, told.sequence, False
        self._goes_into_log(reader, epoch, told, now)

    def _goes_into_log(self, reader: str, epoch: str, told: Told, now: float) -> None:
        log = self._logs.setdefault(epoch, _Log())
        other = log.changes.get(told.sequence)
        if other is None:
            log.changes[told.sequence] = told
            insort(log.numbers, told.sequence)
        elif (other.reference, other.kind, other.state) != (told.reference, told.kind, told.state):
            self._wrong("differs", reader, now, f"change {told.sequence} is {told}, and for another reader {other}")

    def _is_no_invention(self, reader: str, told: Told, now: float) -> None:
        known = self._plant.get(told.reference.casefold(), [])
        if not known:
            self._wrong("invented", reader, now, f"{told.reference} never was in alarm: {told}")
        elif told.kind in _RAISES:
            found = _nearest(known, told.raised)
            if found is None:
                self._wrong("invented", reader, now, f"nothing came up then: {told}")
            else:
                found.was_told = True
        elif told.kind == "CLEAR":
            found = known[-1] if told.raised is None else _nearest(known, told.raised)
            if found is not None and found.cleared is None:
                self._wrong("invented", reader, now, f"it is still in alarm: {told}")
        elif told.kind == "ACKNOWLEDGE":
            found = known[-1] if told.raised is None else _nearest(known, told.raised)
            if found is not None and found.acknowledged is None and not _left_unseen(known, found, told):
                self._wrong("invented", reader, now, f"nobody has acknowledged it: {told}")

    # ------------------------------------------------------------------------------------------------------- at the end

    def judge_logs(self, now: float) -> None:
        """Each change follows from the one before, as far as nothing is missing between them."""
        for log in self._logs.values():
            states: dict[str, str] = {}
            before = 0
            for number in log.numbers:
                if number != before + 1:
                    # What happened in between is not known here, so neither is what was there before.
                    states = {}
                before = number
                told = log.changes[number]
                allowed = _BEFORE.get(told.kind)
                key = told.reference.casefold()
                if key in states and allowed is not None and states[key] not in allowed:
                    self._wrong("doubled", "log", now, f"{told} after {states[key] or 'nothing'}")
                states[key] = told.state
            self._once_each(log, now)

    def _once_each(self, log: _Log, now: float) -> None:
        seen: dict[tuple[str, float], Told] = {}
        ends = [before for before, after in pairwise(log.numbers) if after - before > JUMP]
        for number in log.numbers:
            told = log.changes[number]
            if told.kind not in _RAISES:
                continue
            key = told.reference.casefold()
            found = _nearest(self._plant.get(key, []), told.raised)
            if found is None:
                continue
            first = seen.get((key, found.began))
            if first is not None:
                between = [each for each in self._told_of(key) if first.sequence <= each.sequence <= number]
                text = "; ".join(map(str, between))
                self._wrong("doubled", "log", now, f"it came up once ({found}) and was told twice: {text}")
            if not any(0 <= end - number < UNWRITTEN for end in ends):
                seen[key, found.began] = told

    def judge_losses(self, until: float, now: float) -> None:
        """What came up and was never told must have been over before anybody could look again.

        Args:
            until: what came up later may still be on its way.
        """
        dark = self._merged()
        for reference, known in self._plant.items():
            for place, each in enumerate(known):
                if each.was_told or each.began > until:
                    continue
                # What nobody has acknowledged is over when the alarm comes up again.
                again = known[place + 1].up if place + 1 < len(known) else None
                end = each.over if each.over is not None else again
                if end is None or not any(first <= each.began and end <= last for first, last in dark):
                    told = "; ".join(map(str, self._told_of(reference)[-4:]))
                    text = (
                        f"{reference} came up and was never told: {known[max(0, place - 1) : place + 2]}; told: {told}"
                    )
                    self._wrong("lost", "log", now, text)

    def _told_of(self, reference: str) -> list[Told]:
        """What the logs have of an alarm, in order."""
        found = []
        for log in self._logs.values():
            found += [log.changes[n] for n in log.numbers if log.changes[n].reference.casefold() == reference]
        return found

    def judge_list(self, reader: str, found: Mapping[str, str], now: float, *, area: str = "") -> None:
        """A reader's list at rest is the plant's.

        Args:
            found: reference → state.
            area: the reader has only this one.
        """
        expected = {key: state for key, state in self.present().items() if f"!{area.casefold()}" in key}
        actual = {reference.casefold(): state for reference, state in found.items()}
        for key in sorted(expected.keys() | actual.keys()):
            if expected.get(key) != actual.get(key):
                text = f"{key} is {actual.get(key) or 'not in the list'} and has to be {expected.get(key) or 'gone'}"
                self._wrong("list", reader, now, text)

    def _merged(self) -> list[tuple[float, float]]:
        merged: list[tuple[float, float]] = []
        for begin, end in sorted(self._dark):
            if merged and begin <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        return merged

    def _wrong(self, rule: str, reader: str, now: float, text: str) -> None:
        self._journal.violation(f"alarm-{rule}", reader, now, text)


def _left_unseen(known: list[Occurrence], found: Occurrence, told: Told) -> bool:
    """Whether an occurrence left the list without an acknowledgement of its own: the alarm came up again, that was
    acknowledged, and nobody saw either. Then the origin has to say that it was found by comparison."""
    later = known[known.index(found) + 1 :]
    return not told.is_live and any(each.acknowledged is not None for each in later)


def _nearest(known: list[Occurrence], raised: float | None) -> Occurrence | None:
    """The occurrence that is meant; None when none began then."""
    if raised is None:
        return known[-1] if known else None
    place = bisect_right(known, raised + TOLERANCE, key=lambda each: each.began) - 1
    return known[place] if place >= 0 and raised <= known[place].up + TOLERANCE else None
