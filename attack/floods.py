"""The floods by name, each with the bars that are its matter; and the process that runs one of them."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from attack import callers, endings, large, pages, strangers
from attack.bars import Bars
from attack.target import Target

_ONLY_LOOP = Bars(loop_hold=0.05)
_USUAL = Bars()


@dataclass(frozen=True, slots=True)
class Flood:
    """One flood.

    Attributes:
        run: floods for so many seconds at most, and counts how its calls ended.
        counts_writes: whether the honest client's writes are looked for in the audit afterwards.
        has_browser: whether there is a browser beside, too: it is about the HTTP listener.
        processes: how many of them run it at once: one may have as few as 1,024 open files.
    """

    run: Callable[[Target, float], Awaitable[Counter[str]]]
    bars: Bars = _USUAL
    counts_writes: bool = False
    has_browser: bool = False
    processes: int = 1

    @property
    def title(self) -> str:
        return (self.run.__doc__ or "").strip()


FLOODS: dict[str, Flood] = {
    "bodies": Flood(strangers.bodies, _ONLY_LOOP),
    "whole-bodies": Flood(strangers.whole_bodies, _ONLY_LOOP),
    "silent": Flood(strangers.silent, processes=2),
    "again": Flood(strangers.again, processes=2),
    "resets": Flood(strangers.resets),
    "lockout": Flood(strangers.lockout),
    "guessing": Flood(strangers.guessing),
    "waiting": Flood(strangers.waiting),
    "headers": Flood(strangers.headers),
    "watches": Flood(strangers.watches),
    "batch": Flood(callers.batch, _ONLY_LOOP),
    "entries": Flood(callers.entries, _ONLY_LOOP),
    "numbers": Flood(callers.numbers, _ONLY_LOOP),
    "large-writes": Flood(large.large_writes, _ONLY_LOOP),
    "denials": Flood(callers.denials, counts_writes=True),
    "items": Flood(callers.items),
    "sessions": Flood(callers.sessions),
    "queries": Flood(callers.queries),
    "endings": Flood(endings.endings, Bars(latest=1.0)),
    "locked-store": Flood(callers.locked_store, counts_writes=True),
    "http-silent": Flood(pages.silent, processes=2, has_browser=True),
    "http-greetings": Flood(pages.greetings, has_browser=True),
    "http-addresses": Flood(pages.addresses, has_browser=True),
    "http-slow-headers": Flood(pages.slow_headers, has_browser=True),
    "http-slow-bodies": Flood(pages.slow_bodies, has_browser=True),
    "http-headers": Flood(pages.headers, has_browser=True),
    "http-bodies": Flood(pages.bodies, has_browser=True),
    "http-requests": Flood(pages.requests, has_browser=True),
    "http-guessing": Flood(pages.guessing, has_browser=True),
    "http-streams": Flood(pages.streams, has_browser=True),
    "http-slow-readers": Flood(pages.slow_readers, has_browser=True),
}


def main() -> int:
    name, seconds = sys.argv[1:]
    outcome = asyncio.run(FLOODS[name].run(Target.inherited(), float(seconds)))  # type: ignore[arg-type]
    print(json.dumps(dict(sorted(outcome.items()))), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
