"""Alarms: fan-out beside the bare server of the same run, the list, memory, reopening, failover, history, polls, a real
worker over 20,000 alarms, the client.

Usage: python -m benches.alarms [--seconds N] [--streams N] [--rate N] [--alarms N] [--rows N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc

from benches.alarm_parts import measure_poll, measure_ring
from benches.alarm_past import measure_history
from benches.alarm_peer import Peer
from benches.alarm_plant import measure_plant
from benches.alarm_readers import NO_KEY, SINGLE
from benches.alarm_server import METHOD, facts, transition
from benches.figures import ratio
from benches.gateway_process import Site
from mxgateway import AlarmChange, AlarmFeedState, GatewayClient
from mxgateway.alarm_reader import AlarmReader
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_LIMIT = 60.0
_PROCESSES = 2
_FEW = 2000
"""Alarms of the gateway that fans out."""
_IDLE = 50


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. The defaults are the bars' own sizes, but for the time of a figure."""

    seconds: float = 3.0
    streams: int = 50
    rate: int = 10_000
    alarms: int = 20_000
    rows: int = 2_000_000


async def measure(size: Size) -> dict[str, Any]:
    """All figures of alarms, one after the other."""
    figures: dict[str, Any] = {"sizes": {"streams": size.streams, "rate": size.rate, "alarms": size.alarms}}
    with tempfile.TemporaryDirectory(prefix="mxgateway-bench-") as scratch:
        site = await asyncio.to_thread(Site.prepare, Path(scratch))
        async with Peer.running("benches.alarm_server", "--floor") as (floor, ready):
            figures["floor"] = await _fan_out(floor, f"127.0.0.1:{ready['port']}", NO_KEY, size, filters=1)
            # Its changes are stamped once, before they are told.
            del figures["floor"]["latencyMs"]
        arguments = (str(site.state_dir), str(site.galaxy))
        async with Peer.running("benches.alarm_server", *arguments, str(_FEW)) as (server, ready):
            address = f"127.0.0.1:{ready['port']}"
            async with GatewayClient.connect(endpoint=address, api_key=site.api_key, plaintext=True) as client:
                await _live(client)
            few = await server.ask()
            for name, filters in (("oneFilter", 1), ("tenFilters", 10)):
                figures[name] = await _fan_out(server, address, site.api_key, size, filters=filters)
            calm = replace(size, rate=1000)
            figures["calm"] = await _fan_out(server, address, site.api_key, calm, filters=1)
            few_single = replace(calm, streams=6)
            figures["single"] = await _fan_out(server, address, site.api_key, few_single, filters=SINGLE)
        async with Peer.running("benches.alarm_server", *arguments, str(size.alarms)) as (server, ready):
            address = f"127.0.0.1:{ready['port']}"
            figures["list"] = await _list(server, address, site, size, few["rssMiB"])
            figures["failover"] = await _failover(server, address, site)
        figures["plant"] = await measure_plant(Path(scratch))
        figures["history"] = await asyncio.to_thread(measure_history, Path(scratch), size.rows, size.seconds)
        figures["poll"] = await asyncio.to_thread(measure_poll, size.alarms)
        figures["ring"] = await asyncio.to_thread(measure_ring)
        figures["client"] = _client(size)
    figures["overFloor"] = ratio(figures["oneFilter"]["cores"], figures["floor"]["cores"])
    return figures


async def _live(client: GatewayClient) -> None:
    """Waits until the monitor has its list."""
    async with asyncio.timeout(_LIMIT), client.alarms.watch(patient=True) as feed:
        async for state in feed.state_changes():
            if state is AlarmFeedState.SYNCED:
                return


async def _fan_out(server: Peer, address: str, key: str, size: Size, *, filters: int) -> dict[str, Any]:
    """The same changes to all streams: what the serving process needs, and whether all of it came."""
    each = size.streams // _PROCESSES
    async with AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(
                Peer.running("benches.alarm_readers", address, key, str(each), str(filters))
            )
            for _ in range(_PROCESSES)
        ]
        # The first second finds everybody's rhythm.
        await server.ask(rate=size.rate, seconds=1.0)
        for reader, _ in readers:
            await reader.ask()
        sent = await server.ask(rate=size.rate, seconds=size.seconds)
        await asyncio.sleep(0.5)
        found = [await reader.ask() for reader, _ in readers]
        kept = {} if key == NO_KEY else await server.ask()
    p99 = max(each["latencyMs"]["p99"] for each in found)
    return {
        "changesPerSecond": sent["perSecond"],
        "deliveriesPerSecond": sent["perSecond"] * each * _PROCESSES,
        "cores": sent["cores"],
        "lookedInto": sum(each["lookedInto"] for each in found),
        "gaps": sum(each["gaps"] for each in found),
        "latencyMs": {"p50": max(each["latencyMs"]["p50"] for each in found), "p99": p99},
        "historyLost": kept.get("historyLost", 0),
    }


