"""The header by which a caller says which trace a call belongs to: W3C Trace Context, level 1."""

from __future__ import annotations

import re
from dataclasses import dataclass

KEY = "traceparent"
_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z")
_SAMPLED = 1
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class TraceParent:
    """Where a caller stands in its trace.

    Attributes:
        is_sampled: whether the caller records its own part; who comes after it does as it did.
    """

    trace_id: int
    span_id: int
    is_sampled: bool


def parse(header: object) -> TraceParent | None:
    """What the header says; None for one that is not well formed, which counts as none at all."""
    if not isinstance(header, str) or len(header) > _LONGEST:
        return None
    match = _HEADER.match(header)
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    # A later version may say more behind it; version ff never is one.
    if version == "ff" or (version == "00" and more):
        return None
    trace, span = int(trace_id, 16), int(span_id, 16)
    if not (trace and span):
        return None
    return TraceParent(trace, span, bool(int(flags, 16) & _SAMPLED))
