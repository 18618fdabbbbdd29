"""Traces as the gateway's parts see them, and the switch before them: nothing here knows OpenTelemetry.

`spans` does. It is loaded where `telemetry.enabled` says so; without it there is no `Tracing`, and a call costs no more
than the look whether there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Protocol

from mxgateway_server.errors import GatewayError


class CommandTrace(Protocol):
    """The span of one command. It ends once; what comes later changes nothing."""

    def answered(self, reply: bytes, times: tuple[float, float] | None, references: Sequence[str] = ()) -> None:
        """Its reply is there.

        Args:
            reply: the serialised MxCommandReply; only its codes are looked at.
            times: seconds that it waited in the worker, and that it ran; None where they are not known.
            references: the tags that it touches, told only where the settings say so.
        """

    def failed(self, error: GatewayError, references: Sequence[str] = ()) -> None:
        """It has no reply; of the error only its reason is told."""


class CallTrace(Protocol):
    """The span of one call."""

    facts: Mapping[str, str]
    """`trace_id` and `span_id`, for records of the log."""

    def command(self, kind: int, session_id: str, correlation_id: str) -> CommandTrace:
        """Begins the span of a command that the call brings."""

    def samples_batch(self) -> bool:
        """Whether the commands of this message of a command stream have spans; decided anew at each call."""

    def end(self, code: str) -> None:
        """The call is over, with this gRPC status code, such as `OK`."""


class Tracing(Protocol):
    """What makes spans."""

    def begin(
        self, method: str, metadata: Iterable[tuple[str, Any]], correlation_id: str, began_ns: int
    ) -> CallTrace | None:
        """Begins the span of a call; None for one that is not traced.

        Args:
            method: in the gateway's own spelling, without the first slash; empty for one that it does not have.
            metadata: of the call.
            began_ns: when it came, in nanoseconds since 1970.
        """

    async def close(self) -> None:
        """Sends what is left, as far as a collector takes it within two seconds."""


_CURRENT: ContextVar[CallTrace | None] = ContextVar("mxgateway_trace", default=None)


def current_trace() -> CallTrace | None:
    """The trace of the present call; None where it is not traced."""
    return _CURRENT.get()


def set_current_trace(trace: CallTrace | None) -> None:
    _CURRENT.set(trace)


def trace_facts() -> Mapping[str, str]:
    """What records of the log say of the present call's trace; nothing outside of one."""
    trace = _CURRENT.get()
    return {} if trace is None else trace.facts
