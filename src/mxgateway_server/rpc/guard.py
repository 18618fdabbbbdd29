"""The gate before every method, unary and streaming, ours and the Galaxy's: who calls, and may they call this."""

from __future__ import annotations

import asyncio
import functools
import inspect
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from time import perf_counter, time_ns
from typing import Any, NoReturn
from urllib.parse import unquote

import grpc
import grpc.aio
from sqlalchemy.exc import SQLAlchemyError

from mxgateway_contract.constants import MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES
from mxgateway_server.access import certificates
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import ANYONE, Authenticator, Caller
from mxgateway_server.access.callers import CallInfo, set_current_call
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.access.refusal_log import RefusalLog
from mxgateway_server.access.scopes import ANY_SCOPE, PER_COMMAND, PUBLIC, ScopeSet, allows, scopes_of_rpc
from mxgateway_server.access.shares import FEWEST_BODIES, Shares
from mxgateway_server.commands.checks import MAX_CORRELATION_CHARACTERS
from mxgateway_server.counters import OTHER, Counters
from mxgateway_server.errors import (
    AuthenticationError,
    ClientCertificateError,
    ConnectionLimitError,
    EventQueueOverflowError,
    GatewayError,
    GatewayStoppingError,
    KeyRefusal,
    KeyStoreUnavailableError,
    OwnerMismatchError,
    PermissionDeniedError,
    SessionClosedError,
    SessionFaultedError,
    StreamLimitError,
    UnknownMethodError,
    WorkerError,
)
from mxgateway_server.logs import get_logger
from mxgateway_server.rpc.connections import ConnectionWatch
from mxgateway_server.rpc.errors import CORRELATION_KEY, Context, abort
from mxgateway_server.rpc.live_streams import LiveStreams
from mxgateway_server.rpc.requests import MAX_STRANGER_SECONDS, Method, Requests
from mxgateway_server.rpc.surplus import origin
from mxgateway_server.telemetry.tracing import Tracing, current_trace, set_current_trace

logger = get_logger(__name__)


_MAX_METHOD = 200
_PROCESS = secrets.token_hex(12)
_numbers = itertools.count(1)


