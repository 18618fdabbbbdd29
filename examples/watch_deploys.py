"""Follows deployments of the Galaxy and says what came and went each time.

python examples/watch_deploys.py
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from gateway_options import client_options, parser

from mxgateway import GalaxyRepositoryClient


async def tag_names(galaxy: GalaxyRepositoryClient) -> set[str]:
    return {each.tag_name async for each in galaxy.iter_hierarchy(include_attributes=False)}


async def watch(arguments: argparse.Namespace) -> None:
    seen = 0
    known: set[str] | None = None
    last_sequence: int | None = None
    async with (
        await GalaxyRepositoryClient.connect(client_options(arguments)) as galaxy,
        galaxy.watch_deploy_events() as news,
    ):
        async for event in news:
            if last_sequence is not None and event.sequence != last_sequence + 1:
                print(f"{event.sequence - last_sequence - 1} deployments were missed", flush=True)
            last_sequence = event.sequence
            now = await tag_names(galaxy)
            when = event.time_of_last_deploy.ToJsonString() if event.time_of_last_deploy_present else "never"
            print(f"#{event.sequence} deployed {when}: {event.object_count} objects", flush=True)
            if known is not None:
                print("  came:", ", ".join(sorted(now - known)) or "none")
                print("  went:", ", ".join(sorted(known - now)) or "none", flush=True)
            known = now
            seen += 1
            if seen == arguments.count:
                return


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--count", type=int, help="events to show, the present state included; else until Ctrl-C")
    asyncio.run(watch(flags.parse_args()))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
