"""Refusals as lines of the log: with correlation id, address and key id, and never more of them than help."""

from __future__ import annotations

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.callers import CallInfo
from mxgateway_server.access.throttle import RecordLimit
from mxgateway_server.counters import Counters
from mxgateway_server.errors import (
    AuthenticationError,
    CommandCanceledError,
    GatewayError,
    KeyRefusal,
    PermissionDeniedError,
)
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)


class RefusalLog:
    """Tells what is refused, some of each address and key at a time; the next line says how many were left out.

    Lines: `authentication_failed`, `authentication_throttled` and `call_denied` are warnings, for whoever watches who
    tries what; `call_refused` is everything else that ends a call or a command, as information.
    """

    def __init__(self, clock: Clock, counters: Counters | None = None) -> None:
        self._clock = clock
        self._counters = counters or Counters()
        self._limit = RecordLimit()

    def stranger(self, error: AuthenticationError, *, address: str, method: str, correlation_id: str) -> None:
        """A caller whose key does not let him in."""
        self._counters.auth_failures[error.kind] += 1
        event = "authentication_throttled" if error.kind is KeyRefusal.THROTTLED else "authentication_failed"
        more = {"waits_seconds": error.waits} if error.waits else {}
        self._tell(
            event,
            warns=True,
            kind=str(error.kind),
            address=address,
            key_id=error.key_id,
            method=method,
            correlation_id=correlation_id,
            **more,
        )

    def call(self, error: GatewayError, call: CallInfo, *, correlation_id: str = "", session_id: str = "") -> None:
        """A call, or one command of a stream, that ends with an error of the gateway.

        Args:
            error: what the caller is told.
            call: whose it is.
            correlation_id: of the command; the call's own when left out.
            session_id: of the session, when it is known.
        """
        if isinstance(error, CommandCanceledError):
            return  # the caller's own wish
        is_denied = isinstance(error, PermissionDeniedError)
        if is_denied:
            self._counters.denied["command" if session_id else "rpc"] += 1
        self._tell(
            "call_denied" if is_denied else "call_refused",
            warns=is_denied,
            reason=error.reason,
            error=str(error),
            address=call.address,
            key_id=call.caller.key_id,
            method=call.method,
            correlation_id=correlation_id or call.correlation_id,
            **({"session_id": session_id} if session_id else {}),
        )

    def _tell(self, event: str, *, warns: bool, address: str, key_id: str, **facts: object) -> None:
        suppressed = self._limit.admit(f"{event} {address} {key_id}", self._clock.monotonic())
        if suppressed is None:
            return
        if suppressed:
            facts["suppressed_before"] = suppressed
        write = logger.warning if warns else logger.info
        write(event, address=address, key_id=key_id, **facts)
