"""A flood that nobody reads: the memory of gateway and workers has to stay where it is."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from benches.figures import machine
from benches.gateway_process import GatewayProcess, Site
from benches.product import FLOOD_TAGS, subscribe

from chaos.judge import describe
from mxgateway import GatewayClient, MxGatewayError
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

GROWTH = 0.10
_POLICIES = {
    "drop_oldest": pb.BACKPRESSURE_POLICY_DROP_OLDEST,
    "conflate": pb.BACKPRESSURE_POLICY_CONFLATE,
    "nobody": pb.BACKPRESSURE_POLICY_DROP_OLDEST,
}
_MIB = 2**20


@dataclass(slots=True)
class Samples:
    """Memory of one process over time, in MiB."""

    values: list[float] = field(default_factory=list)

    def settled(self) -> Sequence[float]:
        """Those of the second half: by then every queue is full."""
        return self.values[len(self.values) // 2 :]

    @property
    def growth(self) -> float:
        """How much the memory rises from the middle to its highest, as a share."""
        settled = self.settled()
        return max(settled) / settled[0] - 1 if settled else 0.0

    def as_json(self) -> dict[str, float]:
        settled = self.settled() or [0.0]
        return {
            "first": round(self.values[0], 1) if self.values else 0.0,
            "middle": round(settled[0], 1),
            "max": round(max(settled), 1),
            "last": round(settled[-1], 1),
            "growth": round(self.growth, 3),
        }


async def flood(seconds: float) -> dict[str, Any]:
    """Floods one session for each policy, with a stream that is never read or with none, and watches memory."""
    facts = machine()
    violations: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory(prefix="mxgateway-flood-") as folder:
        gateway = await asyncio.to_thread(GatewayProcess, await asyncio.to_thread(Site.prepare, Path(folder)))
        try:
            samples = await _watch(gateway, seconds, violations)
        finally:
            code = await asyncio.to_thread(gateway.stop)
    for name, one in samples.items():
        if one.growth > GROWTH:
            violations.append({"rule": "memory", "text": f"{name} grew by {one.growth:.0%} while nobody read"})
    if code:
        violations.append({"rule": "end", "text": f"the gateway ended with {code}"})
    return {
        "machine": facts,
        "seconds": seconds,
        "memoryMiB": {name: one.as_json() for name, one in samples.items()},
        "violationCount": len(violations),
        "violations": violations,
    }


async def _watch(gateway: GatewayProcess, seconds: float, violations: list[dict[str, str]]) -> dict[str, Samples]:
    samples = {"gateway": Samples()}
    processes = {"gateway": gateway.process}
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(await gateway.client())
        for name, policy in _POLICIES.items():
            session = await client.open_session(backpressure_policy=policy)
            processes[f"worker {name}"] = psutil.Process(session.raw.worker_process_id)
            samples[f"worker {name}"] = Samples()
            if name != "nobody":
                # Open, and never read: gRPC holds back what does not fit its window.
                await stack.enter_async_context(
                    client.stream_event_batches_raw(
                        pb.StreamEventsRequest(session_id=session.session_id, backpressure_policy=policy)
                    )
                )
            await subscribe(session, FLOOD_TAGS)
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            await asyncio.sleep(min(1.0, seconds / 20))
            for name, process in processes.items():
                try:
                    samples[name].values.append(process.memory_info().rss / _MIB)
                except psutil.NoSuchProcess:
                    violations.append({"rule": "unharmed", "text": f"{name} is gone"})
                    return samples
        await _still_serves(client, violations)
    return samples


async def _still_serves(client: GatewayClient, violations: list[dict[str, str]]) -> None:
    """A session that has nothing to do with the flood is served as ever."""
    try:
        async with await client.open_session() as session:
            await session.ping("after the flood")
    except MxGatewayError as error:
        violations.append({"rule": "unharmed", "text": f"another session was not served: {describe(error)}"})
