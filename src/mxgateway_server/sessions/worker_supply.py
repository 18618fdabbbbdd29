"""Where a session that opens gets its worker: one that is warm in the pool, or a new process."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import InvalidRequestError, SessionClosedError, WorkerError, WorkerOptionError
from mxgateway_server.logs import get_logger
from mxgateway_server.sessions.options import OpenOptions
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import HANDSHAKING, INITIALIZING_WORKER, STARTING_WORKER, WAITING_FOR_PIPE
from mxgateway_server.workers.client import WorkerClient
from mxgateway_server.workers.launcher import Launcher
from mxgateway_server.workers.pool import WorkerPool

logger = get_logger(__name__)


class WorkerSupply:
    """Gives each session a worker of its own."""

    def __init__(self, launcher: Launcher, pool: WorkerPool) -> None:
        self._launcher = launcher
        self._pool = pool

    async def worker(self, session: Session, wanted: OpenOptions, deadline: float | None) -> WorkerClient:
        """A worker that has taken the session, while the session's record moves through the states of its start.

        Args:
            deadline: the clock's time at which the caller gives up; None when he waits.

        Raises:
            SessionStartBusyError, WorkerStartError
            InvalidRequestError: the backend does not take the caller's options.
        """
        try:
            return await self._pooled_or_new(session, wanted, deadline)
        except WorkerOptionError as error:
            if not wanted.options:
                # Those of the gateway's own settings are no caller's mistake.
                raise
            raise InvalidRequestError(f"backend_options: {error.problem}") from error

    async def _pooled_or_new(self, session: Session, wanted: OpenOptions, deadline: float | None) -> WorkerClient:
        record = session.record
        policy = session.hub.policy
        while wanted.uses_default_plan and wanted.plan.fits(wanted.options):
            pooled = self._pool.take()
            if pooled is None:
                break
            record.move(INITIALIZING_WORKER)
            try:
                await pooled.assign(record.session_id, wanted.options, policy)
            except (WorkerError, SessionClosedError) as error:
                logger.warning("pool_worker_refused", session_id=record.session_id, worker_pid=pooled.pid, error=error)
                await asyncio.shield(pooled.kill())
                if wanted.options:
                    # The caller's own options may be what it does not take: another worker would not either.
                    raise
                continue
            except BaseException:
                await asyncio.shield(pooled.kill())
                raise
            return pooled
        record.move(STARTING_WORKER)
        policy_name = pb.BackpressurePolicy.Name(policy).removeprefix("BACKPRESSURE_POLICY_").lower()
        if policy_name == "disconnect_subscriber":
            # Which reader is slow is known here only; towards the gateway the worker's queue is fail-fast.
            policy_name = "fail_fast"
        plan = replace(
            wanted.plan,
            options={**wanted.plan.options, **wanted.options},
            arguments=(*wanted.plan.arguments, "--backpressure-policy", policy_name),
        )

        def started() -> None:
            record.move(WAITING_FOR_PIPE)
            record.move(HANDSHAKING)

        return await self._launcher.launch(
            plan,
            record.session_id,
            deadline=deadline,
            on_started=started,
            on_hello=lambda: _ignore(record.move(INITIALIZING_WORKER)),
        )


def _ignore(_: bool) -> None:
    return None
