"""The worker's bounded event queue: serialised events wait here for the writer.

An event's sequence is given when it leaves the queue, so sequences have no holes under any policy, and a drop shows as
a count between two batches, never as a missing number.

While there is room an event is put in without a lock: appending to a deque is atomic, whatever takes events out holds
the lock, and each side counts the bytes of its own.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from mxgateway_contract.varints import PAIR_BITS, PAIRS, varint
from mxgateway_protocol.batches import EVENT_TAG
from mxgateway_protocol.contract import EVENT_QUEUE_CAPACITY

# Field 9 of MxEvent, worker_sequence.
_SEQUENCE_KEY = b"\x48"
_LOW = (1 << PAIR_BITS) - 1
_HEADS = tuple(EVENT_TAG + varint(length) for length in range(0x800))
_CAPACITY_BYTES = 64 * 1024 * 1024


class Policy(Enum):
    """What a full queue does."""

    FAIL_FAST = "fail_fast"
    """Reports one overflow and refuses further events; what waits is still sent. While items are advised, when each
    brings a first value at once, a full queue takes the latest data change of each item beyond its capacity, until it
    is empty; and replaces no more of them than its capacity is while nothing is taken out, so that a flood is still an
    overflow."""
    DROP_OLDEST = "drop_oldest"
    """Drops the oldest events, whatever they are."""
    CONFLATE = "conflate"
    """While events wait, keeps the latest data change of each item; other events are never dropped."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that leave together, as a serialised MxEventBatch."""

    data: bytes
    first_sequence: int
    count: int
    dropped_before: int


class _Waiting:
    """One waiting event that is replaceable in its place."""

    __slots__ = ("body", "key")

    def __init__(self, body: bytes, key: int) -> None:
        self.body = body
        self.key = key


