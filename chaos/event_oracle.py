"""Judges events: each one delivered once and in order, or covered by an explicit gap or count that is exactly right.

Sequences are given by the worker as events leave it, without holes. So a hole in a stream must be announced: by a
count of dropped events before it, or by the replay gap at the head of a resumed stream. What the worker itself dropped
shows as a count without a hole; where a session's policy allows no loss there, every count must equal its hole.

While items are added no policy holds: where a queue is full then, in the worker or in the gateway, later values replace
earlier ones. Their counts run ahead of the holes that they explain, or have none.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import Enum

from chaos.violations import Journal
from mxgateway_protocol.contract import CALM_AFTER_ADDING

_REMEMBERED = 50_000
_CALM = CALM_AFTER_ADDING + 10.0
"""Seconds of events after which those that came while items were added have been delivered."""
_LONGEST_PAUSE = 1.0


class Losses(Enum):
    """What a stream's policy may do to events that wait."""

    NONE = "none"
    OLDEST = "oldest"
    """The oldest go: a hole comes right after its count."""
    REPLACED = "replaced"
    """Later values replace earlier ones: counts may run ahead of the holes that they explain."""


@dataclass(slots=True)
class SessionEvents:
    """What all streams of one session saw together.

    Attributes:
        worker_may_drop: the session's policy lets the worker drop events.
        last: the youngest sequence that any stream had.
    """

    actor: str
    journal: Journal
    worker_may_drop: bool = False
    last: int = 0
    events: int = 0
    dropped: int = 0
    gaps: int = 0
    streams: int = 0
    _first: int = 0
    _heard: float = _CALM
    _heard_at: float = 0.0
    _digests: OrderedDict[int, int] = field(default_factory=OrderedDict)

    def open_stream(self, after: int, losses: Losses, now: float, *, from_beginning: bool = False) -> StreamEvents:
        """Begins a stream.

        Args:
            after: the sequence that it was asked to go on after; 0 for a fresh one.
            from_beginning: it was asked to begin with the session's first event.
        """
        self.journal.note(self.actor, now, f"stream opened after {after}, losses {losses.value}")
        self.streams += 1
        return StreamEvents(self, after, losses, from_first=from_beginning or self.streams == 1)

    def adds_items(self, now: float) -> None:
        """Items are being added."""
        self._heard, self._heard_at = 0.0, now

    @property
    def is_calm(self) -> bool:
        """Whether what was put into queues while items were added has been delivered; only time with events counts."""
        return self._heard >= _CALM

    def hears(self, now: float) -> None:
        """An event arrived at one of its streams."""
        self._heard += min(now - self._heard_at, _LONGEST_PAUSE)
        self._heard_at = now

    def begins_with(self, sequence: int, announced: int) -> None:
        """Some stream begins with this event, and so many before it were announced as lost."""
        first = max(1, sequence - announced)
        self._first = min(self._first, first) if self._first else first

    def finish(self, now: float) -> None:
        """The session is over: its first events came to somebody, or were announced."""
        if self._first > 1:
            self.journal.violation(
                "head", self.actor, now, f"the first {self._first - 1} events came to no stream and none was told"
            )

    def agree(self, sequence: int, digest: int) -> bool:
        """Whether every stream saw the same event under this sequence."""
        known = self._digests.setdefault(sequence, digest)
        if len(self._digests) > _REMEMBERED:
            self._digests.popitem(last=False)
        return known == digest


