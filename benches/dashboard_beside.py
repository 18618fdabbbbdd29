"""What the dashboard costs beside its readers: the gateway's start, a diagnostics bundle, and how late the loop is."""

from __future__ import annotations

import asyncio
import http.client
import json
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from urllib.parse import urlsplit

from benches.figures import tell
from benches.gateway_process import GatewayProcess, Site
from benches.product import subscribe
from mxgateway import Session

STARTS = 5
BUNDLES = 5
LAG_TURNS = 3
LAG_SECONDS = 10.0
"""How long one stretch of lag is; the gateway tells one figure for each."""
TAGS = [f"Tick1000_{number:03d}.Value" for number in range(1, 201)]


async def measure_start(site: Site, rounds: int = STARTS) -> dict[str, float]:
    """Seconds from the process's begin to its ready line, with the dashboard and without, in turns; and of CPU,
    which is judged: on a busy machine the others grow."""
    taken: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for turn in range(rounds):
        tell(f"  dashboard: starts, turn {turn + 1} of {rounds}")
        for has_dashboard in (True, False) if turn % 2 else (False, True):
            taken[has_dashboard].append(await asyncio.to_thread(_start, site, has_dashboard))
    with_it, without = (
        [statistics.median(figure) for figure in zip(*taken[which], strict=True)] for which in (True, False)
    )
    return {
        "withSeconds": round(with_it[0], 3),
        "withoutSeconds": round(without[0], 3),
        "addedSeconds": round(with_it[0] - without[0], 3),
        "addedCpuSeconds": round(with_it[1] - without[1], 3),
    }


def _start(site: Site, has_dashboard: bool) -> tuple[float, float]:
    settings = {
        "operations.listen": "",
        "operations.listen_plaintext": "127.0.0.1:0",
        "dashboard.enabled": str(has_dashboard).lower(),
        "worker.pool_size": "0",
    }
    began = time.perf_counter()
    running = GatewayProcess(site, settings)
    seconds, used = time.perf_counter() - began, running.process.cpu_times()
    running.stop()
    return seconds, used.user + used.system


def measure_bundle(url: str, cookie: str) -> dict[str, float]:
    """Seconds until a diagnostics bundle is there, and the longest that anybody else waits for an answer meanwhile: who
    holds the loop keeps them waiting. Medians of several; `quietAnswerMs` is the longest wait without a bundle.

    Args:
        url: of the dashboard.
        cookie: of an administrator.
    """
    tell("  dashboard: bundles")
    seconds, longest, quiet, sizes = [], [], [], []
    for _ in range(BUNDLES):
        request = _Request(url, "/api/v1/diagnostics", cookie)
        began = time.perf_counter()
        waits = _answers(url, request.is_there)
        seconds.append(request.ended - began)
        longest.append(max(waits))
        sizes.append(len(request.body))
        until = time.perf_counter() + seconds[-1]
        quiet.append(max(_answers(url, lambda until=until: time.perf_counter() > until)))
    return {
        "seconds": round(statistics.median(seconds), 3),
        "longestAnswerMs": round(statistics.median(longest) * 1000, 1),
        "quietAnswerMs": round(statistics.median(quiet) * 1000, 1),
        "bytes": round(statistics.median(sizes)),
    }


class _Request:
    """A request that is on its way; looked at without waiting for it."""

    def __init__(self, url: str, path: str, cookie: str) -> None:
        place = urlsplit(url)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port)
        self._connection.request("GET", path, headers={"cookie": cookie})
        self.ended = 0.0
        self.body = b""

    def is_there(self) -> bool:
        if not self.ended:
            self._connection.sock.settimeout(0.001)
            try:
                # One byte is looked at, not taken.
                self._connection.sock.recv(1, 2)
            except TimeoutError:
                return False
            self.ended = time.perf_counter()
            self._connection.sock.settimeout(30.0)
            answer = self._connection.getresponse()
            self.body = answer.read()
            self._connection.close()
            if answer.status != 200:
                raise RuntimeError(f"the bundle is refused: {answer.status} {self.body[:200]!r}")
        return True


def _answers(url: str, is_over: Callable[[], bool]) -> list[float]:
    """Seconds that each of many small answers took until `is_over`; one at least."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port)
    found: list[float] = []
    while not found or not is_over():
        began = time.perf_counter()
        connection.request("GET", "/health/live")
        connection.getresponse().read()
        found.append(time.perf_counter() - began)
    connection.close()
    return found


async def measure_lag(
    running: GatewayProcess, pages: Callable[[], AbstractAsyncContextManager[None]], sessions: int
) -> dict[str, float]:
    """The event loop's lag, p99 in ms, while so many sessions with 200 tags each are read, beside pages and without.

    Args:
        running: a gateway with `logging.loop_lag_interval_seconds` at LAG_SECONDS, and its log as JSON.
        pages: readers of the dashboard, there while it is entered.
    """
    found: dict[str, list[float]] = {"with": [], "without": []}
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(await running.client())
        opened = [await stack.enter_async_context(await client.open_session()) for _ in range(sessions)]
        for session in opened:
            await subscribe(session, TAGS)
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(_read(session)) for session in opened]
            for turn in range(LAG_TURNS):
                tell(f"  dashboard: lag, turn {turn + 1} of {LAG_TURNS}")
                for way in ("with", "without") if turn % 2 else ("without", "with"):
                    async with AsyncExitStack() as shown:
                        if way == "with":
                            await shown.enter_async_context(pages())
                        found[way].append(await _stretch(running))
            for reader in readers:
                reader.cancel()
    figures = {way: round(statistics.median(values), 2) for way, values in found.items()}
    return {"withMs": figures["with"], "withoutMs": figures["without"], "addedMs": figures["with"] - figures["without"]}


async def _read(session: Session) -> None:
    async with session.stream_events() as stream:
        async for _ in stream.batches():
            pass


async def _stretch(running: GatewayProcess) -> float:
    """The p99 of the first stretch that begins from now on."""
    seen = len(_lags(running))
    await asyncio.sleep(2 * LAG_SECONDS + 1.0)
    return _lags(running)[seen + 1]


def _lags(running: GatewayProcess) -> list[float]:
    lines = [json.loads(line) for line in list(running.last_lines) if '"event_loop_lag"' in line]
    return [float(line["p99_ms"]) for line in lines]