class EventQueue:
    """Bounded by count and by bytes; one thread puts events in, any thread takes them out.

    Args:
        policy: what a full queue does.
        on_waiting: called when the queue stops being empty. An event that is put in while a batch is taken out may go
            untold: whoever takes batches must look at `depth` before it sleeps again.
        on_overflow: called once when events are refused, with the reason.
        capacity: most waiting events. Under `conflate`, and beyond a queue that first values fill, it bounds all but
            data changes, whose bound is the item count.
        capacity_bytes: most waiting bytes.
        is_adding: whether items are being advised; asked only when the queue is full.
    """

    def __init__(
        self,
        policy: Policy,
        on_waiting: Callable[[], None],
        on_overflow: Callable[[str], None],
        capacity: int = EVENT_QUEUE_CAPACITY,
        capacity_bytes: int = _CAPACITY_BYTES,
        is_adding: Callable[[], bool] = lambda: False,
    ) -> None:
        self._policy = policy
        self._on_waiting = on_waiting
        self._on_overflow = on_overflow
        self._capacity = capacity
        self._capacity_bytes = capacity_bytes
        self._is_adding = is_adding
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        # Behind `_waiting`, and all there is under `conflate`.
        self._conflated: deque[_Waiting] = deque()
        self._latest: dict[int, _Waiting] = {}
        # Bytes that ever went in, counted by who puts in before the event can be seen, and those that are out again,
        # counted under the lock.
        self._bytes_in = self._bytes_out = 0
        self._sequence = 0
        self._dropped = 0
        # Data changes replaced beyond a full queue since events were last taken.
        self._replaced = 0
        self._has_overflowed = False
        # Whether an event is simply appended while there is room.
        self._takes_all = policy is not Policy.CONFLATE
        self.dropped_total = 0
        self.refused_total = 0

    @property
    def policy(self) -> Policy:
        return self._policy

    def use_policy(self, policy: Policy) -> None:
        """Changes the policy of a queue that no event has entered yet."""
        with self._lock:
            if self._sequence or self.depth:
                raise RuntimeError("the policy of a queue in use does not change")
            self._policy = policy
            self._takes_all = policy is not Policy.CONFLATE

    @property
    def capacity(self) -> int:
        """Most events that wait."""
        return self._capacity

    @property
    def depth(self) -> int:
        """How many events wait."""
        return len(self._waiting) + len(self._conflated)

    @property
    def _bytes_waiting(self) -> int:
        return self._bytes_in - self._bytes_out

    @property
    def sequence(self) -> int:
        """Sequence of the last event that left."""
        return self._sequence

    def last_sequence(self) -> int:
        """The sequence that the last event in the queue will have; of a policy that drops nothing."""
        with self._lock:
            return self._sequence + self.depth

    @property
    def overflowed(self) -> bool:
        return self._has_overflowed

    def put(self, body: bytes, item: int, is_data_change: bool) -> None:
        """Takes a serialised MxEvent that has no worker_sequence yet.

        Args:
            body: the event's bytes.
            item: anything that stands for the event's item, the same for all its events.
            is_data_change: whether a later event of this kind replaces it under `conflate`.
        """
        waiting = self._waiting
        bytes_in = self._bytes_in + len(body)
        if self._takes_all and len(waiting) < self._capacity and bytes_in - self._bytes_out <= self._capacity_bytes:
            self._bytes_in = bytes_in
            waiting.append(body)
            if len(waiting) == 1:
                self._on_waiting()
            return
        with self._lock:
            was_empty, overflow = self._put_slowly(body, item, is_data_change)
        if overflow:
            self._on_overflow(overflow)
        elif was_empty:
            self._on_waiting()

    def _put_slowly(self, body: bytes, item: int, is_data_change: bool) -> tuple[bool, str]:
        """All but the common case; whether the queue was empty, and why it overflows now."""
        if self._has_overflowed:
            self.refused_total += 1
            return False, ""
        if self._policy is Policy.DROP_OLDEST:
            self._make_room(len(body))
            was_empty, is_full = self._append(body), False
        elif self._policy is Policy.CONFLATE or self._conflated:
            was_empty, is_full = self._put_conflated(body, item, is_data_change)
        elif self._has_room(len(body)):
            # The writer has emptied it since the caller looked.
            was_empty, is_full = self._append(body), False
        elif self._is_adding():
            was_empty, is_full = self._put_conflated(body, item, is_data_change)
            # What follows must not overtake.
            self._takes_all = False
        else:
            was_empty, is_full = False, True
        if not is_full:
            return was_empty, ""
        self._has_overflowed = True
        self._takes_all = False
        self.refused_total += 1
        return False, (
            f"the event queue is full: {self.depth} events, {self._bytes_waiting} bytes waiting;"
            f" policy {self._policy.value}"
        )

    def _has_room(self, length: int) -> bool:
        return len(self._waiting) < self._capacity and self._bytes_waiting + length <= self._capacity_bytes

    def _append(self, body: bytes) -> bool:
        """Whether the queue was empty."""
        self._bytes_in += len(body)
        self._waiting.append(body)
        return len(self._waiting) == 1

    def _make_room(self, length: int) -> None:
        waiting = self._waiting
        while waiting and (len(waiting) >= self._capacity or self._bytes_waiting + length > self._capacity_bytes):
            self._bytes_out += len(waiting.popleft())
            self._dropped += 1
            self.dropped_total += 1

    def _put_conflated(self, body: bytes, item: int, is_data_change: bool) -> tuple[bool, bool]:
        waiting, latest = self._conflated, self._latest
        if is_data_change:
            older = latest.get(item)
            if older is not None:
                if self._policy is Policy.FAIL_FAST and self._replaced >= self._capacity:
                    return False, True
                self._replaced += 1
                self._bytes_in += len(body)
                self._bytes_out += len(older.body)
                older.body = body
                self._dropped += 1
                self.dropped_total += 1
                return False, False
        elif len(waiting) - len(latest) >= self._capacity:
            return False, True
        else:
            # Later data changes of the item stay behind this event.
            latest.pop(item, None)
        if self._bytes_waiting + len(body) > self._capacity_bytes:
            return False, True
        was_empty = not self.depth
        entry = _Waiting(body, item)
        waiting.append(entry)
        self._bytes_in += len(body)
        if is_data_change:
            latest[item] = entry
        return was_empty, False

    def _take(self, max_events: int, max_bytes: int) -> list[bytes]:
        # Who takes is slow, but there: a flood is what nobody takes from.
        self._replaced = 0
        taken = self._take_waiting(max_events, max_bytes) if self._waiting else []
        if self._conflated and len(taken) < max_events:
            taken += self._take_conflated(max_events - len(taken), max_bytes - sum(map(len, taken)), not taken)
            if not self._conflated:
                self._takes_all = self._policy is not Policy.CONFLATE and not self._has_overflowed
        return taken

    def _take_waiting(self, max_events: int, max_bytes: int) -> list[bytes]:
        waiting = self._waiting
        popleft = waiting.popleft
        # Events that come meanwhile stay for the next time.
        count = min(len(waiting), max_events)
        if self._bytes_waiting <= max_bytes:
            taken = [popleft() for _ in range(count)]
            self._bytes_out += sum(map(len, taken))
            return taken
        taken, size = [], 0
        while len(taken) < count and (not taken or size + len(waiting[0]) <= max_bytes):
            body = popleft()
            size += len(body)
            taken.append(body)
        self._bytes_out += size
        return taken

    def _take_conflated(self, max_events: int, max_bytes: int, at_least_one: bool) -> list[bytes]:
        waiting, latest = self._conflated, self._latest
        taken: list[bytes] = []
        size = 0
        while waiting and len(taken) < max_events:
            if size + len(waiting[0].body) > max_bytes and (taken or not at_least_one):
                break
            entry = waiting.popleft()
            if latest.get(entry.key) is entry:
                del latest[entry.key]
            size += len(entry.body)
            taken.append(entry.body)
        self._bytes_out += size
        return taken

    def take_batch(self, max_events: int, max_bytes: int) -> Batch | None:
        """What waits, oldest first, up to the limits (always at least one event); None when nothing waits."""
        with self._lock:
            bodies = self._take(max_events, max_bytes)
            if not bodies:
                return None
            first = self._sequence + 1
            self._sequence += len(bodies)
            dropped, self._dropped = self._dropped, 0
        return Batch(join_numbered(bodies, first), first, len(bodies), dropped)

    def drain(self, max_events: int, max_bytes: int) -> list[bytes]:
        """Complete events that have not been sent and will not be; `max_events` 0 for all that fit `max_bytes`."""
        with self._lock:
            bodies = self._take(max_events or self.depth, max_bytes)
            first = self._sequence + 1
            self._sequence += len(bodies)
        return [body + _SEQUENCE_KEY + varint(first + index) for index, body in enumerate(bodies)]


def join_numbered(bodies: Sequence[bytes], first: int) -> bytes:
    """The bodies as a serialised MxEventBatch, with the sequences from `first` on."""
    parts: list[bytes] = []
    extend = parts.extend
    position, count = 0, len(bodies)
    while position < count:
        sequence = first + position
        low = sequence & _LOW
        if sequence == low:
            number = varint(sequence)
            extend((_head(len(bodies[position]) + 1 + len(number)), bodies[position], _SEQUENCE_KEY, number))
            position += 1
            continue
        # As long as only the low bits of the sequence change, its high bytes are the same.
        high = varint(sequence >> PAIR_BITS)
        extra = 3 + len(high)
        end = min(count, position + _LOW + 1 - low)
        for body, pair in zip(bodies[position:end], PAIRS[low : low + end - position], strict=True):
            length = len(body) + extra
            extend((_HEADS[length] if length < 0x800 else _head(length), body, _SEQUENCE_KEY, pair, high))
        position = end
    return b"".join(parts)


def _head(length: int) -> bytes:
    return EVENT_TAG + varint(length)
