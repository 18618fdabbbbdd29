"""How long a worker may take to end, as the gateway or a caller says it."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from mxgateway_contract.filetime import NS_PER_SECOND

LONGEST_GRACE = 3600.0
"""Seconds; nobody waits longer, whatever a caller writes."""


def grace_seconds(period: Duration) -> float:
    """The grace of a message's `grace_period`; 0 when it has none, or one that makes no sense."""
    seconds = period.seconds + period.nanos / NS_PER_SECOND
    return min(max(0.0, seconds), LONGEST_GRACE)
