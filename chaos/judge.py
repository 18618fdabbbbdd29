"""Everything that is judged in a storm, with one clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import grpc

from chaos.call_oracle import CallOracle, Ending
from chaos.violations import Journal
from mxgateway import MxGatewayError

T = TypeVar("T")

# An exception that a servicer did not expect reaches the caller under these codes: typed in name only.
_UNTYPED_CODES = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)
_UNEXPECTED = ("Unexpected <class", "Exception calling application")
_STALL = 0.5

TICK = 0.25
"""Seconds between two turns of the watch that each storm has."""


class Judge:
    """The journal, the oracle of calls, and the time since the storm began."""

    def __init__(self) -> None:
        self._begin = asyncio.get_running_loop().time()
        self.journal = Journal()
        self.calls = CallOracle(self.journal)
        self._ticked = 0.0
        self.stalls: list[float] = []

    def tick(self, interval: float) -> None:
        """To be called at this interval, first of all in each turn; what comes late was held up here, not there."""
        self.admit_stall(interval)
        self._ticked = self.now

    def admit_stall(self, interval: float) -> None:
        """Puts off the deadlines of calls under way by the time for which this very process did not run."""
        late = self.now - self._ticked - interval
        if self._ticked and late > _STALL:
            self.stalls.append(round(late, 2))
            self.calls.put_off(late)
            self._ticked = self.now

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time() - self._begin

    async def call(self, actor: str, what: str, timeout: float, work: Awaitable[T]) -> T:
        """Awaits a call and judges its ending; the error goes on to the caller."""
        call = self.calls.begin(actor, what, self.now, timeout)
        try:
            result = await work
            self.admit_stall(TICK)
        except asyncio.CancelledError:
            # The storm itself gave it up.
            self.calls.forget(call)
            raise
        except BaseException as error:
            self.admit_stall(TICK)
            self.calls.end(call, self.now, ending_of(error), describe(error))
            raise
        self.calls.end(call, self.now, Ending.OK)
        return result


def ending_of(error: BaseException) -> Ending:
    """Whether an error is one that the library promises."""
    if not isinstance(error, MxGatewayError):
        return Ending.UNTYPED
    if error.grpc_code in _UNTYPED_CODES and any(sign in str(error) for sign in _UNEXPECTED):
        return Ending.UNTYPED
    return Ending.TYPED


def describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def digest(event: Any) -> int:
    """A number for an event's content, the same whichever stream it came by."""
    value = event.value
    kind = value.WhichOneof("kind")
    return hash(
        (
            event.family,
            event.server_handle,
            event.item_handle,
            getattr(value, kind) if kind in ("double_value", "int32_value", "bool_value", "string_value") else kind,
            event.quality,
            event.source_timestamp.seconds,
            event.source_timestamp.nanos,
            event.worker_timestamp.nanos,
        )
    )
