"""Globs over ArchestrA names: `*` any run, `?` one character, anchored at both ends, without case."""

from __future__ import annotations

import re
from functools import lru_cache


class Glob:
    """A compiled glob. Matching is linear in the text, whatever the pattern, so a caller's pattern cannot stall us."""

    __slots__ = ("_fullmatch", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._fullmatch = re.compile(_expression(pattern.casefold()), re.DOTALL).fullmatch

    def matches(self, text: str) -> bool:
        return self._fullmatch(text.casefold()) is not None

    def matches_folded(self, folded: str) -> bool:
        """For callers that keep `text.casefold()`."""
        return self._fullmatch(folded) is not None

    def __repr__(self) -> str:
        return f"Glob({self.pattern!r})"


def _expression(pattern: str) -> str:
    literal = ["." if part == "?" else re.escape(part) for part in re.split(r"(\?|\*)", pattern) if part]
    runs: list[str] = [""]
    for part in literal:
        if part == r"\*":
            runs.append("")
        else:
            runs[-1] += part
    if len(runs) == 1:
        return runs[0]
    first, *middle, last = runs
    # Each middle run takes its leftmost place for good (atomic group): no backtracking over other places.
    return first + "".join(f"(?>.*?{run})" for run in middle if run) + f".*{last}"


@lru_cache(maxsize=1024)
def compile_glob(pattern: str) -> Glob:
    """The compiled glob, from a bounded cache that threads may share."""
    return Glob(pattern)