class Guard:
    """Authenticates and authorizes each call before its handler sees the request.

    It stands around the handlers themselves: gRPC's interceptors do the same for about 30 µs more a call.

    Args:
        authenticator: None where nobody needs a key.
        max_request_bytes: longest request of a method that carries no commands.
        max_command_bytes: longest one that does.
        counters: where calls are counted.
        tracing: makes spans of calls; None where none are wanted.
    """

    def __init__(
        self,
        authenticator: Authenticator | None,
        audit: AuditLog,
        streams: LiveStreams,
        refusals: RefusalLog,
        connections: ConnectionWatch,
        shares: Shares,
        *,
        max_request_bytes: int = MAX_REQUEST_BYTES,
        max_command_bytes: int = MAX_MESSAGE_BYTES,
        counters: Counters | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._counters = counters or Counters()
        self._tracing = tracing
        self._authenticator = authenticator
        self._audit = audit
        self._streams = streams
        self._refusals = refusals
        self._connections = connections
        self._shares = shares
        self._strangers = Shares(FEWEST_BODIES)
        self._max_request_bytes = max_request_bytes
        self._max_command_bytes = max_command_bytes
        self.refuses: GatewayError | None = None
        """What each call is refused with for a moment; None while calls are taken."""

    def over(self, handlers: Iterable[grpc.GenericRpcHandler]) -> grpc.GenericRpcHandler:
        """All these handlers behind this guard; the server must be given nothing else."""
        return _Guarded(self._wrap, self._unknown, tuple(handlers))

    def _unknown(self, method: str) -> grpc.RpcMethodHandler[Any, Any]:
        """Answers for a method that nobody has: strangers learn as little of it as of the others."""
        shown = method[:_MAX_METHOD]

        async def refuse(_: Any, context: Context) -> None:
            try:
                call = await self._enter(context, shown, ANY_SCOPE)
                await self._refuse(context, UnknownMethodError("this gateway does not have the method"), call)
            finally:
                self._counters.rpc(OTHER).codes[_code(context)] += 1
                self._end_trace(_code(context))

        return grpc.stream_stream_rpc_method_handler(refuse)

    def _wrap(self, handler: grpc.RpcMethodHandler[Any, Any], name: str) -> grpc.RpcMethodHandler[Any, Any]:
        needed = scopes_of_rpc(name)
        longest = self._max_command_bytes if needed is PER_COMMAND else self._max_request_bytes
        method = Method(name, handler.request_deserializer, longest)
        counts = self._counters.rpc(name.removeprefix("/"))
        # Every method is served as one that takes a stream, so that no body is taken before the caller is known.
        if not handler.response_streaming:
            unary: Any = handler.stream_unary if handler.request_streaming else handler.unary_unary

            takes_stream = handler.request_streaming

            async def answer(_: Any, context: Context) -> Any:
                began, code = perf_counter(), ""
                try:
                    call = await self._enter(context, name, needed)
                    requests = self._requests(method, context, call)
                    try:
                        reply = await unary(requests if takes_stream else await requests.one(), context)
                    except GatewayError as error:
                        await self._refuse(context, error, call)
                    except Exception as error:  # noqa: BLE001 — nothing of an unexpected error may reach the caller
                        await self._unexpected(context, error, call)
                    finally:
                        requests.end()
                    code = "OK"
                    return reply
                finally:
                    code = code or _code(context)
                    counts.codes[code] += 1
                    self._end_trace(code)
                    counts.seconds.observe(perf_counter() - began)

            return grpc.stream_unary_rpc_method_handler(answer, None, handler.response_serializer)

        streaming: Any = handler.stream_stream if handler.request_streaming else handler.unary_stream

        async def streamed(context: Context) -> None:
            call = await self._enter(context, name, needed)
            try:
                task = self._streams.enter(call.caller, name.removeprefix("/"), call.peer)
            except StreamLimitError as error:
                await self._refuse(context, error, call)
            requests = self._requests(method, context, call)
            try:
                produced = streaming(requests if handler.request_streaming else await requests.one(), context)
                if inspect.isasyncgen(produced):
                    await _send_all(produced, context)
                else:
                    await produced
                self._ended("done")
            except GatewayError as error:
                self._ended(_cause(error))
                await self._refuse(context, error, call)
            except asyncio.CancelledError:
                ended = self._streams.leave(call.caller, task)
                self._ended("client" if ended is None else _cause(ended))
                if ended is not None:
                    task.uncancel()
                    await abort(context, ended, call.correlation_id)
                raise
            except grpc.aio.InternalError as error:
                # What was written reaches nobody: the caller is gone, and gRPC has not yet come to cancelling.
                self._ended("client")
                logger.info("stream_not_delivered", method=call.method, correlation_id=call.correlation_id)
                _drop_frames(error)
                # For whoever is still there after all; an abort would fail as the sending did.
                context.set_code(grpc.StatusCode.CANCELLED)
            except Exception as error:  # noqa: BLE001 — as above
                await self._unexpected(context, error, call)
            finally:
                requests.end()
                self._streams.leave(call.caller, task)

        async def stream(_: Any, context: Context) -> None:
            code = ""
            try:
                await streamed(context)
                code = "" if _number(context) else "OK"
            finally:
                code = code or _code(context)
                counts.codes[code] += 1
                self._end_trace(code)

        return grpc.stream_stream_rpc_method_handler(stream, None, handler.response_serializer)

    def _requests(self, method: Method, context: Context, call: CallInfo) -> Requests:
        if call.caller.key_id:
            return Requests(method, context, self._shares.of(call.caller.key_id))
        return Requests(method, context, self._strangers.of(origin(call.address)), MAX_STRANGER_SECONDS)

    def _end_trace(self, code: str) -> None:
        if self._tracing is not None and (trace := current_trace()) is not None:
            trace.end(code)

    def _ended(self, cause: str) -> None:
        self._counters.stream_ends[cause] += 1

    async def _enter(self, context: Context, method: str, needed: ScopeSet) -> CallInfo:
        began_ns = 0 if self._tracing is None else time_ns()
        metadata = dict(context.invocation_metadata() or ())
        correlation_id = _correlation_id(metadata)
        peer = context.peer()
        address = peer_host(peer)
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
            given = metadata.get("authorization", "")
            header = given if isinstance(given, str) else ""
            try:
                known = self._authenticator.known(header)
                caller = await self._authenticator.authenticate(header, address) if known is None else known
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
        call = CallInfo(caller=caller, address=address, method=method, correlation_id=correlation_id, peer=peer)
        if self._tracing is not None:
            # Strangers make no spans: whoever has no key must not fill the traces of those who have one.
            spelled = "" if needed is ANY_SCOPE else method.removeprefix("/")
            pairs: Any = context.invocation_metadata() or ()
            set_current_trace(self._tracing.begin(spelled, pairs, correlation_id, began_ns))
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
        if self.refuses is not None:
            self._refusals.call(self.refuses, call)
            await abort(context, self.refuses, correlation_id)
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
        _drop_frames(error)
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
            _drop_frames(error)
            await self._refuse(context, UnknownMethodError("this gateway does not have the method"), call)
        logger.error(
            "call_failed",
            exc_info=error,
            method=call.method,
            correlation_id=call.correlation_id,
            address=call.address,
            key_id=call.caller.key_id,
        )
        _drop_frames(error)
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


def _code(context: Context) -> str:
    """The status that a call was ended with, where it is no reply; of one that is still open its caller has gone."""
    return _CODES.get(_number(context), "CANCELLED")


def _number(context: Context) -> object:
    code: Any = context.code()
    return code.value[0] if isinstance(code, grpc.StatusCode) else code


_CODES: dict[object, str] = {code.value[0]: code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK}

_CAUSES: tuple[tuple[type[GatewayError], str], ...] = (
    (EventQueueOverflowError, "overflow"),
    (GatewayStoppingError, "stopping"),
    (AuthenticationError, "revoked"),
    (SessionFaultedError, "fault"),
    (WorkerError, "fault"),
    (SessionClosedError, "closed"),
)


def _cause(error: GatewayError) -> str:
    """Why a stream ended, as a word of a small set."""
    return next((word for kind, word in _CAUSES if isinstance(error, kind)), "refused")


def _drop_frames(error: BaseException) -> None:
    """Lets go of the frames that an error went through, which hold the request, parsed and as bytes."""
    chain: list[BaseException | None] = [error]
    while chain:
        each = chain.pop()
        if each is not None and each.__traceback__ is not None:
            each.__traceback__ = None
            chain += (each.__cause__, each.__context__)


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
