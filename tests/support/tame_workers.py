"""Workers without processes: a launcher and clients that do at once what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mxgateway_server.counters import Counters
from mxgateway_server.errors import GatewayError, WorkerError
from mxgateway_server.workers.launcher import WorkerPlan


class TameWorker:
    """What sessions and pool use of a worker.

    Attributes:
        ends_in_order: what `shut_down` says.
        calls: what was asked of it, in order.
        failed_with: what its commands were ended with.
        may_end: `shut_down` waits for it.
    """

    def __init__(self, pid: int, *, refuses: WorkerError | None = None) -> None:
        self.pid = pid
        self.refuses = refuses
        self.fault: WorkerError | None = None
        self.is_usable = True
        self.ends_in_order = True
        self.calls: list[Any] = []
        self.failed_with: GatewayError | None = None
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.on_events: Callable[[Any], None] = lambda _: None
        self.on_fault: Callable[[WorkerError], None] = lambda _: None

    def fail_commands(self, error: GatewayError) -> None:
        self.failed_with = error

    async def assign(self, session_id: str, options: dict[str, str], policy: int) -> None:
        self.calls.append(("assign", session_id, dict(options), policy))
        if self.refuses is not None:
            raise self.refuses

    async def shut_down(self, reason: str) -> bool:
        self.calls.append(("shut_down", str(reason)))
        await self.may_end.wait()
        return self.ends_in_order

    async def kill(self) -> None:
        self.calls.append("kill")

    def kill_process(self) -> None:
        self.calls.append("kill_process")
        self.may_end.set()

    def check(self) -> None:
        self.calls.append("check")

    def fail(self, error: WorkerError) -> None:
        """Faults as a worker does that died."""
        self.fault = error
        self.is_usable = False
        self.on_fault(error)


class TameLauncher:
    """Starts tame workers.

    Attributes:
        failures: raised by the next starts, the first one first.
        may_start: starts wait for it.
        plans: of every start, with the session it was for.
    """

    def __init__(self) -> None:
        self.failures: list[BaseException] = []
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.plans: list[tuple[str, WorkerPlan]] = []
        self.workers: list[TameWorker] = []
        self.counters = Counters()

    async def launch(
        self,
        plan: WorkerPlan,
        session_id: str,
        *,
        deadline: float | None = None,
        on_started: Callable[[], None] = lambda: None,
        on_hello: Callable[[], None] = lambda: None,
    ) -> TameWorker:
        self.plans.append((session_id, plan))
        await self.may_start.wait()
        if self.failures:
            raise self.failures.pop(0)
        on_started()
        on_hello()
        worker = TameWorker(100 + len(self.workers))
        self.workers.append(worker)
        return worker
