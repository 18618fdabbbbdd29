"""Errors: gRPC codes and reasons become classes, RetryInfo is read, secrets stay out, and objects survive pickling."""

from __future__ import annotations

import pickle
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from tests.support.fake_gateway import Abort, FakeGateway, failed

import mxgateway
from mxgateway import (
    GalaxyRepositoryClient,
    GatewayClient,
    MxAccessError,
    MxGatewayAuthenticationError,
    MxGatewayAuthorizationError,
    MxGatewayCommandError,
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayNotFoundError,
    MxGatewayResourceError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    MxGatewayWorkerError,
    Session,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.rpc_errors import map_rpc_error

SECRET = "mxgw_id_sentinelsecret"


def details(reason: str = "", retry_after: float | None = None) -> tuple[tuple[str, Any], ...]:
    status = status_pb2.Status(code=14, message="text")
    for message in (
        error_details_pb2.ErrorInfo(reason=reason, domain="mxaccess-gateway") if reason else None,
        error_details_pb2.RetryInfo() if retry_after is not None else None,
    ):
        if isinstance(message, error_details_pb2.RetryInfo) and retry_after is not None:
            message.retry_delay.FromNanoseconds(int(retry_after * 1e9))
        if message is not None:
            packed = AnyMessage()
            packed.Pack(message)
            status.details.append(packed)
    return (("grpc-status-details-bin", status.SerializeToString()),)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, MxGatewayAuthenticationError),
        (grpc.StatusCode.PERMISSION_DENIED, MxGatewayAuthorizationError),
        (grpc.StatusCode.NOT_FOUND, MxGatewaySessionError),
        (grpc.StatusCode.FAILED_PRECONDITION, MxGatewaySessionError),
        (grpc.StatusCode.UNAVAILABLE, MxGatewayConnectionError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, MxGatewayResourceError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, MxGatewayTimeoutError),
        (grpc.StatusCode.INVALID_ARGUMENT, MxGatewayCommandError),
        (grpc.StatusCode.INTERNAL, MxGatewayTransportError),
        (grpc.StatusCode.UNIMPLEMENTED, MxGatewayTransportError),
    ],
)
async def test_grpc_code_becomes_its_class(
    gateway: FakeGateway, session: Session, code: grpc.StatusCode, error: type[MxGatewayError]
) -> None:
    """Each gRPC status of a gateway call raises the class of the documented table, with code and correlation id."""
    gateway.script("Invoke", Abort(code, "why"))
    with pytest.raises(error, match=f"Ping: {code.name}: why") as caught:
        await session.ping()
    assert type(caught.value) is error
    assert caught.value.grpc_code is code
    assert caught.value.correlation_id == gateway.commands[0].client_correlation_id


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, "WORKER_EXITED", MxGatewayWorkerError),
        (grpc.StatusCode.UNAVAILABLE, "WORKER_BACKEND_FAILED", MxGatewayWorkerError),
        (grpc.StatusCode.UNAVAILABLE, "SESSION_CLOSED", MxGatewaySessionError),
        (grpc.StatusCode.UNAVAILABLE, "GATEWAY_STOPPING", MxGatewayConnectionError),
        (grpc.StatusCode.PERMISSION_DENIED, "SESSION_OWNER_MISMATCH", MxGatewayAuthorizationError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "SESSION_LIMIT", MxGatewayResourceError),
        (grpc.StatusCode.FAILED_PRECONDITION, "NO_ALARM_PROVIDER", MxGatewayCommandError),
    ],
)
async def test_reason_tells_apart_what_shares_a_code(
    gateway: FakeGateway, session: Session, code: grpc.StatusCode, reason: str, error: type[MxGatewayError]
) -> None:
    """google.rpc.ErrorInfo in the trailers chooses the class, and its reason and RetryInfo stand on the error."""
    gateway.script("Invoke", Abort(code, "why", details(reason, retry_after=1.5)))
    with pytest.raises(error) as caught:
        await session.ping()
    assert type(caught.value) is error
    assert (caught.value.reason, caught.value.retry_after) == (reason, 1.5)


async def test_message_for_a_connection_that_has_gone_is_a_connection_error(
    gateway: FakeGateway, session: Session
) -> None:
    """gRPC calls it an internal error when a message meets a broken connection; another internal error stays one."""
    gateway.script("Invoke", Abort(grpc.StatusCode.INTERNAL, "Internal error from Core"))
    with pytest.raises(MxGatewayConnectionError):
        await session.ping()
    gateway.script("Invoke", Abort(grpc.StatusCode.INTERNAL, "something else"))
    with pytest.raises(MxGatewayTransportError) as caught:
        await session.ping()
    assert type(caught.value) is MxGatewayTransportError


async def test_a_call_that_the_stopping_gateway_cancels_is_a_connection_error(
    gateway: FakeGateway, session: Session
) -> None:
    """So subscriptions go on elsewhere; a call that its own caller cancels raises CancelledError instead."""
    gateway.script("Invoke", Abort(grpc.StatusCode.CANCELLED, ""))
    with pytest.raises(MxGatewayConnectionError):
        await session.ping()


async def test_damaged_details_are_ignored(gateway: FakeGateway, session: Session) -> None:
    """Trailers that are no google.rpc.Status leave the class to the gRPC code."""
    gateway.script("Invoke", Abort(grpc.StatusCode.UNAVAILABLE, "why", (("grpc-status-details-bin", b"\xff\xff"),)))
    with pytest.raises(MxGatewayConnectionError):
        await session.ping()


