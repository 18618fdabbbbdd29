"""One soak: a gateway, the load, samples of its processes, a report."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from benches.gateway_process import GatewayProcess

from mxgateway import GatewayClient, MxGatewayError, Session
from soak.ending import Circumstances, obituary, told
from soak.judging import Bar, by_period, growth, violations, warm_up_of
from soak.load import Load
from soak.site import TAGS, UntidyEndError, WindowsHandles, killed_for_memory, machine, running_gateway

MIB = 1 << 20
MOST_SAMPLES = 600
LEAST_PAUSE = 0.2
"""Seconds between two samples of a short run, of which some have no handles."""
SETTLING = 1.0
"""Seconds after a failure in which others that go down with it are gone, too."""
PATIENCE = 10.0
"""Seconds in which the load is told of a process that is gone."""


def bars(backend: str, percent: float) -> dict[str, Bar]:
    """What may grow by how much."""
    common = {
        "workerWorkingSetMiB": Bar(percent),
        "workerOpenFiles": Bar(absolute=2),
        "gatewayWorkingSetMiB": Bar(percent, absolute=2),
        "gatewayOpenFiles": Bar(absolute=4),
        "gatewayThreads": Bar(absolute=2),
    }
    return {**common, "workerHandles": Bar(absolute=2)} if backend == "com" else common


def worker_of(gateway: GatewayProcess, session_id: str) -> psutil.Process:
    """The process of a session's worker, as this machine numbers it.

    Raises:
        RuntimeError: it is gone.
    """
    for worker in gateway.workers():
        with suppress(psutil.NoSuchProcess):
            if session_id in worker.cmdline():
                return worker
    raise RuntimeError("the worker of the soaked session was gone before its first sample")


async def soak(
    backend: str,
    seconds: float,
    percent: float,
    seed: int,
    series: dict[str, list[float]] | None = None,
    log: Path | None = None,
) -> dict[str, Any]:
    """Works for so long and judges what grew. Whatever fails meanwhile ends it, and the report says what that was.

    Args:
        series: takes the samples of each figure, for whoever wants to draw them.
        log: takes the gateway's log, its workers' lines in it.
    """
    report: dict[str, Any] = {}
    handles = WindowsHandles(backend)
    run = _Run(handles, backend, seconds, seed, defaultdict(list) if series is None else series)
    try:
        with running_gateway(backend, log) as gateway:
            report = await run.to_its_end(gateway, percent)
    except UntidyEndError as error:
        report["violations"].append(str(error))
    finally:
        handles.close()
    return report


class _Run:
    """One soak between the gateway's start and its end."""

    def __init__(
        self, handles: WindowsHandles, backend: str, seconds: float, seed: int, series: dict[str, list[float]]
    ) -> None:
        self._handles = handles
        self._backend = backend
        self._seconds = seconds
        self._seed = seed
        self._series = series
        self._began = time.monotonic()
        self._killed = killed_for_memory()
        self._worker: psutil.Process | None = None
        self._load: Load | None = None
        self._died: dict[str, Any] | None = None

    async def to_its_end(self, gateway: GatewayProcess, percent: float) -> dict[str, Any]:
        try:
            async with await gateway.client() as client:
                session = await client.open_session(client_session_name="soak")
                try:
                    await self._work(gateway, client, session)
                except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is told in the report
                    await self._look_around(gateway, error)
                await self._close(session)
        except MxGatewayError as error:
            await self._look_around(gateway, error)
        return self._report(percent)

    async def _work(self, gateway: GatewayProcess, client: GatewayClient, session: Session) -> None:
        self._worker = worker = worker_of(gateway, session.session_id)
        windows_pid = (await session.worker_info()).worker_process_id
        self._load = load = Load(client, session, TAGS[self._backend], self._seed)
        await load.prepare()
        self._began = time.monotonic()

        async def watch() -> None:
            while (left := self._began + self._seconds - time.monotonic()) > 0:
                await asyncio.sleep(min(left, max(LEAST_PAUSE, self._seconds / MOST_SAMPLES)))
                count = None
                # Wine's server has broken down under a look at all handles while a process started or ended, and took
                # the prefix with it: after 22 minutes of a sample every few seconds, or after seconds of many.
                if load.is_still:
                    async with load.undisturbed:
                        count = await asyncio.to_thread(self._handles.of, windows_pid)
                await take(partial(sample, self._series, gateway, worker, count), PATIENCE)
            load.over.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            group.create_task(watch())

    async def _close(self, session: Session) -> None:
        try:
            await session.close()
        except MxGatewayError as error:
            if self._died is None:
                raise
            self._died["errors"].append(f"closing the session, too: {error}")

    async def _look_around(self, gateway: GatewayProcess, error: BaseException) -> None:
        """Notes why it dies, once: what follows from the first failure explains nothing."""
        if self._died is not None:
            return
        after = time.monotonic() - self._began
        await asyncio.sleep(SETTLING)
        seen = Circumstances(
            errors=told(error),
            gateway_code=gateway.returncode,
            worker_runs=self._worker is not None and self._worker.is_running(),
            prefix_code=self._handles.returncode,
            killed_for_memory=killed_for_memory() - self._killed,
            figures=machine(),
            log=tuple(gateway.last_lines),
        )
        self._died = obituary(seen, after)

    def _report(self, percent: float) -> dict[str, Any]:
        took = time.monotonic() - self._began
        counters = None if self._load is None else self._load.counters
        warm_up = warm_up_of(self._seconds)
        series = self._series
        if self._died is None:
            found = violations(series, bars(self._backend, percent), warm_up)
        else:
            # What grew until then is no reason, and would hide the one that counts.
            found = [f"died after {self._died['afterSeconds']} s: {self._died['cause']}"]
        settled = {name: growth(values, warm_up) for name, values in series.items()}
        return {
            "backend": self._backend,
            "seconds": round(took, 1),
            "seed": self._seed,
            "done": {} if counters is None else counters.figures(),
            "eventsPerSecond": 0.0 if counters is None else round(counters.events / took, 1),
            "samples": len(series["gatewayThreads"]),
            "warmUpSeconds": round(warm_up * self._seconds, 1),
            "growth": {name: seen.figures() for name, seen in settled.items() if seen is not None},
            "workingSetByQuarterHour": by_period(series["workerWorkingSetMiB"], took),
            **({} if self._died is None else {"died": self._died}),
            "violations": ([] if counters is None else counters.violations) + found,
        }


async def take(one_sample: Callable[[], None], patience: float) -> None:
    """Takes a sample. Of a process that is gone whoever works with it knows more, and is about to fail."""
    try:
        one_sample()
    except psutil.NoSuchProcess:
        await asyncio.sleep(patience)
        raise


def sample(
    series: dict[str, list[float]], gateway: GatewayProcess, worker: psutil.Process, windows_handles: int | None
) -> None:
    """One more of each figure."""
    series["workerWorkingSetMiB"].append(worker.memory_info().rss / MIB)
    series["workerOpenFiles"].append(worker.num_fds())
    series["gatewayWorkingSetMiB"].append(gateway.process.memory_info().rss / MIB)
    series["gatewayOpenFiles"].append(gateway.process.num_fds())
    series["gatewayThreads"].append(gateway.process.num_threads())
    if windows_handles is not None:
        series["workerHandles"].append(windows_handles)
