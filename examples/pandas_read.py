"""Reads tags into a pandas DataFrame, and a short recording into a second one. Needs the extra `pandas`.

python examples/pandas_read.py --glob "TestMachine_00*" --attribute TestHistoryValue --count 20
"""

from __future__ import annotations

import argparse
import asyncio

import pandas as pd
from gateway_options import client_options, parser

from mxgateway import GalaxyRepositoryClient, GatewayClient, Session, to_dataframe


async def recording(session: Session, tags: list[str], count: int) -> pd.DataFrame:
    """The next changes: one column for each tag, one row for each time."""
    taken = []
    async with session.subscribe(tags) as changes:
        async for change in changes:
            taken.append(change)
            if len(taken) == count:
                break
    return to_dataframe(taken, wide=True).ffill()


async def read(arguments: argparse.Namespace) -> None:
    options = client_options(arguments)
    async with await GalaxyRepositoryClient.connect(options) as galaxy:
        tags = [
            f"{each.tag_name}.{arguments.attribute}"
            async for each in galaxy.iter_hierarchy(tag_name_glob=arguments.glob, include_attributes=False)
        ]
    async with (
        await GatewayClient.connect(options) as client,
        await client.open_session(client_session_name="pandas") as session,
    ):
        print(await session.read_dataframe(tags))
        print(await recording(session, tags, arguments.count))


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--glob", required=True, help="objects, by tag name with * and ?")
    flags.add_argument("--attribute", required=True, help="attribute of each")
    flags.add_argument("--count", type=int, default=50, help="changes to record")
    asyncio.run(read(flags.parse_args()))


if __name__ == "__main__":
    main()
