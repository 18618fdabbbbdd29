"""Every error of the gateway reaches the client as the class, the reason and the wait that it was raised with."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

import grpc
import grpc.aio
import pytest
from grpc_status import rpc_status
from tests.support.code_blocks import ROOT

import mxgateway_server
from mxgateway import (
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
)
from mxgateway import reasons as client_side
from mxgateway.replies import ERROR_OF_STATUS, check_protocol
from mxgateway.rpc_errors import map_rpc_error
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import (
    GatewayError,
    GatewayStoppingError,
    GatewayUpgradingError,
    SessionClosedError,
    WorkerShutdownTimeoutError,
)
from mxgateway_server.galaxy.errors import GalaxyError
from mxgateway_server.rpc.errors import to_protocol_status, to_status

CLASS_OF_REASON: dict[str, type[MxGatewayError]] = {
    "INTERNAL": MxGatewayTransportError,
    "CONFIGURATION": MxGatewayTransportError,
    "INVALID_REQUEST": MxGatewayCommandError,
    "UNKNOWN_METHOD": MxGatewayTransportError,
    "UNAUTHENTICATED": MxGatewayAuthenticationError,
    "PERMISSION_DENIED": MxGatewayAuthorizationError,
    "CLIENT_CERTIFICATE": MxGatewayAuthorizationError,
    "SESSION_OWNER_MISMATCH": MxGatewayAuthorizationError,
    "SESSION_NOT_FOUND": MxGatewaySessionError,
    "SESSION_NOT_READY": MxGatewaySessionError,
    "SESSION_FAULTED": MxGatewaySessionError,
    "SESSION_CLOSED": MxGatewaySessionError,
    "SESSION_LIMIT": MxGatewayResourceError,
    "SESSION_START_BUSY": MxGatewayResourceError,
    "EVENT_SUBSCRIBER_ALREADY_ACTIVE": MxGatewayResourceError,
    "EVENT_QUEUE_OVERFLOW": MxGatewayResourceError,
    "SEQUENCE_UNKNOWN": MxGatewayCommandError,
    "COMMAND_TIMEOUT": MxGatewayTimeoutError,
    "COMMAND_CANCELED": MxGatewayCommandError,
    "PENDING_COMMAND_LIMIT": MxGatewayResourceError,
    "MESSAGE_LIMIT": MxGatewayResourceError,
    "AUDIT_UNAVAILABLE": MxGatewayResourceError,
    "WATCH_LIMIT": MxGatewayResourceError,
    "STREAM_LIMIT": MxGatewayResourceError,
    "CONNECTION_LIMIT": MxGatewayResourceError,
    "WORKER_UNAVAILABLE": MxGatewayWorkerError,
    "WORKER_START_FAILED": MxGatewayWorkerError,
    "WORKER_LAUNCH_FAILED": MxGatewayWorkerError,
    "WORKER_NEVER_READY": MxGatewayWorkerError,
    "WORKER_NONCE_REFUSED": MxGatewayWorkerError,
    "WORKER_VERSION_MISMATCH": MxGatewayWorkerError,
    "WORKER_EXITED_EARLY": MxGatewayWorkerError,
    "WORKER_GARBAGE": MxGatewayWorkerError,
    "WORKER_BACKEND_FAILED": MxGatewayWorkerError,
    "WORKER_EXITED": MxGatewayWorkerError,
    "WORKER_OUT_OF_MEMORY": MxGatewayWorkerError,
    "WORKER_PROTOCOL_VIOLATION": MxGatewayWorkerError,
    "WORKER_HUNG": MxGatewayWorkerError,
    "WORKER_FAULTED": MxGatewayWorkerError,
    "WORKER_SHUTDOWN_TIMEOUT": MxGatewayWorkerError,
    "NO_ALARM_PROVIDER": MxGatewayCommandError,
    "ALARM_STREAM_LAGGED": MxGatewayResourceError,
    "ALARM_STREAM_LIMIT": MxGatewayResourceError,
    "ALARM_QUESTION_TOO_WIDE": MxGatewayResourceError,
    "ALARMS_UNAVAILABLE": MxGatewayConnectionError,
    "ALARM_COUNT": MxGatewayCommandError,
    "GATEWAY_STOPPING": MxGatewayConnectionError,
    "STORE": MxGatewayConnectionError,
    "KEY_STORE_UNAVAILABLE": MxGatewayConnectionError,
    "GALAXY_UNAVAILABLE": MxGatewayConnectionError,
    "GALAXY_SOURCE": MxGatewayConnectionError,
    "GALAXY_SNAPSHOT": MxGatewayTransportError,
    "GALAXY_NOT_FOUND": MxGatewayNotFoundError,
    "PAGE_TOKEN": MxGatewayTransportError,
}
"""What a client may catch for each reason. A class of the server with a reason that is not here fails below."""

OTHER_CLASS_IN_REPLIES = {
    SessionClosedError,
    GatewayStoppingError,
    GatewayUpgradingError,
    WorkerShutdownTimeoutError,
}
"""A reply of a gateway that gives no reason says there what became of the worker, or of the time."""


def _walk(error: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield error
    for below in error.__subclasses__():
        yield from _walk(below)


def _every_error() -> list[type[GatewayError]]:
    for module in pkgutil.walk_packages(mxgateway_server.__path__, "mxgateway_server."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = {error for error in _walk(GatewayError) if error.__module__.startswith("mxgateway_server.")}
    return sorted(found, key=lambda error: error.__name__)


ERRORS = _every_error()


def _at_the_client(error: GatewayError, *, sessions: bool) -> MxGatewayError:
    status = rpc_status.to_status(to_status(error, "corr-7"))
    failure = grpc.aio.AioRpcError(
        status.code, grpc.aio.Metadata(), grpc.aio.Metadata(*status.trailing_metadata), status.details
    )
    return map_rpc_error(failure, "Call", sessions=sessions, correlation_id="corr-7")


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_of_the_server_is_its_class_at_the_client(error: type[GatewayError]) -> None:
    raised = error.__new__(error, "what is wrong and what to do")
    raised.retry_after = 2.5
    got = _at_the_client(raised, sessions=not issubclass(error, GalaxyError))
    wanted = CLASS_OF_REASON[error.reason]
    if issubclass(error, GalaxyError) and error.reason == "INVALID_REQUEST":
        wanted = MxGatewayTransportError
    assert type(got) is wanted
    assert (got.reason, got.retry_after, got.correlation_id) == (error.reason, 2.5, "corr-7")
    assert got.grpc_code is grpc.StatusCode[error.grpc_status]
    assert "what is wrong and what to do" in got.message


def test_every_reason_that_a_client_knows_is_one_that_the_server_gives() -> None:
    given = {error.reason for error in ERRORS}
    assert given == set(CLASS_OF_REASON)
    assert set(client_side.BY_REASON) <= given
    assert any(reason.startswith(client_side.WORKER_REASONS) for reason in given)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_a_reply_without_a_reason_says_the_same_class_as_a_failed_call(error: type[GatewayError]) -> None:
    if error.protocol_code == pb.PROTOCOL_STATUS_CODE_UNSPECIFIED or issubclass(error, GalaxyError):
        return  # never the answer to a command
    of_reply = ERROR_OF_STATUS[error.protocol_code]
    assert (of_reply is CLASS_OF_REASON[error.reason]) is (error not in OTHER_CLASS_IN_REPLIES)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_a_reply_says_class_reason_and_wait_of_a_failed_call(error: type[GatewayError]) -> None:
    if error.protocol_code == pb.PROTOCOL_STATUS_CODE_UNSPECIFIED or issubclass(error, GalaxyError):
        return  # never the answer to a command
    raised = error.__new__(error, "what is wrong and what to do")
    raised.retry_after = 2.5
    with pytest.raises(MxGatewayError, match="what is wrong and what to do") as caught:
        check_protocol(pb.MxCommandReply(protocol_status=to_protocol_status(raised)), "Write", "corr-7")
    got = caught.value
    assert type(got) is type(_at_the_client(raised, sessions=True))
    assert (got.reason, got.retry_after, got.correlation_id) == (error.reason, 2.5, "corr-7")


def test_every_reason_is_explained() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    section = page.partition("## Reasons")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([A-Z][A-Z_]+)`", section)) == set(CLASS_OF_REASON)
