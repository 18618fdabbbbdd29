"""Benchmarks: the schema, which calls feed which figures, and ends without leftovers."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from typing import Any

import grpc
import pytest
from tests.support.clock import ManualClock
from tests.support.fake_gateway import Abort, FakeGateway, data_change, ok, running_fake
from tests.support.waiting import eventually, wait_until
from tests.unit.cli.conftest import Cli

from mxgateway import GatewayClient
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.commands.bench import read_bulk_loop
from mxgateway_cli.percentiles import percentile, summary

KEYS = [
    *("language", "durationMs", "totalCalls", "successfulCalls", "failedCalls", "totalReadResults"),
    *("cachedReadResults", "callsPerSecond", "latencyMs", "failureLatencyMs"),
]
FIGURES = ["p50", "p95", "p99", "max", "mean"]


def test_bench_read_bulk_prints_the_schema(gateway: FakeGateway, cli: Cli) -> None:
    """The command prints exactly the published keys as one object, and leaves no subscription and no session."""
    outcome = cli("bench-read-bulk", "--duration-seconds", "0.2", "--warmup-seconds", "0", "--json")
    assert outcome.code == 0, outcome.err
    assert list(outcome.json) == KEYS
    assert list(outcome.json["latencyMs"]) == list(outcome.json["failureLatencyMs"]) == FIGURES
    assert outcome.json["successfulCalls"] == outcome.json["totalCalls"] > 0
    assert outcome.json["cachedReadResults"] == 6 * outcome.json["successfulCalls"]
    sent = gateway.commands_of("read_bulk")[0]
    assert list(sent.tag_addresses)[:2] == ["TestMachine_001.TestChangingInt", "TestMachine_002.TestChangingInt"]
    arms = [request.command.WhichOneof("payload") for request in gateway.commands]
    assert (arms[:2], arms[-2:]) == (["register", "subscribe_bulk"], ["unsubscribe_bulk", "unregister"])
    assert gateway.calls["CloseSession"] == 1


async def test_failed_calls_feed_their_own_figures() -> None:
    """Durations of failed calls are in failureLatencyMs and leave the successful calls' figures alone."""
    clock = ManualClock()
    async with running_fake() as gateway:

        def answer(request: pb.MxCommandRequest) -> Any:
            slow = len(gateway.commands) % 5 == 0
            clock.advance(2.0 if slow else 0.01)
            return Abort(grpc.StatusCode.UNAVAILABLE, "slow failure") if slow else gateway.reply(request)

        gateway.answer("read_bulk", answer)
        async with await GatewayClient.connect(endpoint=gateway.endpoint, plaintext=True) as client:
            figures = await read_bulk_loop(client.attach_session("s"), 1, ["A.B"], 0, 10.0, clock.monotonic)
    report = figures.report()
    assert (report["successfulCalls"], report["failedCalls"]) == (20, 5)
    assert report["latencyMs"]["max"] == pytest.approx(10)
    assert report["failureLatencyMs"]["p50"] == pytest.approx(2000)
    assert report["callsPerSecond"] == pytest.approx(25 / figures.seconds, abs=1e-3)


def test_percentiles() -> None:
    """Percentiles interpolate linearly; without samples every figure is 0."""
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.5
    assert percentile([1.0], 0.99) == 1.0
    assert vars(summary([])) == dict.fromkeys(FIGURES, 0.0)
    assert summary([3.0, 1.0, 2.0]).p50 == 2.0


def test_refused_tags_end_the_bench(gateway: FakeGateway, cli: Cli) -> None:
    """A tag that cannot be subscribed is a failure that names it, and the session is closed."""
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    for index in range(6):
        reply.subscribe_bulk.results.add(tag_address=f"T{index}", was_successful=False, error_message="denied")
    gateway.answer("subscribe_bulk", reply)
    outcome = cli("bench-read-bulk", "--duration-seconds", "1")
    assert outcome.code == 1
    assert "T0: denied" in outcome.err
    assert gateway.calls["CloseSession"] == 1


def _read(tag: str, *, successful: bool = True, cached: bool = True) -> pb.BulkReadResult:
    return pb.BulkReadResult(tag_address=tag, was_successful=successful, was_cached=cached, quality=192)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([_read("A")] * 5 + [_read("B", successful=False, cached=False)], "results were failures"),
        ([_read("A")] * 5 + [_read("B", cached=False)], "not cached"),
        (Abort(grpc.StatusCode.UNAVAILABLE, "down"), "no call succeeded"),
    ],
)
def test_bench_read_bulk_fails_when_it_measures_something_else(
    gateway: FakeGateway, cli: Cli, answer: Any, words: str
) -> None:
    """Figures of failed calls, of unreadable tags and of reads from the plant are printed, and are a failure."""
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    if isinstance(answer, list):
        reply.read_bulk.results.extend(answer)
        answer = reply
    gateway.answer("read_bulk", answer)
    outcome = cli("bench-read-bulk", "--duration-seconds", "0.05", "--warmup-seconds", "0", "--json")
    assert outcome.code == 1
    assert words in outcome.err
    assert list(outcome.json) == KEYS


