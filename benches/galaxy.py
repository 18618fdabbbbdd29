"""Galaxy browse at size: refresh time, memory, event-loop lag, and the latency of each kind of request.

Usage: python -m benches.galaxy [--objects N] [--database FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import psutil

from benches.figures import latency_ms
from mxgateway_contract.generated import galaxy_repository_pb2 as pb

_SERVICE = "/galaxy_repository.v1.GalaxyRepository/"
_CALLS = 50
_LAG_STEP = 0.001


def run(objects: int) -> dict[str, Any]:
    """Figures for a Galaxy of that many objects, built for the purpose; the gateway's part runs in its own process."""
    with tempfile.TemporaryDirectory() as folder:
        database, description = Path(folder) / "galaxy.db", Path(folder) / "large.yaml"
        description.write_text(_description(), encoding="utf-8")
        build = ["galaxy", "build", "--galaxy", str(description), "--objects", str(objects), "--output", str(database)]
        subprocess.run([sys.executable, "-m", "mxgateway_server", *build], check=True, stdout=subprocess.DEVNULL)
        return measure(database)


def _description() -> str:
    """A Galaxy whose objects have as many attributes as those of a real plant: about 290, most of them built in."""
    plain = "\n".join(f"      Value{number:02}: {{type: Float}}" for number in range(82))
    alarms = "\n".join(f"      Fault{number}: {{type: Boolean, alarm: {{Priority: 500}}}}" for number in range(7))
    return f"""format: 1
galaxy: Large
security: none
templates:
  $gLoad:
    derivedFrom: $UserDefined
    attributes:
{plain}
  $Load:
    derivedFrom: $gLoad
    attributes:
{alarms}
instances:
  LoadServer: {{template: $WinPlatform, node: LOAD}}
scale: {{template: $Load, platform: LoadServer}}
"""


def measure(database: Path) -> dict[str, Any]:
    """Figures for a database that exists."""
    done = subprocess.run(
        [sys.executable, "-m", "benches.galaxy", "--database", str(database), "--child"],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


async def _measure(database: Path) -> dict[str, Any]:
    from mxgateway_server.galaxy import GalaxyComponent, GalaxyRepositoryService, SnapshotFile, SqlGalaxySource

    process = psutil.Process()
    before = process.memory_info().rss
    snapshot = database.with_suffix(".snapshot")
    galaxy = GalaxyComponent(SqlGalaxySource(str(database)), snapshots=SnapshotFile(snapshot))
    server = grpc.aio.server(options=[("grpc.max_send_message_length", -1)])
    server.add_generic_rpc_handlers((GalaxyRepositoryService(galaxy).handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    options = [("grpc.max_receive_message_length", -1)]
    figures: dict[str, Any] = {}
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel,
        asyncio.TaskGroup() as tasks,
    ):
        # What the machine alone costs at this moment, to read the figure below against.
        lag = tasks.create_task(_lag())
        await asyncio.sleep(2)
        figures["idleLagMs"] = await _stop(lag)
        lag = tasks.create_task(_lag())
        begin = time.perf_counter()
        await galaxy.refresh()
        figures["refreshSeconds"] = round(time.perf_counter() - begin, 2)
        figures["loopLagMs"] = await _stop(lag)
        entry = await galaxy.entry()
        figures["objects"] = len(entry.index)
        figures["attributes"] = entry.index.attribute_count
        figures["galaxyMiB"] = round((process.memory_info().rss - before) / 2**20)

        async def call(method: str, request: Any) -> bytes:
            reply: bytes = await channel.unary_unary(_SERVICE + method)(request.SerializeToString())
            return reply

        async def calls(work: Callable[[int], Awaitable[object]], count: int = _CALLS) -> dict[str, float]:
            samples = []
            for turn in range(count):
                start = time.perf_counter()
                await work(turn)
                samples.append(time.perf_counter() - start)
            return latency_ms(samples)

        first = pb.DiscoverHierarchyRequest(page_size=100)
        figures["firstPageBytes"] = len(await call("DiscoverHierarchy", first))
        figures["firstPageMs"] = await calls(lambda _: call("DiscoverHierarchy", first))
        areas = [row.gobject_id for row in entry.index.objects if row.category_id == 13] or [0]

        def browse(turn: int) -> Awaitable[bytes]:
            parent = areas[turn % len(areas)]
            request = pb.BrowseChildrenRequest(parent_gobject_id=parent, page_size=100, include_attributes=False)
            return call("BrowseChildren", request)

        figures["browseChildrenMs"] = await calls(browse)

        def glob(turn: int) -> Awaitable[bytes]:
            # A pattern of its own each time, so that nothing is remembered.
            request = pb.DiscoverHierarchyRequest(tag_name_glob=f"*{turn}*_*1?", include_attributes=False, page_size=1)
            return call("DiscoverHierarchy", request)

        figures["globMs"] = await calls(glob, 20)
        lag = tasks.create_task(_lag())
        begin = time.perf_counter()
        token, pages = "", 0
        while True:
            reply = await call("DiscoverHierarchy", pb.DiscoverHierarchyRequest(page_size=5000, page_token=token))
            pages += 1
            token = _token(reply)
            if not token or time.perf_counter() - begin > 20:
                break
        figures["walk"] = {"pages": pages, "seconds": round(time.perf_counter() - begin, 2), "complete": not token}
        figures["walkLagMs"] = await _stop(lag)
        figures["peakMiB"] = round(process.memory_info().rss / 2**20)
    await galaxy.stop()
    await server.stop(None)
    figures["snapshotMiB"] = round(snapshot.stat().st_size / 2**20, 2)
    return figures


def _token(reply: bytes) -> str:
    return pb.DiscoverHierarchyReply.FromString(reply).next_page_token


async def _lag() -> list[float]:
    """How late the loop serves a timer, over and over until canceled."""
    loop = asyncio.get_running_loop()
    late: list[float] = []
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            due = loop.time() + _LAG_STEP
            await asyncio.sleep(_LAG_STEP)
            late.append(max(0.0, loop.time() - due))
    return late


async def _stop(lag: asyncio.Task[list[float]]) -> dict[str, float]:
    lag.cancel()
    return latency_ms(await lag)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=50_000)
    parser.add_argument("--database", type=Path)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        figures = asyncio.run(_measure(options.database))
    elif options.database:
        figures = measure(options.database)
    else:
        figures = run(options.objects)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
