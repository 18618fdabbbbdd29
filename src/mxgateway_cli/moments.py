"""Times as numbers. Total: protobuf's own conversions refuse what lies beyond the calendar."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp


def nanoseconds(stamp: Timestamp) -> int:
    """Nanoseconds since 1970 UTC."""
    return stamp.seconds * 1_000_000_000 + stamp.nanos
