"""Envelopes of the worker's pipe, checked on both sides: version, session, increasing sequence, exactly one body."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import DecodeError

from mxgateway_contract.constants import WORKER_PROTOCOL_VERSION
from mxgateway_contract.generated import mxaccess_worker_pb2 as wpb
from mxgateway_contract.varints import varint
from mxgateway_protocol.contract import MAX_FRAME_BYTES
from mxgateway_protocol.errors import (
    BodyError,
    MalformedFrameError,
    SequenceError,
    SessionMismatchError,
    VersionMismatchError,
)
from mxgateway_protocol.frames import HEADER_BYTES, check_length, encode_frame


class EnvelopeWriter:
    """Completes outgoing envelopes and turns them into frames. Not thread-safe: one owner, who also writes in order."""

    def __init__(
        self,
        session_id: str,
        protocol_version: int = WORKER_PROTOCOL_VERSION,
        max_bytes: int = MAX_FRAME_BYTES,
        sequence: int = 0,
    ) -> None:
        """
        Args:
            sequence: number of the last envelope that was sent.
        """
        self._protocol_version = protocol_version
        self._max_bytes = max_bytes
        self._sequence = sequence
        self.session_id = session_id

    @property
    def sequence(self) -> int:
        """Number of the last envelope; 0 before the first."""
        return self._sequence

    @property
    def session_id(self) -> str:
        """The session that the next envelopes belong to."""
        return self._session_id

    @session_id.setter
    def session_id(self, session_id: str) -> None:
        self._session_id = session_id
        encoded = session_id.encode()
        # All fields before the sequence, and its key.
        self._head = b"\x08%b\x12%b%b\x18" % (varint(self._protocol_version), varint(len(encoded)), encoded)

    def frame(self, envelope: wpb.WorkerEnvelope) -> bytes:
        """Stamps version, session and the next sequence on the envelope and serialises it.

        Raises:
            BodyError: the envelope has no body.
            OversizedFrameError: it is too long; its sequence number is not used up.
        """
        if envelope.WhichOneof("body") is None:
            raise BodyError("an envelope without a body")
        envelope.protocol_version = self._protocol_version
        envelope.session_id = self.session_id
        envelope.sequence = self._sequence + 1
        data = encode_frame(envelope.SerializeToString(), self._max_bytes)
        self._sequence += 1
        return data

    def frame_body(self, field: int, body: bytes, correlation_id: str = "") -> bytes:
        """`frame` for a body that is serialised already, given by its field number; copied once.

        Raises:
            OversizedFrameError: as in `frame`.
        """
        return self._front(field, len(body), correlation_id) + body

    def frame_parts(self, field: int, parts: Sequence[bytes], correlation_id: str = "") -> tuple[bytes, ...]:
        """`frame_body` for a long body in parts, none of which is copied: the frame is all that is returned, in order.

        Raises:
            OversizedFrameError: as in `frame`.
        """
        return (self._front(field, sum(map(len, parts)), correlation_id), *parts)

    def _front(self, field: int, size: int, correlation_id: str) -> bytes:
        """Everything of a frame before its body."""
        head = self._head + varint(self._sequence + 1)
        if correlation_id:
            correlation = correlation_id.encode()
            head += b"\x22%b%b" % (varint(len(correlation)), correlation)
        head += varint(field << 3 | 2) + varint(size)
        length = len(head) + size
        check_length(length, self._max_bytes)
        self._sequence += 1
        return length.to_bytes(HEADER_BYTES, "little") + head


class EnvelopeReader:
    """Parses and checks incoming payloads."""

    def __init__(self, session_id: str, protocol_version: int = WORKER_PROTOCOL_VERSION, sequence: int = 0) -> None:
        """
        Args:
            sequence: number of the last envelope that came.
        """
        self.session_id = session_id
        self._protocol_version = protocol_version
        self._sequence = sequence

    @property
    def sequence(self) -> int:
        """Number of the last envelope; 0 before the first."""
        return self._sequence

    def parse(self, payload: bytes) -> wpb.WorkerEnvelope:
        """The envelope in a frame's payload.

        Raises:
            MalformedFrameError, VersionMismatchError, SessionMismatchError, SequenceError, BodyError: the pipe is
                broken and must be given up.
        """
        try:
            envelope = wpb.WorkerEnvelope.FromString(payload)
        except DecodeError as error:
            raise MalformedFrameError("a frame that is no WorkerEnvelope") from error
        if envelope.protocol_version != self._protocol_version:
            raise VersionMismatchError(
                f"protocol version {envelope.protocol_version}; this end speaks {self._protocol_version}"
            )
        if envelope.session_id != self.session_id:
            raise SessionMismatchError("an envelope of another session")
        if envelope.sequence <= self._sequence:
            raise SequenceError(f"sequence {envelope.sequence} after {self._sequence}")
        if envelope.WhichOneof("body") is None:
            raise BodyError("an envelope without a body")
        self._sequence = envelope.sequence
        return envelope
