"""A gateway whose alarm worker can be made to misbehave: a client has no way to it, so the storm has one of its own.

Usage: python -m chaos.alarm_gateway STATE_DIR GALAXY AREA [SETTINGS]; the first line on stdout has the address. Each
line on stdin is {"fault": NAME, "parameters": {…}} for the alarm worker, or {} to ask how it is; each is answered with
a line.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from typing import Any

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.alarms.link import AlarmLink, WorkerLink
from mxgateway_server.app import Gateway
from mxgateway_server.config.sources import load
from mxgateway_server.errors import GatewayError
from mxgateway_server.logs import configure
from mxgateway_server.status import GatewayStatus
from mxgateway_server.workers.launcher import Launcher, WorkerPlan

_SETTINGS: dict[str, Any] = {
    "listen": "",
    "listen_plaintext": "127.0.0.1:0",
    "allow_fault_injection": True,
    "worker.pool_size": 0,
    "worker.heartbeat_grace_seconds": 15,
    "worker.heartbeat_stuck_ceiling_seconds": 40,
    "worker.shutdown_timeout_seconds": 4,
    "protocol.keepalive_seconds": 5,
    "protocol.keepalive_timeout_seconds": 3,
    "protocol.shutdown_grace_seconds": 3,
    "alarms.enabled": True,
    "alarms.poll_interval_ms": 100,
    "alarms.reconcile_interval_seconds": 5,
    "alarms.fallback.consecutive_failure_threshold": 3,
    "alarms.fallback.failback_probe_interval_seconds": 1,
    "alarms.fallback.failback_stable_probes": 2,
    "logging.level": "warning",
}


async def main(state_dir: str, galaxy: str, area: str, settings: str = "{}") -> None:
    """Runs it until stdin ends."""
    # Its log goes where nobody takes it for an answer.
    configure("warning", stream=sys.stderr)
    links: list[WorkerLink] = []

    class Stormy(Gateway):
        def _alarm_link(self, launcher: Launcher, plan: WorkerPlan) -> AlarmLink:
            links.append(WorkerLink(launcher, plan))
            return links[-1]

    flags = {"state_dir": state_dir, "galaxy.connection_string": galaxy, "alarms.default_area": area, **_SETTINGS}
    flags |= json.loads(settings)
    gateway = Stormy(load(None, flags))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, gateway.request_stop)
    started: asyncio.Future[Any] = loop.create_future()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(gateway.run(started.set_result))
        await asyncio.wait((running, started), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            return
        (endpoint,) = started.result().endpoints
        print(json.dumps({"address": endpoint.address}), flush=True)
        serving = group.create_task(_serve(lines, links[0], gateway, started.result().status))
        await running
        serving.cancel()


async def _serve(
    lines: asyncio.StreamReader, link: WorkerLink, gateway: Gateway, status: Callable[[], GatewayStatus]
) -> None:
    while line := await lines.readline():
        asked = json.loads(line)
        problem = ""
        if "fault" in asked:
            command = pb.InjectFaultCommand(fault=asked["fault"], parameters=asked.get("parameters", {}))
            try:
                await link.call(pb.MxCommand(kind=pb.MX_COMMAND_KIND_INJECT_FAULT, inject_fault=command), 5.0)
            except GatewayError as error:
                # Several of these faults break the very call that asks for them.
                problem = str(error)
        alarms = status().alarms
        state = "" if alarms is None else alarms.state
        print(json.dumps({"worker": link.worker_pid, "problem": problem, "state": state}), flush=True)
    gateway.request_stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