class StreamEvents:
    """Judges one stream. Feed it in the order of arrival."""

    def __init__(self, session: SessionEvents, after: int, losses: Losses, *, from_first: bool) -> None:
        self._session = session
        self._losses = losses
        self._after = after
        # A session's first stream begins with its first event. Later fresh ones begin with what nobody has had yet.
        self._expected = after + 1 if after or from_first else 0
        self._pending = 0
        # Announced while items were added, and no hole seen for it yet.
        self._ahead = 0
        self._uncalm = 0
        self._gap = 0
        self._begun = False
        self.last = after
        self.events = 0
        self.dropped_total = 0
        self.missing_total = 0

    def dropped(self, count: int, now: float) -> None:
        """The stream said that so many events are lost or replaced."""
        if count <= 0:
            self._violation("count", now, f"a drop of {count} events was announced")
            return
        self._session.journal.note(self._session.actor, now, f"dropped {count} after {self.last}")
        self._pending += count
        self.dropped_total += count
        if not self._session.is_calm:
            self._uncalm += count
        self._session.dropped += count

    def gap(self, requested_after: int, oldest_available: int, now: float) -> None:
        """The sentinel at the head of a resumed stream."""
        self._session.journal.note(
            self._session.actor, now, f"replay gap: asked after {requested_after}, oldest {oldest_available}"
        )
        self._session.gaps += 1
        if self._begun or not self._expected:
            self._violation("gap", now, "a replay gap came where no resumed stream begins")
        elif requested_after != self._after:
            self._violation("gap", now, f"the replay gap repeats {requested_after}, but {self._after} was asked for")
        elif oldest_available <= self._after + 1:
            self._violation("gap", now, f"a replay gap after {self._after}, though {oldest_available} is available")
        self._begun = True
        self._gap = oldest_available - 1 - requested_after
        self._expected = oldest_available

    def event(self, sequence: int, digest: int, now: float) -> None:
        """An event arrived; `digest` stands for its content."""
        session = self._session
        self._begun = True
        self.events += 1
        session.events += 1
        session.hears(now)
        if sequence <= self.last:
            self._violation("order", now, f"event {sequence} came after {self.last}")
            return
        if not session.agree(sequence, digest):
            self._violation("content", now, f"event {sequence} is another one than an earlier stream had")
        if not self.last:
            session.begins_with(sequence, self._pending + self._gap)
        if self._expected:
            missing = sequence - self._expected
            if missing < 0:
                self._violation("order", now, f"event {sequence} came where {self._expected} was next")
            elif missing or self._pending:
                self._account(missing, sequence, now)
        else:
            # Fresh, and others have read before: what was announced concerns what came before this stream.
            self._pending = 0
            self.dropped_total = self._uncalm = 0
        self.last = sequence
        self._expected = sequence + 1
        session.last = max(session.last, sequence)

    def settled(self, now: float) -> None:
        """Nothing is under way any more: everything must have come, and all counts must be exact."""
        if self.last < self._session.last:
            self._violation("lost", now, f"the stream ends with {self.last}; others had {self._session.last}")
        excess = self.dropped_total - self.missing_total
        if self._losses is Losses.REPLACED and excess > self._uncalm and not self._session.worker_may_drop:
            self._violation(
                "count", now, f"{self.dropped_total} events were counted as replaced, {self.missing_total} are missing"
            )

    def _account(self, missing: int, sequence: int, now: float) -> None:
        self.missing_total += missing
        if self._losses is Losses.REPLACED:
            if self.missing_total > self.dropped_total:
                self._violation(
                    "lost",
                    now,
                    f"{missing} events are missing before {sequence}: {self.missing_total} in all, "
                    f"{self.dropped_total} announced",
                )
            return
        pending, self._pending = self._pending, 0
        if missing > pending + self._ahead:
            told = f"{pending} were announced" + (f" and {self._ahead} earlier" if self._ahead else "")
            self._violation("lost", now, f"{missing} events are missing before {sequence}, {told}")
            self._ahead = 0
        elif pending <= missing or not self._session.is_calm:
            self._ahead += pending - missing
        elif not self._session.worker_may_drop:
            self._violation("count", now, f"{pending} events were announced as lost before {sequence}, {missing} are")

    def _violation(self, rule: str, now: float, text: str) -> None:
        self._session.journal.violation(rule, self._session.actor, now, text)
