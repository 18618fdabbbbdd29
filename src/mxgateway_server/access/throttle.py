"""Whoever fails to authenticate has to wait, longer each time; memory for them is bounded."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MAX_ADDRESSES = 4096
MAX_WAIT = 60.0
_FORGET_AFTER = 300.0


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    blocked_until: float = 0.0


class Throttle:
    """Failed attempts by whoever makes them (address and key id); `now` is a monotonic time in seconds."""

    def __init__(self, failures_before: int, wait: float) -> None:
        self._before = failures_before
        self._wait = wait
        self._addresses: OrderedDict[str, _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._addresses)

    def blocked_for(self, address: str, now: float) -> float:
        """Seconds that this address still has to wait; 0 for none."""
        failures = self._addresses.get(address)
        return 0.0 if failures is None else max(0.0, failures.blocked_until - now)

    def failed(self, address: str, now: float) -> None:
        """Counts a failure."""
        if not self._wait:
            return
        failures = self._addresses.get(address)
        if failures is None or now - failures.last > _FORGET_AFTER:
            failures = self._addresses[address] = _Failures()
        self._addresses.move_to_end(address)
        failures.count += 1
        failures.last = now
        excess = failures.count - self._before
        if excess >= 0:
            failures.blocked_until = now + min(MAX_WAIT, self._wait * 2.0 ** min(excess, 10))
        while len(self._addresses) > MAX_ADDRESSES:
            self._addresses.popitem(last=False)

    def succeeded(self, address: str) -> None:
        """Forgets the failures of an address."""
        self._addresses.pop(address, None)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float
    suppressed: int = 0


class RecordLimit:
    """How many records of strangers are kept, by address and in all: nobody without a key may fill the disk.

    Args:
        burst: records of one address that are kept at once; ten times as many of all together.
        per_second: records a second beyond it; ten times as many of all together.
    """

    def __init__(self, burst: float = 20.0, per_second: float = 1.0) -> None:
        self._burst = burst
        self._per_second = per_second
        self._addresses: OrderedDict[str, _Bucket] = OrderedDict()
        self._all = _Bucket(10 * burst, 0.0)

    def __len__(self) -> int:
        return len(self._addresses)

    def admit(self, address: str, now: float) -> int | None:
        """Whether to keep a record now: how many of this address were not since the last one, or None for no."""
        bucket = self._addresses.get(address)
        if bucket is None:
            bucket = self._addresses[address] = _Bucket(self._burst, now)
            while len(self._addresses) > MAX_ADDRESSES:
                self._addresses.popitem(last=False)
        self._addresses.move_to_end(address)
        _fill(bucket, now, self._burst, self._per_second)
        _fill(self._all, now, 10 * self._burst, 10 * self._per_second)
        if bucket.tokens < 1 or self._all.tokens < 1:
            bucket.suppressed += 1
            return None
        bucket.tokens -= 1
        self._all.tokens -= 1
        suppressed, bucket.suppressed = bucket.suppressed, 0
        return suppressed


def _fill(bucket: _Bucket, now: float, burst: float, per_second: float) -> None:
    bucket.tokens = min(burst, bucket.tokens + (now - bucket.at) * per_second)
    bucket.at = now
