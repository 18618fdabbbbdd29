"""The streams that run now, so that those of a revoked key can be ended, and all when the gateway stops."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mxgateway_protocol.clock import Clock, SystemClock
from mxgateway_server.access.authenticator import Caller
from mxgateway_server.errors import (
    AuthenticationError,
    GatewayError,
    GatewayStoppingError,
    KeyRefusal,
    StreamLimitError,
)


@dataclass(frozen=True, slots=True)
class LiveStream:
    """One stream that runs.

    Attributes:
        method: full name of the method.
        key_id: whose it is; empty for the health service, which needs no key.
        peer: the connection, as gRPC names it.
        since: when it began, on the monotonic clock.
    """

    method: str
    key_id: str
    peer: str
    since: float


class LiveStreams:
    """Running streams by caller.

    Args:
        limit: streams that one key may have at once.
        clock: time.
    """

    def __init__(self, limit: int = sys.maxsize, clock: Clock | None = None) -> None:
        self._limit = limit
        self._clock = clock or SystemClock()
        self._facts: dict[asyncio.Task[Any], LiveStream] = {}
        self._tasks: dict[Caller, set[asyncio.Task[Any]]] = {}
        self._ended: dict[asyncio.Task[Any], GatewayError] = {}

    def __len__(self) -> int:
        return sum(map(len, self._tasks.values()))

    @property
    def streams(self) -> tuple[LiveStream, ...]:
        """All that run now, the oldest first."""
        return tuple(self._facts.values())

    def enter(self, caller: Caller, method: str = "", peer: str = "") -> asyncio.Task[Any]:
        """Notes that the current task is a stream of this caller's.

        Raises:
            StreamLimitError: its key has as many as it may have.
        """
        task = asyncio.current_task()
        assert task is not None
        # The health service, which needs no key, has bounds of its own.
        if caller.key_id and len(self._tasks.get(caller, ())) >= self._limit:
            raise StreamLimitError(
                f"this key has its {self._limit} streams (setting protocol.max_streams_per_key); end some",
                retry_after=1.0,
            )
        self._tasks.setdefault(caller, set()).add(task)
        self._facts[task] = LiveStream(method, caller.key_id, peer, self._clock.monotonic())
        return task

    def leave(self, caller: Caller, task: asyncio.Task[Any]) -> GatewayError | None:
        """Why the stream was ended from here; None when it was not."""
        self._facts.pop(task, None)
        tasks = self._tasks.get(caller)
        if tasks is not None:
            tasks.discard(task)
            if not tasks:
                del self._tasks[caller]
        return self._ended.pop(task, None)

    @property
    def callers(self) -> tuple[Caller, ...]:
        """Whose streams run now, callers without a key left out: the health service needs none."""
        return tuple(caller for caller in self._tasks if caller.key_id)

    def end(self, caller: Caller) -> None:
        """Ends every stream of a caller whose key, or its secret, is not valid any more."""
        self._end(self._tasks.get(caller, ()), AuthenticationError(KeyRefusal.REVOKED, caller.key_id))

    def end_all(self, error: GatewayError | None = None) -> None:
        """Ends every stream: the gateway stops, or what else the error says."""
        for tasks in self._tasks.values():
            self._end(tasks, error or GatewayStoppingError())

    def _end(self, tasks: Iterable[asyncio.Task[Any]], error: GatewayError) -> None:
        for task in tasks:
            if task not in self._ended:
                self._ended[task] = error
                task.cancel()
