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