def test_bench_stream_events_fails_without_an_event(gateway: FakeGateway, cli: Cli) -> None:
    outcome = cli("bench-stream-events", "--duration-seconds", "0.05", "--warmup-seconds", "0", "--bulk-size", "1")
    assert (outcome.code, outcome.json["totalEvents"]) == (1, 0)
    assert "no tag changed" in outcome.err


def test_register_without_payload_ends_the_bench(gateway: FakeGateway, cli: Cli) -> None:
    """A register reply without its payload is an error, not server handle 0."""
    gateway.answer("register", pb.MxCommandReply(protocol_status=ok(), hresult=0))
    outcome = cli("bench-read-bulk", "--duration-seconds", "1")
    assert outcome.code == 1
    assert "register payload" in outcome.err


def test_bench_stream_events_prints_its_figures(gateway: FakeGateway, cli: Cli) -> None:
    """The command prints events a second and latencies, with all of its sessions closed."""

    def answer(request: pb.MxCommandRequest) -> Any:
        # All along the run, whenever its steady phase begins.
        for index in range(100):
            asyncio.get_running_loop().call_later(index * 0.02, gateway.put, data_change(index + 1))
        return gateway.reply(request)

    gateway.answer("subscribe_bulk", answer)
    outcome = cli(
        *("bench-stream-events", "--duration-seconds", "0.3", "--warmup-seconds", "0", "--session-count", "2"),
        *("--session-start-stagger-ms", "1", "--bulk-size", "3", "--json"),
    )
    assert outcome.code == 0, outcome.err
    assert list(outcome.json) == [
        *("language", "durationMs", "sessionCount", "tagsPerSession", "totalEvents", "eventsPerSecond"),
        *("lostEvents", "latencyMs"),
    ]
    assert gateway.calls["CloseSession"] == 2


def test_bench_stream_events_fails_with_its_stream(gateway: FakeGateway, cli: Cli) -> None:
    """A stream that breaks ends the bench with its cause, and leaves no task and no session behind."""
    gateway.events = [Abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "queue overflow")]
    outcome = cli("bench-stream-events", "--duration-seconds", "30", "--bulk-size", "1")
    assert outcome.code == 1
    assert "queue overflow" in outcome.err
    assert "never retrieved" not in outcome.err
    assert gateway.calls["CloseSession"] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
@pytest.mark.parametrize(
    ("arguments", "code", "started"),
    [
        (("bench-read-bulk", "--warmup-seconds", "30"), 130, "Invoke"),
        (("bench-read-bulk", "--warmup-seconds", "0"), 130, "Invoke"),
        (("bench-stream-events", "--bulk-size", "1"), 130, "StreamEventBatches"),
        (("stream-events", "--session-id", "session-1", "--json"), 0, "StreamEvents"),
        (("watch", "A.B"), 0, "StreamEventBatches"),
        (("galaxy-watch", "--json"), 0, "WatchDeployEvents"),
    ],
)
def test_interrupt_ends_promptly(gateway: FakeGateway, arguments: tuple[str, ...], code: int, started: str) -> None:
    """SIGINT ends a running command promptly: streams as an ordinary end with 0, benches with 130, sessions closed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mxgateway_cli", *arguments, "--endpoint", gateway.endpoint, "--plaintext"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: started in gateway.calls, 20)
        if arguments[0] == "bench-read-bulk":
            wait_until(lambda: len(gateway.commands) > 5, 20)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == code, err
    assert time.monotonic() - began < 10
    assert "Traceback" not in err
    assert gateway.calls.get("CloseSession", 0) == gateway.calls.get("OpenSession", 0)
    if "--json" in arguments:
        assert out.strip().endswith("}")


def test_nothing_asynchronous_is_left(gateway: FakeGateway, cli: Cli) -> None:
    """A cancelled read loop ends at once and is awaited."""

    async def run() -> None:
        async with await GatewayClient.connect(endpoint=gateway.endpoint, plaintext=True) as client:
            loop = asyncio.ensure_future(read_bulk_loop(client.attach_session("s"), 1, ["A.B"], 0, 60))
            await eventually(lambda: bool(gateway.commands))
            loop.cancel()
            with pytest.raises(asyncio.CancelledError):
                await loop

    asyncio.run(run())
