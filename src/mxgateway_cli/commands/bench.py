"""Benchmarks with the figures and names that all clients of this gateway family print."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import click

from mxgateway import MAX_BULK_ITEMS, GatewayClient, MxGatewayError, Session
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.failures import CommandFailure
from mxgateway_cli.moments import nanoseconds
from mxgateway_cli.output import emit, note
from mxgateway_cli.percentiles import summary
from mxgateway_cli.tag_patterns import numbered_tags
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_MAX_SAMPLES = 2_000_000


def _tag_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--tag-attribute", default="TestChangingInt", show_default=True, help="Attribute of each tag."),
        click.option("--tag-start", type=int, default=1, show_default=True, help="First number."),
        click.option("--tag-prefix", default="TestMachine_", show_default=True, help="Name before the number."),
        click.option("--warmup-seconds", type=click.FloatRange(min=0), default=3.0, show_default=True),
        click.option(
            "--duration-seconds", type=click.FloatRange(min=0, min_open=True), default=30.0, show_default=True
        ),
    ):
        command = option(command)
    return command


@dataclass
class ReadBulkFigures:
    """Counted during the steady phase. A call that failed is in `failures` only."""

    successes: list[float] = field(default_factory=list)
    failures: list[float] = field(default_factory=list)
    results: int = 0
    cached: int = 0
    unreadable: int = 0
    seconds: float = 0.0
    last_error: str = ""

    def problem(self, tag: str) -> str:
        """Why the figures are no measure of reads of subscribed tags; empty when they are one."""
        if not self.successes:
            return "no call succeeded" + (f": {self.last_error}" if self.last_error else "")
        if self.unreadable:
            return f"{self.unreadable} of {self.results} results were failures; is {tag} a tag? (--tag-prefix)"
        if self.cached != self.results:
            return (
                f"{self.results - self.cached} of {self.results} results were not cached, so they measure the plant: "
                "give the tags time for their first value (--warmup-seconds)"
            )
        return ""

    def report(self) -> dict[str, Any]:
        """The document. latencyMs is fed by successful calls only, failureLatencyMs by the others."""
        total = len(self.successes) + len(self.failures)
        return {
            "language": "python",
            "durationMs": round(self.seconds * 1000, 3),
            "totalCalls": total,
            "successfulCalls": len(self.successes),
            "failedCalls": len(self.failures),
            "totalReadResults": self.results,
            "cachedReadResults": self.cached,
            "callsPerSecond": round(total / self.seconds, 3) if self.seconds else 0.0,
            "latencyMs": asdict(summary(self.successes)),
            "failureLatencyMs": asdict(summary(self.failures)),
        }


async def read_bulk_loop(
    session: Session,
    server_handle: int,
    tags: list[str],
    timeout_ms: int,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> ReadBulkFigures:
    """Calls read_bulk one after the other for some seconds. Canceling ends it at once."""
    figures = ReadBulkFigures()
    began = clock()
    while (started := clock()) - began < seconds:
        try:
            results = await session.read_bulk(server_handle, tags, timeout_ms=timeout_ms)
        except MxGatewayError as error:
            figures.failures.append((clock() - started) * 1000)
            figures.last_error = str(error)
            continue
        figures.successes.append((clock() - started) * 1000)
        figures.results += len(results)
        figures.cached += sum(result.was_cached for result in results)
        figures.unreadable += sum(not result.was_successful for result in results)
    figures.seconds = clock() - began
    return figures


@click.command()
@_tag_options
@click.option("--bulk-size", type=click.IntRange(1, MAX_BULK_ITEMS), default=6, show_default=True, help="Tags a call.")
@click.option("--timeout-ms", type=click.IntRange(min=0), default=0, show_default=True, help="Limit for each tag.")
@connected(long_running=True)
def bench_read_bulk(
    connection: Connection,
    duration_seconds: float,
    warmup_seconds: float,
    bulk_size: int,
    timeout_ms: int,
    tag_prefix: str,
    tag_start: int,
    tag_attribute: str,
) -> None:
    """Measures read-bulk calls over subscribed tags, one after the other.

    Prints one JSON object. latencyMs (milliseconds) is fed by successful calls only; failed ones are in
    failureLatencyMs. The session is closed also when the run is interrupted. Exit code 1: no call succeeded, or results
    after the warm-up are no cached values.

    \b
    Example:
      mxgw-py bench-read-bulk --duration-seconds 30 --bulk-size 6 --json
    """
    tags = numbered_tags(tag_prefix, tag_start, bulk_size, tag_attribute)

    async def body(client: GatewayClient) -> ReadBulkFigures:
        async with await client.open_session(client_session_name="bench-read-bulk") as session:
            handle = await session.register("bench-read-bulk")
            subscribed = await session.subscribe_bulk(handle, tags)
            _check(subscribed)
            try:
                await read_bulk_loop(session, handle, tags, timeout_ms, warmup_seconds)
                return await read_bulk_loop(session, handle, tags, timeout_ms, duration_seconds)
            finally:
                await session.unsubscribe_bulk(handle, [each.item_handle for each in subscribed])
                await session.unregister(handle)

    figures = connection.run(body)
    if figures.last_error:
        note(f"{len(figures.failures)} calls failed, the last one: {figures.last_error}")
    emit(figures.report(), True, "")
    if problem := figures.problem(tags[0]):
        raise CommandFailure(problem)


@dataclass
class StreamFigures:
    """Events of all sessions during the steady phase."""

    events: int = 0
    latencies: list[float] = field(default_factory=list)
    lost: int = 0
    counting: bool = False

    def take(self, events: list[pb.MxEvent], now_ns: int) -> None:
        """Counts a batch while the steady phase lasts; the latency is receive time minus worker time."""
        if not self.counting:
            return
        for event in events:
            if event.HasField("replay_gap"):
                self.lost += event.replay_gap.dropped_events
                continue
            self.events += 1
            if len(self.latencies) < _MAX_SAMPLES:
                self.latencies.append((now_ns - nanoseconds(event.worker_timestamp)) / 1e6)


@click.command()
@_tag_options
@click.option("--bulk-size", type=click.IntRange(1, 50_000), default=120, show_default=True, help="Tags a session.")
@click.option("--session-count", type=click.IntRange(1, 1000), default=1, show_default=True, help="Sessions at once.")
@click.option(
    "--session-start-stagger-ms", type=click.IntRange(min=0), default=750, show_default=True, help="Between openings."
)
@connected(long_running=True)
def bench_stream_events(
    connection: Connection,
    duration_seconds: float,
    warmup_seconds: float,
    bulk_size: int,
    session_count: int,
    session_start_stagger_ms: int,
    tag_prefix: str,
    tag_start: int,
    tag_attribute: str,
) -> None:
    """Measures events: how many a second, and how long from the worker to here.

    Prints one JSON object; latencyMs is receive time minus worker time in milliseconds, so clocks of two machines
    have to agree. A stream that fails ends the run with its error. Exit code 1: no event came.

    \b
    Example:
      mxgw-py bench-stream-events --bulk-size 120 --duration-seconds 30 --json
    """
    tags = numbered_tags(tag_prefix, tag_start, bulk_size, tag_attribute)
    run = _StreamRun(
        tags=tags,
        session_count=session_count,
        stagger=session_start_stagger_ms / 1000,
        warmup=warmup_seconds,
        duration=duration_seconds,
    )
    connection.run(run.main)
    emit(run.report(), True, "")
    if not run.figures.events:
        raise CommandFailure(f"no tag changed; is {tags[0]} a tag? (--tag-prefix)")


@dataclass
class _StreamRun:
    """One run of bench-stream-events. Times are seconds."""

    tags: list[str]
    session_count: int
    stagger: float
    warmup: float
    duration: float
    figures: StreamFigures = field(default_factory=StreamFigures)
    measured: float = 0.0

    async def main(self, client: GatewayClient) -> None:
        sessions: list[Session] = []
        readers: list[asyncio.Task[None]] = []
        try:
            # Leaving the group cancels and awaits each reader on every way out, so none is left unobserved.
            async with asyncio.TaskGroup() as group:
                for index in range(self.session_count):
                    if index:
                        await asyncio.sleep(self.stagger)
                    session = await client.open_session(client_session_name=f"bench-stream-events {index + 1}")
                    sessions.append(session)
                    readers.append(group.create_task(self._read(session)))
                    await self._subscribe(session)
                await self._measure()
                for reader in readers:
                    reader.cancel()
        finally:
            for session in sessions:
                await session.close()

    async def _read(self, session: Session) -> None:
        async with session.stream_events() as stream:
            async for events in stream.batches():
                self.figures.take(events, time.time_ns())
        raise CommandFailure("the gateway ended an event stream")

    async def _subscribe(self, session: Session) -> None:
        handle = await session.register("bench-stream-events")
        most = session.max_bulk_items
        for start in range(0, len(self.tags), most):
            _check(await session.subscribe_bulk(handle, self.tags[start : start + most]))

    async def _measure(self) -> None:
        await asyncio.sleep(self.warmup)
        self.figures.counting = True
        began = time.perf_counter()
        await asyncio.sleep(self.duration)
        self.measured = time.perf_counter() - began
        self.figures.counting = False

    def report(self) -> dict[str, Any]:
        return {
            "language": "python",
            "durationMs": round(self.measured * 1000, 3),
            "sessionCount": self.session_count,
            "tagsPerSession": len(self.tags),
            "totalEvents": self.figures.events,
            "eventsPerSecond": round(self.figures.events / self.measured, 3) if self.measured else 0.0,
            "lostEvents": self.figures.lost,
            "latencyMs": asdict(summary(self.figures.latencies)),
        }


def _check(results: list[pb.SubscribeResult]) -> None:
    refused = [each for each in results if not each.was_successful]
    if refused:
        raise CommandFailure(
            f"{len(refused)} of {len(results)} tags were refused: {refused[0].tag_address}: {refused[0].error_message}"
        )
