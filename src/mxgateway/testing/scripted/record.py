"""What came in: requests, streams, cancellations, and waiting for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import MessageToDict

from mxgateway.testing.scripted.rules import ScriptError

PATIENCE = 20.0
"""Seconds that `wait_for` waits, so that a wrong case ends."""


class Record:
    """What came in. `changed` wakes whoever waits for something in it."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.open_streams = 0
        self.cancelled: list[str] = []
        self.signals: set[str] = set()
        self._changed = asyncio.Condition()

    def add(self, rpc: str, request: Any, context: Any) -> dict[str, Any]:
        remaining = context.time_remaining()
        metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
        entry = {
            "rpc": rpc,
            "request": MessageToDict(request, preserving_proto_field_name=True),
            "metadata": metadata,
            "deadline": remaining is not None,
            "deadline_seconds": remaining,
            "arrived_seconds": time.monotonic(),
        }
        self.requests.append(entry)
        self.wake()
        return entry

    def wake(self) -> None:
        task = asyncio.ensure_future(self._notify())
        task.add_done_callback(lambda done: done.exception() if not done.cancelled() else None)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def wait(self, holds: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Waits until something holds; False when it does not in time."""
        try:
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(holds)
        except TimeoutError:
            return False
        return True

    @property
    def commands(self) -> int:
        """How many commands came, by Invoke or on a command stream."""
        return sum(
            len(each["request"].get("commands", ())) if each["rpc"] == "InvokeStream" else each["rpc"] == "Invoke"
            for each in self.requests
        )

    def report(self) -> dict[str, Any]:
        return {"requests": self.requests, "open_streams": self.open_streams, "cancelled": self.cancelled}


async def wait_for(wanted: dict[str, Any], record: Record) -> None:
    """Waits for `{"requests": {rpc: n}}`, `{"signal": name}` or `{"cancelled": n}`.

    Raises:
        ScriptError: it did not come.
    """

    def holds() -> bool:
        seen = [each["rpc"] for each in record.requests]
        return (
            all(seen.count(rpc) >= count for rpc, count in wanted.get("requests", {}).items())
            and ("signal" not in wanted or wanted["signal"] in record.signals)
            and len(record.cancelled) >= wanted.get("cancelled", 0)
        )

    if not await record.wait(holds):
        raise ScriptError(f"waited {PATIENCE:g} s in vain for {wanted}")
