"""An asyncio service with the habits of one: structured tasks, a bounded queue, an orderly end on SIGTERM.

One task takes events, another works on them; when the second is slow, the first waits, and the gateway's backpressure
policy decides what happens to the rest. Here that is conflation: only the latest value of each tag matters.

python examples/service.py TestMachine_001.TestChangingInt TestMachine_002.TestChangingInt
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
from dataclasses import dataclass
from typing import Any

from gateway_options import client_options, parser

from mxgateway import GatewayClient, Session, from_mx_value, is_good, is_status_failure
from mxgateway.generated import mxaccess_gateway_pb2 as pb

log = logging.getLogger("service")


@dataclass(frozen=True)
class Change:
    tag: str
    value: Any
    good: bool


async def take(session: Session, tags: list[str], changes: asyncio.Queue[Change]) -> None:
    """Puts every change into the queue."""
    server = await session.register("service")
    results = await session.subscribe_bulk(server, tags)
    names = {result.item_handle: result.tag_address for result in results if result.was_successful}
    log.info("subscribed %d of %d tags", len(names), len(tags))
    async with session.stream_events(backpressure_policy=pb.BACKPRESSURE_POLICY_CONFLATE) as events:
        async for event in events:
            if event.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
                failed = any(is_status_failure(status) for status in event.statuses)
                good = is_good(event.quality) and not failed
                await changes.put(Change(names[event.item_handle], from_mx_value(event.value), good))


async def work(changes: asyncio.Queue[Change], count: int | None, stop: asyncio.Event) -> None:
    """What the service is for; here it logs."""
    done = 0
    while done != count:
        change = await changes.get()
        log.info("%s = %r%s", change.tag, change.value, "" if change.good else " (not good)")
        done += 1
    stop.set()


async def serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        # Windows has no signal handlers on a loop; Ctrl-C raises KeyboardInterrupt there.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(name, stop.set)
    changes: asyncio.Queue[Change] = asyncio.Queue(maxsize=1000)
    async with (
        await GatewayClient.connect(client_options(arguments)) as client,
        await client.open_session(client_session_name="service") as session,
        asyncio.TaskGroup() as tasks,
    ):
        running = [
            tasks.create_task(take(session, arguments.tags, changes)),
            tasks.create_task(work(changes, arguments.count, stop)),
        ]
        await stop.wait()
        log.info("stopping")
        for task in running:
            task.cancel()
    log.info("stopped")


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("tags", nargs="+", metavar="TAG")
    flags.add_argument("--count", type=int, help="changes to work on; without it until SIGTERM or Ctrl-C")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(serve(flags.parse_args()))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
