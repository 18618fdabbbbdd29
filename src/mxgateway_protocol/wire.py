"""Protobuf's wire format by hand, for the few messages that are written hundreds of thousands of times a second.

Everything here gives what protobuf's own serialiser parses to the same message; tests hold it to that.
"""

from __future__ import annotations

from mxgateway_contract.filetime import NS_PER_SECOND
from mxgateway_contract.varints import PAIR_BITS, PAIRS, int_varint, varint

_LOW = (1 << PAIR_BITS) - 1
_LAST_HIGH = (NS_PER_SECOND - 1) >> PAIR_BITS
_NEVER = -(1 << 100)


def key(field: int, wire_type: int) -> bytes:
    """A field's key: its number and its wire type (0 varint, 1 64 bits, 2 length-delimited, 5 32 bits)."""
    return varint(field << 3 | wire_type)


def delimited(field_key: bytes, payload: bytes) -> bytes:
    """A length-delimited field."""
    return field_key + varint(len(payload)) + payload


def timestamp(unix_ns: int) -> bytes:
    """A serialised google.protobuf.Timestamp."""
    seconds, nanos = divmod(unix_ns, NS_PER_SECOND)
    return (b"\x08" + int_varint(seconds) if seconds else b"") + (b"\x10" + varint(nanos) if nanos else b"")


class TimeField:
    """A Timestamp field. Within 16 µs only the low bits of the nanoseconds change, and only those are written anew.

    Attributes:
        base: the second of the last time, in nanoseconds.
        high: its nanoseconds without their low bits; a number that none are where this does not work.
        start, end: the field's bytes before and after those of the low bits.
    """

    __slots__ = ("_end_size", "_key", "_seconds", "base", "end", "high", "start")

    def __init__(self, field_key: bytes) -> None:
        self._key = field_key
        self._seconds = self.start = self.end = b""
        self._end_size = 0
        self.base = self.high = _NEVER

    def write(self, unix_ns: int) -> bytes:
        nanos = unix_ns - self.base
        if not 0 <= nanos < NS_PER_SECOND:
            seconds, nanos = divmod(unix_ns, NS_PER_SECOND)
            self.base, self.high = seconds * NS_PER_SECOND, _NEVER
            self._seconds = b"\x08" + int_varint(seconds) if seconds else b""
            self._end_size = 0
        high = nanos >> PAIR_BITS
        if not 0 < high < _LAST_HIGH:
            # Few nanoseconds take fewer bytes, and 16 µs at the end of a second reach into the next.
            self.high = _NEVER
            return delimited(self._key, timestamp(unix_ns))
        if high != self.high:
            self.high, self.end = high, varint(high)
            size = len(self.end)
            if size != self._end_size:
                # It says how long the rest is, which hardly changes within a second.
                self._end_size = size
                self.start = self._key + varint(len(self._seconds) + 3 + size) + self._seconds + b"\x10"
        return self.start + PAIRS[nanos & _LOW] + self.end
