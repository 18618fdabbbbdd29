"""Frames of the worker's pipe: a little-endian uint32 length, then that many bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from mxgateway_protocol.contract import MAX_FRAME_BYTES
from mxgateway_protocol.errors import MalformedFrameError, OversizedFrameError

_LENGTH = struct.Struct("<I")
HEADER_BYTES = _LENGTH.size


def check_length(length: int, max_bytes: int = MAX_FRAME_BYTES) -> None:
    """Refuses lengths before anything is allocated for them.

    Raises:
        MalformedFrameError: the length is zero.
        OversizedFrameError: the length is beyond the limit.
    """
    if length == 0:
        raise MalformedFrameError("a frame of length 0")
    if length > max_bytes:
        raise OversizedFrameError(f"a frame of {length} bytes; the limit is {max_bytes}")


def encode_frame(payload: bytes, max_bytes: int = MAX_FRAME_BYTES) -> bytes:
    """The payload with its length in front."""
    check_length(len(payload), max_bytes)
    return _LENGTH.pack(len(payload)) + payload


def decode_length(header: bytes, max_bytes: int = MAX_FRAME_BYTES) -> int:
    """The length that a frame's first four bytes announce, checked."""
    length: int = _LENGTH.unpack(header)[0]
    check_length(length, max_bytes)
    return length


class FrameDecoder:
    """Cuts a byte stream into frame payloads; holds at most one incomplete frame."""

    def __init__(self, max_bytes: int = MAX_FRAME_BYTES, partial: bytes = b"") -> None:
        """
        Args:
            partial: the beginning of a frame that another decoder has taken.
        """
        self._max_bytes = max_bytes
        self._buffer = bytearray(partial)

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Takes what was read and yields each payload that is complete now.

        Raises:
            MalformedFrameError, OversizedFrameError: the stream is broken; the decoder is not usable any more.
        """
        buffer = self._buffer
        if not buffer and len(data) > HEADER_BYTES:
            (length,) = _LENGTH.unpack_from(data)
            if len(data) == HEADER_BYTES + length:
                # The usual case by far: one whole frame, which need not go through the buffer.
                check_length(length, self._max_bytes)
                yield bytes(data[HEADER_BYTES:])
                return
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= HEADER_BYTES:
                (length,) = _LENGTH.unpack_from(buffer, start)
                check_length(length, self._max_bytes)
                end = start + HEADER_BYTES + length
                if end > len(buffer):
                    break
                # Bytes, not a view: the buffer moves on, and protobuf parses either at the same speed.
                payload = bytes(memoryview(buffer)[start + HEADER_BYTES : end])
                start = end
                yield payload
        finally:
            if start:
                del buffer[:start]

    @property
    def partial(self) -> bytes:
        """What has come of a frame that is not complete."""
        return bytes(self._buffer)

    @property
    def has_partial_frame(self) -> bool:
        """Whether the stream ends in the middle of a frame if it ends now."""
        return bool(self._buffer)
