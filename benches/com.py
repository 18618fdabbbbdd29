"""COM workers under Wine against the stand-in: tests/wine/lab/run.sh make bench ARGS="--only com".

A gateway of this machine with 32-bit Windows workers; the simulator's figures of the same run stand beside them.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path

from benches.figures import latency_ms
from benches.floor import sequential
from benches.gateway_process import GatewayProcess, Site, scratch_folder
from benches.product import Figures, batches, subscribe
from mxgateway import GatewayClient

LAB = "MXGATEWAY_WINELAB"
ROOT = Path(__file__).parents[1]
BURST = "Sim.Burst.100000000"
"""A tag of the stand-in that changes as fast as it is taken."""


def _settings(folder: Path, pool: int) -> tuple[str, ...]:
    lab = os.environ.get(LAB)
    if not lab:
        raise SystemExit(
            'com needs the Wine lab: tests/wine/lab/setup.sh, then tests/wine/lab/run.sh make bench ARGS="--only com"'
        )
    command = [str(ROOT / "tests" / "wine" / "lab" / "worker.sh"), str(ROOT / "src"), f"{LAB}={lab}", "--"]
    file = folder / f"com-{pool}.toml"
    lines = ["[worker]", 'backend = "com"', f"command = {json.dumps(command)}"]
    lines += [f"pool_size = {pool}", "startup_timeout_seconds = 60"]
    file.write_text("\n".join(lines) + "\n")
    return ("--config", str(file))


async def measure(seconds: float) -> Figures:
    """Events, writes, reads, opening and memory."""
    figures: Figures = {}
    with scratch_folder() as folder:
        site = Site.prepare(folder)
        running = GatewayProcess(site, flags=_settings(folder, 2))
        try:
            async with await running.client() as client:
                await asyncio.sleep(3.0)  # the pool fills
                figures["openWarmMs"] = await _open_times(client, 5, 3.0)
                async with await client.open_session() as session:
                    await subscribe(session, [BURST])
                    figures["events"] = await batches(session, seconds, fields=True)
                async with await client.open_session() as session:
                    server = await session.register("bench")
                    item = await session.add_item(server, "T.Int")
                    await session.advise(server, item)
                    await session.read_bulk(server, ["T.Int"])
                    figures["write"] = await sequential(lambda: session.write(server, item, 7), seconds)
                    figures["ping"] = await sequential(lambda: session.ping("x"), seconds)
                    figures["read1"] = await sequential(lambda: session.read_bulk(server, ["T.Int"]), seconds)
                    figures["workerMiB"] = _worker_memory(running)
        finally:
            running.stop()
        running = GatewayProcess(site, flags=_settings(folder, 0))
        try:
            async with await running.client() as client:
                figures["openColdMs"] = await _open_times(client, 5, 0.0)
        finally:
            running.stop()
    return figures


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
