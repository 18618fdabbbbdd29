"""The gateway's own calls, asked from within: checks, limits and audit are those of gRPC, for whoever is signed in."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from mxgateway_server.access.callers import CallInfo, set_current_call
from mxgateway_server.dashboard.calls import Call


class _Collected:
    """What a streaming handler sends; stands where gRPC's context stands."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    async def send_initial_metadata(self, _: object) -> None:
        """Nobody waits for it."""

    async def write(self, message: bytes) -> None:
        self.sent.append(message)

    def trailing_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    def set_trailing_metadata(self, _: object) -> None:
        """Nobody reads it."""


def _enter(call: Call, method: str) -> None:
    set_current_call(
        CallInfo(
            caller=call.who, address=call.address, method=f"dashboard {method}", correlation_id=call.correlation_id
        )
    )


async def ask(call: Call, handler: Callable[[Any, Any], Coroutine[Any, Any, Any]], request: Message) -> Any:
    """The reply of a handler with one reply, as a message or as bytes."""
    _enter(call, handler.__name__)
    return await handler(request, None)


async def ask_all(
    call: Call, handler: Callable[[Any, Any], Coroutine[Any, Any, None]], request: Message
) -> list[bytes]:
    """The messages that a streaming handler sends."""
    _enter(call, handler.__name__)
    collected = _Collected()
    await handler(request, collected)
    return collected.sent


def plain(message: Message) -> dict[str, Any]:
    """A message as JSON: names in camelCase, integers of 64 bits as texts, times in ISO 8601."""
    told: dict[str, Any] = MessageToDict(message, use_integers_for_enums=False)
    return told
