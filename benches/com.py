"""COM workers under Wine against the stand-in: tests/wine/lab/run.sh make bench ARGS="--only com".

A gateway of this machine with 32-bit Windows workers; the simulator's figures of the same run stand beside them.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benches.figures import latency_ms
from benches.floor import sequential
from benches.gateway_process import GatewayProcess, Site, scratch_folder
from benches.product import DROPPING, FLOOD_TAGS, QUIET_TAGS, Figures, batches, subscribe
from mxgateway import GatewayClient, Session

LAB = "MXGATEWAY_WINELAB"
ROOT = Path(__file__).parents[1]
BURST = "Sim.Burst.100000000"
"""A tag of the stand-in that changes as fast as it is taken."""
POOL_FILLS = 3.0
"""Seconds after which the pool is full again."""


@dataclass(frozen=True, slots=True)
class Side:
    """What is measured: a backend, and its tags.

    Attributes:
        settings: lines of [worker].
        burst: tags that change as fast as they are taken.
        written: a tag for integers.
    """

    settings: tuple[str, ...]
    burst: tuple[str, ...]
    written: str

    def flags(self, folder: Path, pool: int) -> tuple[str, ...]:
        """For a gateway that keeps so many workers ready."""
        file = folder / f"pool-{pool}.toml"
        lines = ["[worker]", *self.settings, f"pool_size = {pool}", "startup_timeout_seconds = 60"]
        file.write_text("\n".join(lines) + "\n")
        return ("--config", str(file))


def _on_com() -> Side:
    lab = os.environ.get(LAB)
    if not lab:
        raise SystemExit(
            'com needs the Wine lab: tests/wine/lab/setup.sh, then tests/wine/lab/run.sh make bench ARGS="--only com"'
        )
    command = [str(ROOT / "tests" / "wine" / "lab" / "worker.sh"), str(ROOT / "src"), f"{LAB}={lab}", "--"]
    return Side(('backend = "com"', f"command = {json.dumps(command)}"), (BURST,), "T.Int")


SIMULATED = Side(('backend = "simulator"',), tuple(FLOOD_TAGS), QUIET_TAGS[0])


async def measure(seconds: float) -> Figures:
    """Events, writes, reads, opening and memory; the simulator's beside them."""
    figures = await _measure(_on_com(), seconds)
    # What no worker can be faster than, in the same minute.
    floor = latency_ms([await asyncio.to_thread(_bare_start) for _ in range(5)])
    figures["startFloorMs"] = floor
    figures["coldToFloor"] = round(figures["openColdMs"]["p50"] / floor["p50"], 2)
    figures["simulator"] = await _measure(SIMULATED, seconds)
    return figures


async def _measure(side: Side, seconds: float) -> Figures:
    figures: Figures = {}
    with scratch_folder() as folder:
        site = Site.prepare(folder)
        running = GatewayProcess(site, flags=side.flags(folder, 2))
        try:
            async with await running.client() as client:
                await asyncio.sleep(POOL_FILLS)
                figures["openWarmMs"] = await _open_times(client, 5, POOL_FILLS)
                async with await client.open_session(backpressure_policy=DROPPING) as session:
                    # A worker that starts for the pool takes a core of its own, and is no part of what is measured.
                    await asyncio.sleep(POOL_FILLS)
                    await subscribe(session, list(side.burst))
                    figures["events"] = await batches(session, seconds, fields=True)
                async with await client.open_session() as session:
                    await asyncio.sleep(POOL_FILLS)
                    figures |= await _commands(session, side.written, seconds)
                    figures["workerMiB"] = _worker_memory(running)
        finally:
            running.stop()
        running = GatewayProcess(site, flags=side.flags(folder, 0))
        try:
            async with await running.client() as client:
                figures["openColdMs"] = await _open_times(client, 5, 0.0)
        finally:
            running.stop()
    return figures


async def _commands(session: Session, tag: str, seconds: float) -> Figures:
    server = await session.register("bench")
    item = await session.add_item(server, tag)
    await session.advise(server, item)
    await session.read_bulk(server, [tag])
    return {
        "write": await sequential(lambda: session.write(server, item, 7), seconds),
        "ping": await sequential(lambda: session.ping("x"), seconds),
        "read1": await sequential(lambda: session.read_bulk(server, [tag]), seconds),
    }


def _bare_start() -> float:
    """Seconds that Wine and its Python take to start and do nothing."""
    began = time.perf_counter()
    subprocess.run(
        ["wine", os.environ["WPYEXE"], "-I", "-c", "pass"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - began


async def _open_times(client: GatewayClient, times: int, pause: float) -> dict[str, float]:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        session = await client.open_session()
        taken.append(time.perf_counter() - began)
        await session.close()
        await asyncio.sleep(pause)
    return latency_ms(taken)


def _worker_memory(running: GatewayProcess) -> list[float]:
    """Resident MiB of each worker, largest first; shared pages of Wine counted in each."""
    workers = [
        process
        for process in running.process.children(recursive=True)
        if any("mxgateway_worker" in part for part in process.cmdline())
    ]
    return sorted((round(worker.memory_info().rss / 2**20, 1) for worker in workers), reverse=True)
