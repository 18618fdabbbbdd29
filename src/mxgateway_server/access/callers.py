"""Who makes the present call: set by the authenticator before a handler runs, read by whoever must know."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from mxgateway_server.access.authenticator import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class CallInfo:
    """One call.

    Attributes:
        caller: whose key it is.
        address: the peer, as host without port.
        method: full method name.
        correlation_id: from `x-correlation-id`, or made here.
        peer: the connection, as gRPC names it; a client has one or a few at a time.
    """

    caller: Caller
    address: str
    method: str
    correlation_id: str
    peer: str = ""


_CURRENT: ContextVar[CallInfo] = ContextVar("mxgateway_call")


def current_call() -> CallInfo:
    """The present call.

    Raises:
        LookupError: outside of one, or in a public method.
    """
    return _CURRENT.get()


def call_facts() -> dict[str, str]:
    """What records of the log say of the present call; nothing outside of one."""
    call = _CURRENT.get(None)
    if call is None:
        return {}
    facts = {"correlation_id": call.correlation_id, "key_id": call.caller.key_id}
    return {name: value for name, value in facts.items() if value}


def set_current_call(call: CallInfo) -> None:
    _CURRENT.set(call)