async def test_galaxy_codes_do_not_speak_of_sessions(gateway: FakeGateway, galaxy: GalaxyRepositoryClient) -> None:
    """NOT_FOUND from the Galaxy service is a missing object, not a missing session."""
    gateway.script("BrowseChildren", Abort(grpc.StatusCode.NOT_FOUND, "no such object"))
    with pytest.raises(MxGatewayNotFoundError):
        await galaxy.browse("Nothing")
    gateway.script("DiscoverHierarchy", Abort(grpc.StatusCode.INVALID_ARGUMENT, "page token"))
    with pytest.raises(MxGatewayTransportError):
        await galaxy.discover_hierarchy()


async def test_key_in_a_gateway_text_is_redacted(gateway: FakeGateway, session: Session) -> None:
    """A gateway that echoes the key cannot put it into our error text or repr."""
    key = session._calls.options.api_key
    gateway.script("Invoke", Abort(grpc.StatusCode.UNAUTHENTICATED, f"key:{key}, '{SECRET}' refused"))
    with pytest.raises(MxGatewayAuthenticationError) as caught:
        await session.ping()
    assert "sentinelsecret" not in str(caught.value) + repr(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize(("key", "remedy"), [(None, "no key was sent"), ("mxgw_a_b", "a key was sent")])
async def test_a_refused_key_says_whether_one_was_sent(gateway: FakeGateway, key: str | None, remedy: str) -> None:
    """The gateway's text is the same for both on purpose; the client knows which of the two it was."""
    gateway.script("OpenSession", Abort(grpc.StatusCode.UNAUTHENTICATED, "a valid API key is needed"))
    async with await GatewayClient.connect(endpoint=gateway.endpoint, plaintext=True, api_key=key) as client:
        with pytest.raises(MxGatewayAuthenticationError, match=remedy):
            await client.open_session()


def test_every_error_has_the_common_root() -> None:
    """All public errors derive from MxGatewayError, and the standard kinds from the built-in ones as well."""
    errors = [getattr(mxgateway, name) for name in mxgateway.__all__ if name.endswith("Error")]
    assert len(errors) == 14
    assert all(issubclass(error, MxGatewayError) for error in errors)
    assert issubclass(MxGatewayTimeoutError, TimeoutError)
    assert issubclass(MxGatewayConnectionError, ConnectionError)
    assert issubclass(MxAccessError, MxGatewayCommandError)


def test_errors_can_be_pickled() -> None:
    """An error crosses process borders with its text and attributes."""
    error = MxAccessError("text", hresult=-2147024809, correlation_id="id")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.hresult, copy.correlation_id) == ("text", -2147024809, "id")


@pytest.mark.parametrize(
    ("details", "remedy"),
    [
        ("SSL_ERROR_SSL: error:1000007d: CERTIFICATE_VERIFY_FAILED: certificate has expired", "clock is wrong"),
        ("SSL_ERROR_SSL: error:1000007d: CERTIFICATE_VERIFY_FAILED: certificate is not yet valid", "clock is behind"),
        ("SSL_ERROR_SSL: error:1000007d: CERTIFICATE_VERIFY_FAILED: unable to get issuer", "gateway-ca.pem"),
        ("connect failed: Connection refused", "is the gateway running"),
    ],
)
def test_the_remedy_stands_before_what_the_libraries_say(details: str, remedy: str) -> None:
    """A reader of one line learns what to do before the words of the TLS library, and of clocks where they count."""
    failure = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), details=f"addresses: {details}"
    )
    text = str(map_rpc_error(failure, "connect"))
    assert 0 < text.index(remedy) < text.index(details)


@pytest.mark.parametrize(
    ("method", "hresult", "text"),
    [
        ("authenticate_user", -2147024809, "name or password is wrong"),
        ("write_secured", -2147467231, "holds no authenticated user"),
    ],
)
async def test_what_a_number_of_com_means_to_the_caller(
    gateway: FakeGateway, session: Session, method: str, hresult: int, text: str
) -> None:
    """Where the HRESULT alone says nothing the text does, and it is not told twice."""
    number = f"0x{hresult & 0xFFFFFFFF:08X}"
    gateway.answer(
        method,
        pb.MxCommandReply(protocol_status=failed(pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE, number), hresult=hresult),
    )
    call = (
        session.authenticate_user(1, "a", "b")
        if method == "authenticate_user"
        else session.write_secured(1, 1, 1, 1, 5)
    )
    with pytest.raises(MxAccessError, match=text) as caught:
        await call
    assert str(caught.value).count(number) == 1


@pytest.mark.parametrize(
    ("details", "without_tls", "reason"),
    [
        ("Socket closed", True, "TLS_EXPECTED"),
        ("Socket closed", False, ""),
        ("connect: Connection refused (111)", True, "CONNECTION_REFUSED"),
        ("Ssl handshake failed: CERTIFICATE_VERIFY_FAILED: certificate has expired", False, "CERTIFICATE_EXPIRED"),
        ("CLIENT: Sent message larger than max (2 vs. 1)", False, "MESSAGE_TOO_LARGE"),
    ],
)
def test_a_connection_that_cannot_be_made_has_a_reason(details: str, without_tls: bool, reason: str) -> None:
    """For programs, beside the remedy for people, which comes first."""

    class Failure(grpc.RpcError):
        def code(self) -> grpc.StatusCode:
            return grpc.StatusCode.UNAVAILABLE

        def details(self) -> str:
            return details

    error = map_rpc_error(Failure(), "cannot reach x", without_tls=without_tls)
    assert error.reason == reason
    assert str(error).startswith("cannot reach x: UNAVAILABLE (") == bool(reason)
