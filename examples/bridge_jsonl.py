"""A bridge that does not give up: changes as JSON Lines on standard output, across failures of network and gateway.

A stream that breaks is resumed where it was; when the session is gone, a new one is opened and the tags are subscribed
again. Whatever may have been missed is said in the output, as a line with "gap".

python examples/bridge_jsonl.py TestMachine_001.TestChangingInt | your-consumer
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from typing import Any

from gateway_options import client_options, parser

from mxgateway import (
    GatewayClient,
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayResourceError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
    MxGatewayWorkerError,
    Session,
    from_mx_value,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb

# What a while later may be well again. A refused key is not among them.
PASSING = (MxGatewayConnectionError, MxGatewayTimeoutError, MxGatewayResourceError)
SESSION_GONE = (MxGatewaySessionError, MxGatewayWorkerError)


class Bridge:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.tags: list[str] = arguments.tags
        self.left: int | None = arguments.count
        self.longest_pause: float = arguments.longest_pause
        self.pause = 0.0

    def put(self, **line: Any) -> None:
        print(json.dumps(line, default=str), flush=True)

    async def run(self, client: GatewayClient) -> None:
        first = True
        while self.left != 0:
            try:
                async with await client.open_session(client_session_name="bridge") as session:
                    if not first:
                        self.put(gap="new session: changes in between are unknown")
                    first = False
                    await self.run_session(session)
            except (*PASSING, *SESSION_GONE) as error:
                await self.wait(error)

    async def run_session(self, session: Session) -> None:
        server = await session.register("bridge")
        results = await session.subscribe_bulk(server, self.tags)
        names = {result.item_handle: result.tag_address for result in results}
        position = 0
        while self.left != 0:
            events = session.stream_events(position)
            try:
                async with events:
                    async for event in events:
                        self.pause = 0.0
                        self.pass_on(event, names)
                        if self.left == 0:
                            return
            except PASSING as error:
                await self.wait(error)
            finally:
                # The stream knows what we have; the next one goes on after it.
                position = max(position, events.last_worker_sequence)

    def pass_on(self, event: pb.MxEvent, names: dict[int, str]) -> None:
        if event.HasField("replay_gap"):
            self.put(gap="events were dropped", dropped=event.replay_gap.dropped_events)
        elif event.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
            self.put(
                tag=names[event.item_handle],
                value=from_mx_value(event.value),
                quality=event.quality,
                time=event.source_timestamp.ToJsonString(),
                status=[status.detail for status in event.statuses if not status.success],
                sequence=event.worker_sequence,
            )
            if self.left is not None:
                self.left -= 1

    async def wait(self, error: MxGatewayError) -> None:
        self.pause = min(max(self.pause * 2, 0.5), self.longest_pause)
        seconds = max(error.retry_after or 0.0, random.uniform(self.pause / 2, self.pause))
        print(f"{type(error).__name__}: {error}; again in {seconds:.1f} s", file=sys.stderr, flush=True)
        await asyncio.sleep(seconds)


async def run(arguments: argparse.Namespace) -> None:
    # Made without connecting, so that the bridge may start before the gateway does.
    async with GatewayClient(client_options(arguments)) as client:
        await Bridge(arguments).run(client)


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("tags", nargs="+", metavar="TAG")
    flags.add_argument("--count", type=int, help="changes to pass on; without it until Ctrl-C")
    flags.add_argument("--longest-pause", type=float, default=30.0, help="seconds between two attempts at most")
    asyncio.run(run(flags.parse_args()))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
