"""A session's events as one gateway program hands them on to the next: durations instead of moments of a clock."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptChunk:
    """Events of the ring; see EventChunk.

    Attributes:
        age: seconds since they came.
    """

    age: float
    first_sequence: int
    count: int
    data: bytes = field(repr=False)
    received_ns: int
    dropped_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRing:
    """The replay ring; the fields are those of EventRing."""

    chunks: tuple[KeptChunk, ...]
    last_sequence: int
    delivered_through: int
    evicted_through: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptHub:
    """The hub, of whose streams none is left.

    Attributes:
        policy: number of the session's backpressure policy.
        calm: seconds for which first values may still be on their way.
        delivered, dropped, unread, overflows: its totals, see HubTotals.
    """

    policy: int
    ring: KeptRing
    calm: float
    delivered: int
    dropped: int
    unread: int
    overflows: int