async def _list(server: Peer, address: str, site: Site, size: Size, rss_of_few: float) -> dict[str, Any]:
    """The list of all alarms: how soon it is there, for one and for many at once, and what it holds in memory."""
    async with GatewayClient.connect(endpoint=address, api_key=site.api_key, plaintext=True) as client:
        await _live(client)
    full = await server.ask()
    async with grpc.aio.insecure_channel(address) as channel:
        first, whole, entries = await _snapshot(channel, site.api_key)
        begin = time.perf_counter()
        await asyncio.gather(*(_snapshot(channel, site.api_key) for _ in range(size.streams)))
        many = time.perf_counter() - begin
        holding = await server.ask()
    streams = await _idle_streams(server, address, site.api_key)
    return {
        "entries": entries,
        "firstMs": round(1000 * first, 1),
        "wholeMs": round(1000 * whole, 1),
        "allStreamsSeconds": round(many, 2),
        "kibPerAlarm": round((full["rssMiB"] - rss_of_few) * 1024 / max(1, size.alarms - _FEW), 2),
        "mibAfterAllStreams": round(holding["rssMiB"] - full["rssMiB"], 1),
        "kibPerStream": streams,
    }


async def _idle_streams(server: Peer, address: str, key: str) -> float:
    """KiB of the gateway for each of many streams that only stand."""
    before = await server.ask()
    async with grpc.aio.insecure_channel(address) as channel:
        request = pb.StreamAlarmsRequest(include_extended=True)
        # Streams of nothing, so that what is measured is not their list on its way.
        request.filter.references.append("nothing.*")
        calls = [
            channel.unary_stream(METHOD)(request.SerializeToString(), metadata=(("authorization", f"Bearer {key}"),))
            for _ in range(_IDLE)
        ]
        for call in calls:
            await call.read()
        standing = await server.ask()
        for call in calls:
            call.cancel()
    return round((standing["rssMiB"] - before["rssMiB"]) * 1024 / _IDLE, 1)


async def _snapshot(channel: grpc.aio.Channel, key: str) -> tuple[float, float, int]:
    """Seconds to the first entry and to the marker, and how many came."""
    begin, first, entries = time.perf_counter(), 0.0, 0
    call = channel.unary_stream(METHOD)(
        pb.StreamAlarmsRequest(include_extended=True).SerializeToString(),
        metadata=(("authorization", f"Bearer {key}"),),
    )
    async for data in call:
        first = first or time.perf_counter() - begin
        batch = pb.AlarmFeedBatch.FromString(data)
        entries += sum(message.HasField("active_alarm") for message in batch.messages)
        if any(message.HasField("snapshot_complete") for message in batch.messages):
            break
    call.cancel()
    return first, time.perf_counter() - begin, entries


async def _failover(server: Peer, address: str, site: Site) -> dict[str, Any]:
    """A switch and back, and a lost worker, while the plant stands still: nothing may be told that has not happened."""
    async with (
        GatewayClient.connect(endpoint=address, api_key=site.api_key, plaintext=True) as client,
        client.alarms.watch() as feed,
    ):
        while True:
            try:
                await feed.next_event(0.2)
            except TimeoutError:
                break
        before = len(feed.active)
        await server.ask(switch=int(pb.ALARM_PROVIDER_MODE_SUBTAG), reason=1)
        await server.ask(switch=int(pb.ALARM_PROVIDER_MODE_ALARMMGR), reason=2)
        switched = await _changes(feed, 2.0)
        begin = time.perf_counter()
        await server.ask(die=True)
        async with asyncio.timeout(_LIMIT):
            was_lost = False
            async for state in feed.state_changes():
                was_lost = was_lost or state is AlarmFeedState.UNCERTAIN
                if was_lost and state is AlarmFeedState.SYNCED:
                    break
        seconds = time.perf_counter() - begin
        reopened = await _changes(feed, 2.0)
        return {
            "switchChanges": switched,
            "reopenSeconds": round(seconds, 2),
            "reopenChanges": reopened,
            "missingAfter": before - len(feed.active),
        }


async def _changes(feed: Any, quiet: float) -> int:
    """Changes until nothing has come for so long."""
    found = 0
    while True:
        try:
            found += isinstance(await feed.next_event(quiet), AlarmChange)
        except TimeoutError:
            return found


# -------------------------------------------------------------------------------------------------------------- client


def _client(size: Size) -> dict[str, Any]:
    """Changes a second through what a feed does with them, its list kept."""
    messages = [
        pb.AlarmFeedMessage(transition=transition(number, turn, 1_750_000_000_000_000_000).on_alarm_transition)
        for turn in range(3)
        for number in range(2000)
    ]
    batches = [
        pb.AlarmFeedBatch(messages=messages[place : place + 500]).SerializeToString()
        for place in range(0, len(messages), 500)
    ]
    reader = AlarmReader()
    reader.begin(resumed=False)
    for number in range(2000):
        list(reader.read(pb.AlarmFeedMessage(active_alarm=pb.ActiveAlarmSnapshot(state=1, **facts(number)))))
    list(reader.read(pb.AlarmFeedMessage(snapshot_complete=True)))
    begin, seen = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begin) < min(size.seconds, 5.0):
        for data in batches:
            for message in pb.AlarmFeedBatch.FromString(data).messages:
                for _ in reader.read(message):
                    seen += 1
    return {"changesPerSecond": round(seen / elapsed), "microsecondsPerChange": round(1e6 * elapsed / seen, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.alarms", description=__doc__)
    defaults = Size()
    for name in Size.__slots__:
        kind = type(getattr(defaults, name))
        parser.add_argument(f"--{name}", type=kind, default=getattr(defaults, name))
    print(json.dumps(asyncio.run(measure(Size(**vars(parser.parse_args())))), indent=2))


if __name__ == "__main__":
    main()
