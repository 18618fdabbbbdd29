"""Alarms: fan-out beside the bare server of the same run, the list, memory, reopening, failover, history, polls, a real
worker over 20,000 alarms, the client.

Usage: python -m benches.alarms [--part NAME] [--seconds N] [--streams N] [--rate N] [--alarms N] [--rows N]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc

from benches.alarm_parts import measure_poll, measure_ring
from benches.alarm_past import measure_history
from benches.alarm_peer import Peer
from benches.alarm_plant import measure_plant
from benches.alarm_readers import KEY_VARIABLE, NO_KEY, SINGLE
from benches.alarm_server import METHOD, facts, transition
from benches.figures import ratio
from benches.gateway_process import Site
from mxgateway import AlarmChange, AlarmFeedState, GatewayClient
from mxgateway.alarm_reader import AlarmReader
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_LIMIT = 300.0
_PROCESSES = 2
_FEW = 2000
"""Alarms of the gateway that fans out."""
_IDLE = 80
_STEADY = 5
"""Looks at the memory that have to show the same."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. The defaults are the bars' own sizes, but for the time of a figure."""

    seconds: float = 3.0
    streams: int = 50
    rate: int = 10_000
    alarms: int = 20_000
    rows: int = 2_000_000


async def measure(size: Size, parts: Collection[str] = ()) -> dict[str, Any]:
    """Figures of alarms, one part after the other, each told on stderr as it goes.

    One that fails says so in place of its figures, and the others are measured all the same.

    Args:
        parts: names of PARTS; empty for all.
    """
    figures: dict[str, Any] = {"sizes": {"streams": size.streams, "rate": size.rate, "alarms": size.alarms}}
    with tempfile.TemporaryDirectory(prefix="mxgateway-bench-") as scratch:
        bench = _Bench(size, Path(scratch), await asyncio.to_thread(Site.prepare, Path(scratch)))
        for name, work in PARTS.items():
            if parts and name not in parts:
                continue
            print(f"measuring alarms, {name} …", end="", file=sys.stderr, flush=True)
            begin = time.perf_counter()
            try:
                figures |= await work(bench)
                word = ""
            except Exception as error:  # noqa: BLE001 - told, and kept in the report
                word = f", failed: {type(error).__name__}: {error}"
                figures.setdefault("failed", {})[name] = word.removeprefix(", failed: ")
            print(f" {time.perf_counter() - begin:.0f} s{word}", file=sys.stderr, flush=True)
    if "oneFilter" in figures and "floor" in figures:
        figures["overFloor"] = ratio(figures["oneFilter"]["cores"], figures["floor"]["cores"])
    return figures


@dataclass(frozen=True, slots=True)
class _Bench:
    """What the parts share."""

    size: Size
    folder: Path
    site: Site

    @asynccontextmanager
    async def server(self, alarms: int) -> AsyncIterator[tuple[Peer, str]]:
        """A gateway with so many alarms, and its address; once it has its list."""
        # Without the history of the one before: what is new to it would be changes, and those are in memory, too.
        for left in self.site.state_dir.glob("alarms.db*"):
            left.unlink()
        arguments = (str(self.site.state_dir), str(self.site.galaxy), str(alarms))
        async with Peer.running("benches.alarm_server", *arguments) as (server, ready):
            address = f"127.0.0.1:{ready['port']}"
            async with GatewayClient.connect(endpoint=address, api_key=self.site.api_key, plaintext=True) as client:
                await _live(client)
            yield server, address


async def _of_floor(bench: _Bench) -> dict[str, Any]:
    async with Peer.running("benches.alarm_server", "--floor") as (floor, ready):
        address = f"127.0.0.1:{ready['port']}"
        idle = await _idle_streams(floor, address, NO_KEY)
        found = await _fan_out(floor, address, NO_KEY, bench.size, filters=1)
    # Its changes are stamped once, before they are told.
    del found["latencyMs"]
    return {"floor": found | {"kibPerStream": idle}}


async def _of_fan_out(bench: _Bench) -> dict[str, Any]:
    size, key = bench.size, bench.site.api_key
    calm = replace(size, rate=1000)
    found = {}
    async with bench.server(_FEW) as (server, address):
        for name, filters in (("oneFilter", 1), ("tenFilters", 10)):
            found[name] = await _fan_out(server, address, key, size, filters=filters)
        found["calm"] = await _fan_out(server, address, key, calm, filters=1)
        found["single"] = await _fan_out(server, address, key, replace(calm, streams=6), filters=SINGLE)
    return found


async def _of_list(bench: _Bench) -> dict[str, Any]:
    async with bench.server(_FEW) as (server, address):
        few = await _settled(server)
        # Here, where no memory is left over from anything that was there before.
        per_stream = await _idle_streams(server, address, bench.site.api_key)
    async with bench.server(bench.size.alarms) as (server, address):
        listed = await _list(server, address, bench.site, bench.size, few)
        listed["kibPerStream"] = per_stream
        return {"list": listed, "failover": await _failover(server, address, bench.site)}


