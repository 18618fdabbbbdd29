"""Reads tags into a pandas DataFrame, and a short recording into a second one. Needs the extra `pandas`.

python examples/pandas_read.py --glob "TestMachine_00*" --attribute TestHistoryValue --count 20
"""

from __future__ import annotations

import argparse
import asyncio

import pandas as pd
from gateway_options import client_options, parser

from mxgateway import GalaxyRepositoryClient, GatewayClient, Session, from_mx_value, quality_name
from mxgateway.generated import mxaccess_gateway_pb2 as pb


async def latest(session: Session, server: int, tags: list[str]) -> pd.DataFrame:
    """One row for each tag: value, quality, time, or why there is none."""
    results = await session.read_bulk(server, tags)
    return pd.DataFrame(
        {
            "value": [from_mx_value(result.value) for result in results],
            "quality": [quality_name(result.quality) for result in results],
            "time": pd.to_datetime([result.source_timestamp.ToNanoseconds() for result in results], utc=True),
            "error": [result.error_message for result in results],
        },
        index=pd.Index([result.tag_address for result in results], name="tag"),
    )


async def recording(session: Session, server: int, tags: list[str], count: int) -> pd.DataFrame:
    """The next changes: one column for each tag, one row for each time."""
    results = await session.subscribe_bulk(server, tags)
    names = {result.item_handle: result.tag_address for result in results if result.was_successful}
    rows = []
    async with session.stream_events() as events:
        async for event in events:
            if event.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
                rows.append(
                    (event.source_timestamp.ToNanoseconds(), names[event.item_handle], from_mx_value(event.value))
                )
            if len(rows) == count:
                break
    frame = pd.DataFrame(rows, columns=["time", "tag", "value"])
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    return frame.pivot_table(index="time", columns="tag", values="value", aggfunc="last").ffill()


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
        server = await session.register("pandas")
        print(await latest(session, server, tags))
        print(await recording(session, server, tags, arguments.count))


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--glob", required=True, help="objects, by tag name with * and ?")
    flags.add_argument("--attribute", required=True, help="attribute of each")
    flags.add_argument("--count", type=int, default=50, help="changes to record")
    asyncio.run(read(flags.parse_args()))


if __name__ == "__main__":
    main()
