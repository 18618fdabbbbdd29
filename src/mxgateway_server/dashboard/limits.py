"""How much one login may ask. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MAX_KNOWN = 2000


@dataclass(slots=True)
class _Tokens:
    left: float
    at: float


class RequestLimit:
    """So many requests a second by name, after a burst; `now` is a monotonic time in seconds."""

    def __init__(self, per_second: float = 20.0, burst: float = 60.0) -> None:
        self._per_second = per_second
        self._burst = burst
        self._known: OrderedDict[str, _Tokens] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def admit(self, name: str, now: float) -> bool:
        """Whether one more may come now."""
        tokens = self._known.get(name)
        if tokens is None:
            tokens = self._known[name] = _Tokens(self._burst, now)
            while len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        self._known.move_to_end(name)
        tokens.left = min(self._burst, tokens.left + (now - tokens.at) * self._per_second)
        tokens.at = now
        if tokens.left < 1:
            return False
        tokens.left -= 1
        return True
