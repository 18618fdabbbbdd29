"""Says when tags pass a limit and when they are back, with a dead band, and when their quality turns bad.

python examples/threshold_alert.py --above 60 --dead-band 5 TestMachine_001.TestHistoryValue
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass

from gateway_options import client_options, parser

from mxgateway import GatewayClient


@dataclass
class Watch:
    """Decides what to say of one tag; holds no connection, so it can be tested by itself."""

    tag: str
    above: float
    dead_band: float
    state: str = "unknown"

    def see(self, value: object, good: bool) -> str | None:
        """The news in an observation, or None."""
        if not good or isinstance(value, bool) or not isinstance(value, int | float):
            state = "bad"
        elif value > self.above or (self.state == "high" and value > self.above - self.dead_band):
            state = "high"
        else:
            state = "normal"
        if state == self.state:
            return None
        before, self.state = self.state, state
        return f"{self.tag}: {before} -> {state} ({value})"


async def watch(arguments: argparse.Namespace) -> None:
    said = 0
    watches = {tag: Watch(tag, arguments.above, arguments.dead_band) for tag in arguments.tags}
    async with (
        await GatewayClient.connect(client_options(arguments)) as client,
        client.subscribe(watches, client_session_name="alert") as changes,
    ):
        async for change in changes:
            news = watches[change.tag].see(change.value, change.is_good)
            if news is not None:
                print(change.source_timestamp or "-", news, flush=True)
                said += 1
                if said == arguments.count:
                    return


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("tags", nargs="+", metavar="TAG")
    flags.add_argument("--above", type=float, required=True, help="limit")
    flags.add_argument("--dead-band", type=float, default=0.0, help="how far below the limit is normal again")
    flags.add_argument("--count", type=int, help="lines to print; without it until Ctrl-C")
    asyncio.run(watch(flags.parse_args()))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
