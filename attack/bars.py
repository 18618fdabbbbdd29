"""What must hold for the honest client and the gateway's memory while somebody floods; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """What is allowed.

    Attributes:
        honest_p99: seconds that 99 of 100 honest calls take at most.
        memory_growth: bytes by which the gateway's memory may rise at most.
        memory_left: bytes of that which may still be held `settle` seconds after the flood.
        settle: seconds.
        loop_hold: seconds for which the event loop may stand still; None where the flood is about other things.
        latest: seconds for which a key that has ended may still get something done; None as above.
    """

    honest_p99: float = 0.25
    memory_growth: int = 200 * MIB
    memory_left: int = 64 * MIB
    settle: float = 30.0
    loop_hold: float | None = None
    latest: float | None = None


@dataclass(frozen=True, slots=True)
class Calls:
    """The honest client's calls of one sort: seconds that each took, and what went wrong."""

    seconds: Sequence[float]
    errors: Sequence[str] = ()

    @property
    def p99(self) -> float:
        """The longest time of the shortest 99 of 100; 0 without calls."""
        ordered = sorted(self.seconds)
        return ordered[-(-len(ordered) * 99 // 100) - 1] if ordered else 0.0

    def as_json(self) -> dict[str, Any]:
        """Figures in milliseconds; of the errors the first ones, each once."""
        ordered = sorted(self.seconds)
        return {
            "count": len(ordered),
            "p50Ms": round(ordered[(len(ordered) - 1) // 2] * 1000, 1) if ordered else 0.0,
            "p99Ms": round(self.p99 * 1000, 1),
            "maxMs": round(ordered[-1] * 1000, 1) if ordered else 0.0,
            "errorCount": len(self.errors),
            "errors": list(dict.fromkeys(self.errors))[:5],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What was seen during one flood.

    Attributes:
        honest: by sort: `steady` (one connection), `fresh` (a connection each), `write`.
        quiet: the same of the seconds before the flood, on this machine as busy as it is.
        memory_before: of the gateway, bytes; then the highest, and the lowest after the flood.
        longest_hold: longest time for which the gateway's event loop stood still, seconds; None when it is not known.
        writes_sent: by the honest client and confirmed.
        writes_recorded: of these in the audit; None when nobody looked.
        is_alive: whether the gateway still ran at the end.
    """

    honest: dict[str, Calls]
    quiet: dict[str, Calls] = field(default_factory=dict)
    memory_before: int
    memory_highest: int
    memory_after: int
    longest_hold: float | None = None
    writes_sent: int = 0
    writes_recorded: int | None = None
    is_alive: bool = True
    flood: dict[str, int] = field(default_factory=dict)


def violations(seen: Observation, bars: Bars) -> list[str]:
    """Each bar that was not held, in words."""
    found = []
    if not seen.is_alive:
        found.append("the gateway is gone")
    for sort, calls in seen.honest.items():
        quiet = seen.quiet.get(sort)
        beside = "" if quiet is None else f" ({quiet.p99 * 1000:.0f} ms before the flood)"
        if not calls.seconds and not calls.errors:
            found.append(f"the honest client made no {sort} call: nothing was measured")
        if calls.errors:
            found.append(f"{len(calls.errors)} honest {sort} calls failed, the first: {calls.errors[0]}")
        if calls.p99 > bars.honest_p99:
            found.append(
                f"honest {sort} calls: p99 {calls.p99 * 1000:.0f} ms, allowed {bars.honest_p99 * 1000:.0f} ms{beside}"
            )
    growth = seen.memory_highest - seen.memory_before
    if growth > bars.memory_growth:
        found.append(f"the gateway grew by {growth // MIB} MiB, allowed {bars.memory_growth // MIB} MiB")
    left = seen.memory_after - seen.memory_before
    if left > bars.memory_left:
        found.append(f"{left // MIB} MiB are held {bars.settle:g} s later, allowed {bars.memory_left // MIB} MiB")
    if bars.loop_hold is not None and seen.longest_hold is not None and seen.longest_hold > bars.loop_hold:
        found.append(
            f"the event loop stood still for {seen.longest_hold * 1000:.0f} ms, allowed {bars.loop_hold * 1000:.0f} ms"
        )
    if bars.latest is not None:
        late = {what: each for what, each in seen.flood.items() if what.endswith("-latest-ms")}
        found += [
            f"{what.removesuffix('-latest-ms')} went on for {each} ms after the key's end, allowed"
            f" {bars.latest * 1000:.0f} ms"
            for what, each in late.items()
            if each > bars.latest * 1000
        ]
        if not late or not seen.flood.get("writes"):
            found.append("nothing was written with keys that end: nothing was measured")
    if seen.writes_recorded is not None and seen.writes_recorded < seen.writes_sent:
        found.append(f"of {seen.writes_sent} honest writes {seen.writes_recorded} are in the audit")
    return found