async def _of_plant(bench: _Bench) -> dict[str, Any]:
    return {"plant": await measure_plant(bench.folder)}


async def _of_history(bench: _Bench) -> dict[str, Any]:
    size = bench.size
    return {"history": await asyncio.to_thread(measure_history, bench.folder, size.rows, size.seconds)}


async def _of_poll(bench: _Bench) -> dict[str, Any]:
    return {"poll": await asyncio.to_thread(measure_poll, bench.size.alarms)}


async def _of_ring(_: _Bench) -> dict[str, Any]:
    return {"ring": await asyncio.to_thread(measure_ring)}


async def _of_client(bench: _Bench) -> dict[str, Any]:
    return {"client": _client(bench.size)}


PARTS: Mapping[str, Callable[[_Bench], Awaitable[dict[str, Any]]]] = {
    "floor": _of_floor,
    "fan-out": _of_fan_out,
    "list": _of_list,
    "plant": _of_plant,
    "history": _of_history,
    "poll": _of_poll,
    "ring": _of_ring,
    "client": _of_client,
}


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
                Peer.running("benches.alarm_readers", address, str(each), str(filters), environment={KEY_VARIABLE: key})
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
    return {
        "changesPerSecond": sent["perSecond"],
        "deliveriesPerSecond": sent["perSecond"] * each * _PROCESSES,
        "cores": sent["cores"],
        "lookedInto": sum(each["lookedInto"] for each in found),
        "gaps": sum(each["gaps"] for each in found),
        "latencyMs": _slowest([each["latencyMs"] for each in found]),
        "historyLost": kept.get("historyLost", 0),
    }


def _slowest(latencies: Sequence[dict[str, float] | None]) -> dict[str, float | None]:
    """Of several processes; nothing where one has seen too little to say."""
    known = [each for each in latencies if each is not None]
    is_known = len(known) == len(latencies)
    return {name: max(each[name] for each in known) if is_known else None for name in ("p50", "p99")}


async def _list(server: Peer, address: str, site: Site, size: Size, rss_of_few: float) -> dict[str, Any]:
    """The list of all alarms: how soon it is there, for one and for many at once, and what it holds in memory."""
    full = await _settled(server)
    async with grpc.aio.insecure_channel(address) as channel:
        first, whole, entries = await _snapshot(channel, site.api_key)
        begin = time.perf_counter()
        await asyncio.gather(*(_snapshot(channel, site.api_key) for _ in range(size.streams)))
        many = time.perf_counter() - begin
        holding = await server.ask()
    return {
        "entries": entries,
        "firstMs": round(1000 * first, 1),
        "wholeMs": round(1000 * whole, 1),
        "allStreamsSeconds": round(many, 2),
        "kibPerAlarm": round((full - rss_of_few) * 1024 / max(1, size.alarms - _FEW), 2),
        "mibAfterAllStreams": round(holding["rssMiB"] - full, 1),
    }


async def _settled(server: Peer) -> float:
    """MiB of a gateway that has its list, once it grows no more: at first it still writes the list to the history."""
    found = [(await server.ask())["rssMiB"]]
    async with asyncio.timeout(_LIMIT):
        while len(found) < _STEADY or max(found[-_STEADY:]) - min(found[-_STEADY:]) > 0.1:
            await asyncio.sleep(0.5)
            found.append((await server.ask())["rssMiB"])
    return float(found[-1])


async def _idle_streams(server: Peer, address: str, key: str) -> float:
    """KiB of the server for each of many streams that only stand, over one connection that is there already."""
    async with grpc.aio.insecure_channel(address) as channel:
        request = pb.StreamAlarmsRequest(include_extended=True)
        # Streams of nothing, so that what is measured is not their list on its way.
        request.filter.references.append("nothing.*")

        async def begin() -> Any:
            call = channel.unary_stream(METHOD)(
                request.SerializeToString(), metadata=(("authorization", f"Bearer {key}"),)
            )
            # The bare server has nothing to say.
            await (call.initial_metadata() if key == NO_KEY else call.read())
            return call

        calls = [await begin()]
        before = await server.ask()
        calls += [await begin() for _ in range(_IDLE)]
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
    """Changes a second of processor time through what a feed does with them, its list kept."""
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
    begin, seen = time.process_time(), 0
    while (elapsed := time.process_time() - begin) < min(size.seconds, 5.0):
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
    parser.add_argument("--part", action="append", choices=PARTS, help="measure only this; repeatable")
    arguments = vars(parser.parse_args())
    parts = arguments.pop("part") or ()
    figures = asyncio.run(measure(Size(**arguments), parts))
    print(json.dumps(figures, indent=2))
    raise SystemExit("failed" in figures)


if __name__ == "__main__":
    main()
