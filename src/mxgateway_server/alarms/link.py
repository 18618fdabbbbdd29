"""The monitor's own worker: a process beside those of the sessions, which no client can name."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import GatewayError, WorkerExitedError
from mxgateway_server.events.chunks import EventChunk
from mxgateway_server.workers.client import WorkerClient
from mxgateway_server.workers.launcher import Launcher, WorkerPlan


class AlarmLink(Protocol):
    """A worker that tells alarms; one at a time."""

    async def open(self, on_events: Callable[[EventChunk], None], on_fault: Callable[[GatewayError], None]) -> None:
        """Starts a worker.

        Args:
            on_events: called with its events, in order.
            on_fault: called once when it is lost.

        Raises:
            GatewayError: it did not start.
        """

    async def call(self, command: pb.MxCommand, timeout: float) -> pb.MxCommandReply:
        """Has the worker carry a command out.

        Raises:
            GatewayError: it could not answer.
        """

    def check(self) -> None:
        """Looks whether it hangs."""

    async def close(self) -> None:
        """Ends the worker; without one it does nothing."""

    @property
    def worker_pid(self) -> int:
        """Process id; 0 without a worker."""

    @property
    def session_id(self) -> str:
        """What the worker calls its session; empty without a worker."""


class WorkerLink:
    """A real worker process."""

    def __init__(self, launcher: Launcher, plan: WorkerPlan) -> None:
        self._launcher = launcher
        # Its queue must not drop anything by itself: what is lost has to end the worker, so that all is asked anew.
        self._plan = replace(plan, arguments=(*plan.arguments, "--backpressure-policy", "fail_fast"))
        self._worker: WorkerClient | None = None

    async def open(self, on_events: Callable[[EventChunk], None], on_fault: Callable[[GatewayError], None]) -> None:
        worker = await self._launcher.launch(self._plan, f"session-{secrets.token_hex(16)}")
        worker.on_events = on_events
        worker.on_fault = on_fault
        if worker.fault is not None:
            await worker.kill()
            raise worker.fault
        self._worker = worker

    async def call(self, command: pb.MxCommand, timeout: float) -> pb.MxCommandReply:
        worker = self._worker
        if worker is None:
            raise WorkerExitedError("the alarm worker is gone", exit_code=None, worker_pid=0)
        return (await worker.submit(command, timeout)).message

    def check(self) -> None:
        if self._worker is not None:
            self._worker.check()

    async def close(self) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        worker.on_events = _nobody_listens
        worker.on_fault = _nobody_listens
        if worker.fault is None:
            await worker.shut_down("the alarm monitor ends it")
        else:
            await worker.kill()

    @property
    def worker_pid(self) -> int:
        return 0 if self._worker is None else self._worker.pid

    @property
    def session_id(self) -> str:
        return "" if self._worker is None else self._worker.session_id


def _nobody_listens(_: object) -> None:
    return
