"""A bridge that does not give up: changes as JSON Lines on standard output, across failures of network and gateway.

The subscription resumes after each interruption. What comes late, what had to be read again and what is known to be
lost is marked in the lines, so that whoever reads them never mistakes a gap for silence. States go to standard error.

python examples/bridge_jsonl.py TestMachine_001.TestChangingInt | your-consumer
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from gateway_options import client_options, parser

from mxgateway import DataChange, GatewayClient, OverflowPolicy, Subscription


def line_of(change: DataChange) -> str:
    """One JSON object without line breaks; marks stand in it only when they say something."""
    fields = {
        "tag": change.tag,
        "value": change.value,
        "good": change.is_good,
        "quality": change.quality,
        "time": change.source_timestamp.isoformat() if change.source_timestamp else None,
    }
    marks = {"replayed": change.replayed, "recovered": change.recovered, "lostBefore": change.lost_before}
    return json.dumps(fields | {name: mark for name, mark in marks.items() if mark}, default=str)


async def tell_states(changes: Subscription) -> None:
    async for state in changes.states():
        print(f"bridge: {state.value}", file=sys.stderr, flush=True)


async def run(arguments: argparse.Namespace) -> None:
    left = arguments.count
    async with (
        await GatewayClient.connect(client_options(arguments)) as client,
        asyncio.TaskGroup() as tasks,
        client.subscribe(
            arguments.tags,
            client_session_name="bridge",
            queue_size=arguments.buffer,
            overflow=OverflowPolicy.DROP_OLDEST,
        ) as changes,
    ):
        tasks.create_task(tell_states(changes))
        for tag, reason in changes.failures.items():
            print(f"bridge: {tag}: {reason}", file=sys.stderr, flush=True)
        async for change in changes:
            print(line_of(change), flush=True)
            if left is not None:
                left -= 1
                if left == 0:
                    return


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("tags", nargs="+", metavar="TAG")
    flags.add_argument("--count", type=int, help="changes to pass on; without it until Ctrl-C")
    flags.add_argument("--buffer", type=int, default=100_000, help="changes kept while the reader is slow")
    asyncio.run(run(flags.parse_args()))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
