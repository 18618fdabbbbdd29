"""A worker's reply on its way to the caller: bytes that are passed on, parsed only by who has to know what they say."""

from __future__ import annotations

import functools

from google.protobuf.message import DecodeError

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.wire import delimited, key
from mxgateway_server.errors import WorkerProtocolError

_SESSION_ID = key(pb.MxCommandReply.SESSION_ID_FIELD_NUMBER, 2)
_CORRELATION_ID = key(pb.MxCommandReply.CORRELATION_ID_FIELD_NUMBER, 2)
_REPLIES = key(pb.MxCommandReplyBatch.REPLIES_FIELD_NUMBER, 2)


class CommandReply:
    """A MxCommandReply, given as a message or as its bytes."""

    __slots__ = ("_data", "_message")

    def __init__(self, given: pb.MxCommandReply | bytes) -> None:
        self._data: bytes | None
        self._message: pb.MxCommandReply | None
        if isinstance(given, bytes):
            self._data, self._message = given, None
        else:
            self._data, self._message = None, given

    @property
    def message(self) -> pb.MxCommandReply:
        """The reply as a message; what is changed in it is in `to_bytes`, too.

        Raises:
            WorkerProtocolError: the worker's bytes are no reply.
        """
        if self._message is None:
            assert self._data is not None
            try:
                self._message = pb.MxCommandReply.FromString(self._data)
            except DecodeError as error:
                raise WorkerProtocolError("the worker's reply is no MxCommandReply") from error
            self._data = None
        return self._message

    def to_bytes(self, session_id: str, correlation_id: str) -> bytes:
        """The serialised reply to the caller, with the ids that the caller knows."""
        if self._data is not None:
            # Of a field that occurs twice the last one counts.
            return b"".join(
                (self._data, _session_field(session_id), delimited(_CORRELATION_ID, correlation_id.encode()))
            )
        message = self.message
        message.session_id = session_id
        message.correlation_id = correlation_id
        return message.SerializeToString()


@functools.lru_cache(1024)
def _session_field(session_id: str) -> bytes:
    return delimited(_SESSION_ID, session_id.encode())


def reply_batch(replies: list[bytes]) -> bytes:
    """A serialised MxCommandReplyBatch of serialised replies."""
    return b"".join([delimited(_REPLIES, reply) for reply in replies])
