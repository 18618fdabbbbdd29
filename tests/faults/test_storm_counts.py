"""A burst that no queue holds: under every policy delivered and announced events add up to what was made, exactly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from benches.gateway_process import SCOPES, GatewayProcess, Site

from mxgateway import GatewayClient, MxGatewayError, MxGatewaySessionError, MxGatewayWorkerError
from mxgateway.generated import mxaccess_gateway_pb2 as pb

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

TAGS = ("Quiet_001.Value", "Quiet_002.Value", "Setpoint_001.Value")
BURST = 40_000
SETTINGS = {"worker.pool_size": "0", "events.queue_capacity": "1000"}
DROP_OLDEST = pb.BACKPRESSURE_POLICY_DROP_OLDEST
CONFLATE = pb.BACKPRESSURE_POLICY_CONFLATE
FAIL_FAST = pb.BACKPRESSURE_POLICY_FAIL_FAST


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[GatewayClient]:
    """A client of a gateway that allows fault injection."""
    site = await asyncio.to_thread(Site.prepare, tmp_path, scopes=f"{SCOPES},admin")
    gateway = await asyncio.to_thread(GatewayProcess, site, SETTINGS, ("--allow-fault-injection",))
    try:
        async with await gateway.client() as connected:
            yield connected
    finally:
        await asyncio.to_thread(gateway.stop)


@pytest.mark.parametrize("policy", [DROP_OLDEST, CONFLATE])
async def test_delivered_and_dropped_add_up(client: GatewayClient, policy: pb.BackpressurePolicy.ValueType) -> None:
    """Whatever worker and gateway drop or replace of a burst, the stream's counts name it to the last event."""
    async with await client.open_session(backpressure_policy=policy) as session:
        server = await session.register("burst")
        results = await session.subscribe_bulk(server, TAGS)
        async with asyncio.timeout(60):
            # A write needs the type, which comes with the first value.
            while not all(result.was_cached for result in await session.read_bulk(server, TAGS)):
                pass
        await session.inject_fault("flood_events", {"count": str(BURST)})
        # Its completion, its change, and so many copies of the change; nobody reads yet.
        await session.write(server, results[-1].item_handle, 7)
        made = len(TAGS) + BURST + 2
        delivered = missing = last = 0
        async with session.stream_events() as stream, asyncio.timeout(60):
            while delivered + stream.dropped_events < made:
                event = await anext(stream)
                if event.HasField("replay_gap"):
                    continue
                assert event.worker_sequence > last
                missing += event.worker_sequence - last - 1
                last = event.worker_sequence
                delivered += 1
            assert delivered + stream.dropped_events == made
            assert 0 < delivered < made
            # What the gateway dropped is a hole in the sequences; what the worker dropped never had one.
            assert missing <= stream.dropped_events


async def test_fail_fast_tells_of_its_end_after_an_unbroken_sequence(client: GatewayClient) -> None:
    """A burst that does not fit ends the session with a typed error; all that came before is without a hole."""
    session = await client.open_session(backpressure_policy=FAIL_FAST)
    server = await session.register("burst")
    results = await session.subscribe_bulk(server, TAGS)
    await session.inject_fault("flood_events", {"count": str(BURST)})
    sequences: list[int] = []
    failure: MxGatewayError | None = None
    async with session.stream_events() as stream, asyncio.timeout(60):
        try:
            # The stream stands before the burst comes, unless the tags' own changes have set it off.
            sequences.append((await anext(stream)).worker_sequence)
            await session.write(server, results[-1].item_handle, 7)
            # Slower than any burst, so that its bounds are met.
            async for event in stream:
                sequences.append(event.worker_sequence)
                await asyncio.sleep(0)
        except MxGatewayError as error:
            failure = error
    assert failure is not None
    assert isinstance(failure, MxGatewayWorkerError | MxGatewaySessionError) or (
        failure.reason == "EVENT_QUEUE_OVERFLOW"
    ), failure
    assert sequences == list(range(1, len(sequences) + 1))
    await session.close()
