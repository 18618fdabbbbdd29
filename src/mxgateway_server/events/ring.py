"""The replay ring of a session: bounded by count, bytes and age, and honest about what it no longer has."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from mxgateway_server.events.chunks import EventChunk
from mxgateway_server.events.kept import KeptChunk, KeptRing


@dataclass(frozen=True, slots=True, kw_only=True)
class RingLimits:
    """Bounds of the ring.

    Attributes:
        delivered_events: how many events at least are kept that some stream has had already, and at most one chunk
            more; 0 for no replay.
        undelivered_events: how many at most are kept while no stream has had them.
        max_bytes: bound of both together; the youngest chunk is always kept.
        retention: seconds after which delivered events go; 0 for no age limit.
    """

    delivered_events: int = 1024
    undelivered_events: int = 10_000
    max_bytes: int = 16 * 1024 * 1024
    retention: float = 300.0


class EventRing:
    """The last events of a session, oldest first. `now` is a monotonic time in seconds."""

    def __init__(self, limits: RingLimits) -> None:
        self._limits = limits
        self._chunks: deque[tuple[float, EventChunk]] = deque()
        self._count = 0
        self._delivered_count = 0
        self._bytes = 0
        self._last_sequence = 0
        self._delivered_through = 0
        self._evicted_through = 0
        self._lost = 0

    @classmethod
    def resumed(cls, limits: RingLimits, kept: KeptRing, now: float) -> EventRing:
        """The ring that `keep` was called of, in another program."""
        ring = cls(limits)
        ring._last_sequence = kept.last_sequence
        ring._delivered_through = kept.delivered_through
        ring._evicted_through = kept.evicted_through
        ring._lost = kept.lost
        for each in kept.chunks:
            chunk = EventChunk(
                first_sequence=each.first_sequence,
                count=each.count,
                data=each.data,
                received_ns=each.received_ns,
                dropped_before=each.dropped_before,
            )
            ring._chunks.append((now - each.age, chunk))
            ring._count += chunk.count
            ring._bytes += len(chunk.data)
            if chunk.last_sequence <= kept.delivered_through:
                ring._delivered_count = ring._count
        return ring

    def keep(self, now: float) -> KeptRing:
        """All of it, to be handed on."""
        return KeptRing(
            chunks=tuple(
                KeptChunk(
                    age=now - at,
                    first_sequence=chunk.first_sequence,
                    count=chunk.count,
                    data=bytes(chunk.data),
                    received_ns=chunk.received_ns,
                    dropped_before=chunk.dropped_before,
                )
                for at, chunk in self._chunks
            ),
            last_sequence=self._last_sequence,
            delivered_through=self._delivered_through,
            evicted_through=self._evicted_through,
            lost=self._lost,
        )

    @property
    def last_sequence(self) -> int:
        """Sequence of the youngest event ever seen."""
        return self._last_sequence

    @property
    def delivered_through(self) -> int:
        """Up to here every event was handed to at least one stream, or counted as lost."""
        return self._delivered_through

    @property
    def count(self) -> int:
        return self._count

    @property
    def size_bytes(self) -> int:
        return self._bytes

    @property
    def oldest_available(self) -> int:
        """Sequence of the oldest event kept, or of the next one to come when none is."""
        return self._chunks[0][1].first_sequence if self._chunks else self._last_sequence + 1

    def append(self, chunk: EventChunk, delivered: bool, now: float) -> int:
        """Takes new events and evicts what is beyond the bounds.

        Args:
            chunk: events younger than all before.
            delivered: whether some stream has been given them.

        Returns:
            How many events were evicted that no stream ever had.
        """
        self._chunks.append((now, chunk))
        self._count += chunk.count
        self._bytes += len(chunk.data)
        self._last_sequence = chunk.last_sequence
        if delivered:
            self._delivered_through = chunk.last_sequence
            self._delivered_count = self._count
        before = self._lost
        self._trim(now)
        return self._lost - before

    def mark_delivered(self) -> int:
        """Everything kept was handed to a stream; returns how many undelivered events had been lost before."""
        self._delivered_through = self._last_sequence
        self._delivered_count = self._count
        lost, self._lost = self._lost, 0
        return lost

    def expire(self, now: float) -> None:
        """Evicts what is too old."""
        self._trim(now)

    def after(self, sequence: int) -> list[EventChunk]:
        """The events kept that are younger than `sequence`."""
        found: list[EventChunk] = []
        for _, chunk in self._chunks:
            if chunk.last_sequence <= sequence:
                continue
            if chunk.first_sequence <= sequence:
                chunk = chunk.split(sequence - chunk.first_sequence + 1)[1]
            found.append(chunk)
        return found

    def has_gap_after(self, sequence: int) -> bool:
        """Whether events younger than `sequence` were evicted."""
        return sequence < self._evicted_through

    def _trim(self, now: float) -> None:
        # Whole chunks only: cutting one would cost work for every event of a fast stream.
        limits = self._limits
        while self._chunks:
            at, chunk = self._chunks[0]
            delivered = chunk.last_sequence <= self._delivered_through
            if delivered:
                is_beyond = self._delivered_count - chunk.count >= limits.delivered_events or (
                    limits.retention > 0 and now - at > limits.retention
                )
            else:
                is_beyond = self._count > limits.undelivered_events and len(self._chunks) > 1
            if not is_beyond and not (self._bytes > limits.max_bytes and len(self._chunks) > 1):
                return
            self._chunks.popleft()
            self._count -= chunk.count
            self._bytes -= len(chunk.data)
            self._evicted_through = chunk.last_sequence
            if delivered:
                self._delivered_count -= chunk.count
            else:
                self._lost += chunk.count + chunk.dropped_before
                self._delivered_through = chunk.last_sequence
