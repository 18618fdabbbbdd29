"""Errors of the client library.

MxGatewayError
├── MxGatewayTransportError             gRPC failed: no connection, refused request, a status without a class below
│   ├── MxGatewayConnectionError        the gateway is not reachable or is going away (also ConnectionError)
│   ├── MxGatewayNotFoundError          what the request names is not there (Galaxy object)
│   └── MxGatewayResourceError          a limit of the gateway was met; try again later
├── MxGatewayTimeoutError               the deadline was over (also TimeoutError)
├── MxGatewayAuthenticationError        no key, or a key that the gateway does not know
├── MxGatewayAuthorizationError         the key may not do this
├── MxGatewayProtocolError              a reply breaks the contract, or the versions do not fit
├── MxGatewaySessionError               the session is not there, not ready, or closed
├── MxGatewayWorkerError                the session's worker is gone, faulted or broke its protocol
├── MxGatewayOverflowError              a local queue overflowed and its policy is to stop
└── MxGatewayCommandError               the gateway refused the command, or it ended without success
    └── MxAccessError                   MXAccess itself failed: HRESULT and statuses say how
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mxgateway_contract.redaction import redact

if TYPE_CHECKING:
    import grpc

    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


class MxGatewayError(Exception):
    """Base of all errors of this library. No text of an error contains an API key.

    Attributes:
        raw_reply: the generated reply that says so, where there is one.
        protocol_status: its ProtocolStatus, where there is one.
        correlation_id: id of the failed call, to find it in the gateway's logs; empty when unknown.
        grpc_code: the gRPC status code of a failed call, else None.
        retryable: whether the same call may be sent again by hand. Never true for what may have changed the plant.
        retry_after: seconds that the gateway asks to wait before that (google.rpc.RetryInfo), or None.
        reason: machine-readable cause: the gateway's (google.rpc.ErrorInfo), or for a connection that could not be made
            what is known of it, for example CONNECTION_REFUSED or CERTIFICATE_EXPIRED; else empty.
    """

    retryable_by_class = False

    def __init__(
        self,
        message: str,
        *,
        raw_reply: Any = None,
        protocol_status: pb.ProtocolStatus | None = None,
        correlation_id: str = "",
        grpc_code: grpc.StatusCode | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(redact(message))
        self.raw_reply = raw_reply
        self.protocol_status = protocol_status
        self.correlation_id = correlation_id
        self.grpc_code = grpc_code
        self.retryable = self.retryable_by_class if retryable is None else retryable
        self.retry_after = retry_after
        self.reason = reason

    @property
    def message(self) -> str:
        """The text, without secrets."""
        return str(self.args[0])


class MxGatewayTransportError(MxGatewayError):
    """A gRPC call failed with a status that has no better class."""


class MxGatewayConnectionError(MxGatewayTransportError, ConnectionError):
    """The gateway cannot be reached, or it is going away (UNAVAILABLE)."""

    retryable_by_class = True


class MxGatewayNotFoundError(MxGatewayTransportError):
    """What the request names does not exist, for example the root of a Galaxy browse (NOT_FOUND)."""


class MxGatewayResourceError(MxGatewayTransportError):
    """A limit of the gateway was met: sessions, pending commands, event queue (RESOURCE_EXHAUSTED)."""

    retryable_by_class = True


class MxGatewayTimeoutError(MxGatewayError, TimeoutError):
    """The deadline of a call was over.

    The MXAccess call may still be running, and a write may still take effect: the outcome is unknown, so the call is
    never repeated by itself.
    """


class MxGatewayAuthenticationError(MxGatewayError):
    """The call carried no API key, or one that the gateway does not accept (UNAUTHENTICATED)."""


class MxGatewayAuthorizationError(MxGatewayError):
    """The API key may not do this: a scope or a constraint is missing (PERMISSION_DENIED)."""


class MxGatewayProtocolError(MxGatewayError):
    """A reply breaks the contract: its payload is missing, a page token repeats, or the versions do not fit."""


class MxGatewaySessionError(MxGatewayError):
    """The session does not exist, is not ready, or is closed."""


class MxGatewayWorkerError(MxGatewayError):
    """The session's worker process is gone, has faulted, or broke the pipe's protocol. Open a new session."""


class MxGatewayOverflowError(MxGatewayError):
    """A local queue overflowed because its consumer was too slow, and its policy is to stop."""


class MxGatewayCommandError(MxGatewayError):
    """A command ended without success; `raw_reply` holds the whole MxCommandReply.

    Attributes:
        hresult: HRESULT of the reply as a signed 32-bit number, or None.
        statuses: the reply's MxStatusProxy entries.
    """

    def __init__(
        self,
        message: str,
        *,
        raw_reply: Any = None,
        hresult: int | None = None,
        statuses: Sequence[pb.MxStatusProxy] = (),
        **context: Any,
    ) -> None:
        super().__init__(message, raw_reply=raw_reply, **context)
        self.hresult = hresult
        self.statuses = tuple(statuses)


class MxAccessError(MxGatewayCommandError):
    """MXAccess refused or failed the call; `hresult` and `statuses` are what COM answered."""
