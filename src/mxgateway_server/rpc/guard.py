"""The gate before every method, unary and streaming, ours and the Galaxy's: who calls, and may they call this."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, NoReturn
from urllib.parse import unquote

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from sqlalchemy.exc import SQLAlchemyError

from mxgateway_server.access import certificates
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import ANYONE, Authenticator, Caller
from mxgateway_server.access.callers import CallInfo, set_current_call
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.access.refusal_log import RefusalLog
from mxgateway_server.access.scopes import ANY_SCOPE, PUBLIC, ScopeSet, allows, scopes_of_rpc
from mxgateway_server.commands.checks import MAX_CORRELATION_CHARACTERS
from mxgateway_server.errors import (
    AuthenticationError,
    ClientCertificateError,
    ConnectionLimitError,
    GatewayError,
    InvalidRequestError,
    KeyRefusal,
    KeyStoreUnavailableError,
    OwnerMismatchError,
    PermissionDeniedError,
    UnknownMethodError,
)
from mxgateway_server.logs import get_logger
from mxgateway_server.rpc.connections import ConnectionWatch
from mxgateway_server.rpc.errors import CORRELATION_KEY, Context, abort
from mxgateway_server.rpc.live_streams import LiveStreams

logger = get_logger(__name__)


_MAX_METHOD = 200
_PROCESS = secrets.token_hex(12)
_numbers = itertools.count(1)


class Guard:
    """Authenticates and authorizes each call before its handler sees the request.

    It stands around the handlers themselves: gRPC's interceptors do the same for about 30 µs more a call.
    """

    def __init__(
        self,
        authenticator: Authenticator | None,
        audit: AuditLog,
        streams: LiveStreams,
        refusals: RefusalLog,
        connections: ConnectionWatch,
    ) -> None:
        self._authenticator = authenticator
        self._audit = audit
        self._streams = streams
        self._refusals = refusals
        self._connections = connections

    def over(self, handlers: Iterable[grpc.GenericRpcHandler]) -> grpc.GenericRpcHandler:
        """All these handlers behind this guard; the server must be given nothing else."""
        return _Guarded(self._wrap, self._unknown, tuple(handlers))

    def _unknown(self, method: str) -> grpc.RpcMethodHandler[Any, Any]:
        """Answers for a method that nobody has: strangers learn as little of it as of the others."""
        shown = method[:_MAX_METHOD]

        async def refuse(_: Any, context: Context) -> None:
            call = await self._enter(context, shown, ANY_SCOPE)
            await self._refuse(context, UnknownMethodError("this gateway does not have the method"), call)

        return grpc.stream_stream_rpc_method_handler(refuse)

    def _wrap(self, handler: grpc.RpcMethodHandler[Any, Any], method: str) -> grpc.RpcMethodHandler[Any, Any]:
        needed = scopes_of_rpc(method)
        # One request is read behind the guard: nothing of a stranger's is parsed, and nonsense has a code of its own.
        read = None if handler.request_streaming else handler.request_deserializer
        deserializer = handler.request_deserializer if handler.request_streaming else None
        codecs = (deserializer, handler.response_serializer)

        if not handler.response_streaming:
            unary: Any = handler.stream_unary if handler.request_streaming else handler.unary_unary

            async def answer(request: Any, context: Context) -> Any:
                call = await self._enter(context, method, needed)
                try:
                    return await unary(request if read is None else _read(read, request), context)
                except GatewayError as error:
                    await self._refuse(context, error, call)
                except Exception as error:  # noqa: BLE001 — nothing of an unexpected error may reach the caller
                    await self._unexpected(context, error, call)

            make: Any = (
                grpc.stream_unary_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_unary_rpc_method_handler
            )
            return make(answer, *codecs)  # type: ignore[no-any-return]

        streaming: Any = handler.stream_stream if handler.request_streaming else handler.unary_stream

        async def stream(request: Any, context: Context) -> None:
            call = await self._enter(context, method, needed)
            task = self._streams.enter(call.caller)
            try:
                produced = streaming(request if read is None else _read(read, request), context)
                if inspect.isasyncgen(produced):
                    await _send_all(produced, context)
                else:
                    await produced
            except GatewayError as error:
                await self._refuse(context, error, call)
            except asyncio.CancelledError:
                ended = self._streams.leave(call.caller, task)
                if ended is not None:
                    task.uncancel()
                    await abort(context, ended, call.correlation_id)
                raise
            except Exception as error:  # noqa: BLE001 — as above
                await self._unexpected(context, error, call)
            finally:
                self._streams.leave(call.caller, task)

        make = (
            grpc.stream_stream_rpc_method_handler if handler.request_streaming else grpc.unary_stream_rpc_method_handler
        )
        return make(stream, *codecs)  # type: ignore[no-any-return]

    async def _enter(self, context: Context, method: str, needed: ScopeSet) -> CallInfo:
        metadata = dict(context.invocation_metadata() or ())
        correlation_id = _correlation_id(metadata)
        address = peer_host(context.peer())
        context.set_trailing_metadata(((CORRELATION_KEY, correlation_id),))
        if needed == PUBLIC:
            call = CallInfo(
                caller=Caller(key_id="", scopes=frozenset()),
                address=address,
                method=method,
                correlation_id=correlation_id,
            )
            set_current_call(call)
            return call
        caller = ANYONE
        if self._authenticator is not None:
            header = metadata.get("authorization", "")
            try:
                caller = await self._authenticator.authenticate(header if isinstance(header, str) else "", address)
            except AuthenticationError as error:
                self._refusals.stranger(error, address=address, method=method, correlation_id=correlation_id)
                if error.kind is not KeyRefusal.THROTTLED:
                    waits = {"waits_seconds": error.waits} if error.waits else {}
                    self._audit.add_failure(
                        AuditRecord(
                            event="authentication-failed",
                            key_id=error.key_id,
                            remote_address=address,
                            correlation_id=correlation_id,
                            outcome=error.kind,
                            details={"method": method, **waits},
                        )
                    )
                await abort(context, error, correlation_id)
            except (SQLAlchemyError, OSError) as error:
                logger.warning("key_store_failed", error=error, correlation_id=correlation_id)
                await abort(context, _unchecked(), correlation_id)
            except Exception:
                logger.exception("key_check_failed", correlation_id=correlation_id)
                await abort(context, _unchecked(), correlation_id)
        peer = context.peer()
        call = CallInfo(caller=caller, address=address, method=method, correlation_id=correlation_id, peer=peer)
        if caller.certificate and (problem := _certificate_problem(caller.certificate, context)):
            await self._deny(context, ClientCertificateError(problem), call)
        self._connections.meet(peer)
        if self._connections.is_refused(peer):
            refused = ConnectionLimitError(
                "this address has more connections than it may have (setting protocol.max_connections_per_address)",
                retry_after=10.0,
            )
            self._refusals.call(refused, call)
            await abort(context, refused, correlation_id)
        if not allows(caller.scopes, needed):
            scopes = " or ".join(sorted(needed))
            text = f"this method needs the scope {scopes}, which this API key does not have"
            await self._deny(context, PermissionDeniedError(text), call)
        set_current_call(call)
        return call

    async def _deny(self, context: Context, error: PermissionDeniedError, call: CallInfo) -> NoReturn:
        self._audit.add_denial(
            AuditRecord(
                event="denied",
                key_id=call.caller.key_id,
                remote_address=call.address,
                correlation_id=call.correlation_id,
                outcome="permission-denied",
                details={"method": call.method, "reason": str(error)},
            )
        )
        self._refusals.call(error, call)
        await abort(context, error, call.correlation_id)

    async def _refuse(self, context: Context, error: GatewayError, call: CallInfo) -> NoReturn:
        if isinstance(error, OwnerMismatchError):
            self._audit.add_denial(
                AuditRecord(
                    event="denied",
                    key_id=call.caller.key_id,
                    remote_address=call.address,
                    session_id=error.session_id,
                    correlation_id=call.correlation_id,
                    outcome="permission-denied",
                    details={"method": call.method, "reason": str(error)},
                )
            )
        self._refusals.call(error, call)
        await abort(context, error, call.correlation_id)

    async def _unexpected(self, context: Context, error: Exception, call: CallInfo) -> NoReturn:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, NotImplementedError):
            # A method of somebody else's service that its library does not serve either.
            await self._refuse(context, UnknownMethodError("this gateway does not have the method"), call)
        logger.error(
            "call_failed",
            exc_info=error,
            method=call.method,
            correlation_id=call.correlation_id,
            address=call.address,
            key_id=call.caller.key_id,
        )
        await abort(context, GatewayError("an unexpected error; the gateway's log has it"), call.correlation_id)


class _Guarded(grpc.GenericRpcHandler):
    def __init__(
        self,
        wrap: Callable[[grpc.RpcMethodHandler[Any, Any], str], grpc.RpcMethodHandler[Any, Any]],
        unknown: Callable[[str], grpc.RpcMethodHandler[Any, Any]],
        handlers: tuple[grpc.GenericRpcHandler, ...],
    ) -> None:
        self._wrap = wrap
        self._unknown = unknown
        self._handlers = handlers
        # Methods that exist are few; unknown ones have no handler and are not kept.
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            found = (handler.service(handler_call_details) for handler in self._handlers)
            handler = next((each for each in found if each is not None), None)
            if handler is None:
                return self._unknown(method)
            wrapped = self._wrapped[method] = self._wrap(handler, method)
        return wrapped


def _read(deserializer: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return deserializer(data)
    except DecodeError:
        raise InvalidRequestError("the request is not the message of this method") from None


def _certificate_problem(rule: str, context: Context) -> str:
    """What is wrong with the certificate that the connection showed; empty when the rule takes it."""
    wanted = "this API key is bound to a client certificate"
    # Only what TLS has checked stands there: its signature, its time, and that its key is the client's.
    (pem,) = context.auth_context().get("x509_pem_cert", (b"",))
    if not pem:
        return f"{wanted}, and this connection showed none: show it, at an address of the gateway that asks for one"
    if certificates.fits(rule, pem):
        return ""
    shown = certificates.describe(pem)
    kind = rule.partition(":")[0]
    return f"{wanted} by its {kind}, and this connection showed another (sha256:{shown.fingerprint}, {shown.subject})"


def _unchecked() -> KeyStoreUnavailableError:
    return KeyStoreUnavailableError("the gateway cannot check API keys now; try again", retry_after=1.0)


async def _send_all(messages: AsyncIterator[Any], context: Context) -> None:
    async for message in messages:
        await context.write(message)


def _correlation_id(metadata: dict[str, Any]) -> str:
    given = metadata.get(CORRELATION_KEY, "")
    if isinstance(given, str) and 0 < len(given) <= MAX_CORRELATION_CHARACTERS and given.isprintable():
        return given
    # Unique and opaque; random as a whole would ask the system for each call.
    return f"{_PROCESS}{next(_numbers):08x}"


@functools.lru_cache(1024)
def peer_host(peer: str) -> str:
    """The host of a gRPC peer such as `ipv4:10.0.0.1:5000`."""
    kind, _, rest = unquote(peer).partition(":")
    if kind in ("ipv4", "ipv6"):
        return rest.rpartition(":")[0].strip("[]")
    return peer
