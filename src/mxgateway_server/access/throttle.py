"""Whoever fails to authenticate has to wait, longer each time; memory for them is bounded."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

MAX_ADDRESSES = 4096
MAX_WAIT = 60.0
_FORGET_AFTER = 300.0
_LOOK_FOR_FREE = 64


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last: float = 0.0
    blocked_until: float = 0.0


class _Failing:
    """Failures by whoever makes them, the longest idle first to be forgotten; those who wait last of all."""

    def __init__(self, failures_before: int, wait: float) -> None:
        self._before = failures_before
        self._wait = wait
        self._who: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._who)

    def reconfigure(self, failures_before: int, wait: float) -> None:
        self._before, self._wait = failures_before, wait

    def blocked_for(self, who: tuple[str, str], now: float) -> float:
        failures = self._who.get(who)
        return 0.0 if failures is None else max(0.0, failures.blocked_until - now)

    def failed(self, who: tuple[str, str], now: float) -> float:
        failures = self._who.get(who)
        if failures is None or now - failures.last > _FORGET_AFTER:
            failures = self._who[who] = _Failures()
        self._who.move_to_end(who)
        failures.count += 1
        failures.last = now
        excess = failures.count - self._before
        waits = 0.0
        if excess >= 0:
            waits = min(MAX_WAIT, self._wait * 2.0 ** min(excess, 10))
            failures.blocked_until = now + waits
        while len(self._who) > MAX_ADDRESSES:
            self._drop_one(now)
        return waits

    def succeeded(self, who: tuple[str, str]) -> None:
        self._who.pop(who, None)

    def has_failed(self, who: tuple[str, str]) -> bool:
        return who in self._who

    def _drop_one(self, now: float) -> None:
        # However many names a stranger makes up, those who have to wait go on waiting.
        for number, (who, failures) in enumerate(self._who.items()):
            if failures.blocked_until <= now:
                del self._who[who]
                return
            if number == _LOOK_FOR_FREE:
                break
        self._who.popitem(last=False)


class Throttle:
    """Failed attempts by address and key id, by address alone where the id is none, and by id over all addresses.

    `now` is a monotonic time in seconds. Of IPv6 an address is its /64: one machine has all of it.

    Args:
        failures_before: failures of one address (with one id) before it has to wait; ten times as many of one id from
            everywhere.
        wait: seconds of the first wait, doubled with each further failure up to a minute; 0 for none at all.
    """

    def __init__(self, failures_before: int, wait: float) -> None:
        self._wait = wait
        self._pairs = _Failing(failures_before, wait)
        self._ids = _Failing(10 * failures_before, wait)

    def reconfigure(self, failures_before: int, wait: float) -> None:
        """Takes other bounds from the next failure on; whoever waits already waits as long as he was told."""
        self._wait = wait
        self._pairs.reconfigure(failures_before, wait)
        self._ids.reconfigure(10 * failures_before, wait)

    def __len__(self) -> int:
        return max(len(self._pairs), len(self._ids))

    def blocked_for(self, address: str, key_id: str, now: float) -> float:
        """Seconds that this address still has to wait with this id; 0 for none.

        Args:
            address: who asks.
            key_id: a key that exists; '' for one that does not, or for none.
            now: the time.
        """
        who = (_network(address), key_id)
        wait = self._pairs.blocked_for(who, now)
        if not wait and key_id and self._pairs.has_failed(who):
            # Guesses from everywhere: whoever has not failed himself does not suffer for them.
            wait = self._ids.blocked_for(("", key_id), now)
        return wait

    def failed(self, address: str, key_id: str, now: float) -> float:
        """Counts a failure, with '' for an id that does not exist; returns how long a wait begins with it, or 0."""
        if not self._wait:
            return 0.0
        waits = self._pairs.failed((_network(address), key_id), now)
        if key_id:
            waits = max(waits, self._ids.failed(("", key_id), now))
        return waits

    def succeeded(self, address: str, key_id: str) -> None:
        """Forgets the failures of an address with this id."""
        self._pairs.succeeded((_network(address), key_id))


@lru_cache(4096)
def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4 or parsed.ipv4_mapped is not None:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False))


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
