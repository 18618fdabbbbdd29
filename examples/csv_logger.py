"""Logs the changes of some tags to a CSV file: time, tag, value, quality, status.

python examples/csv_logger.py --output log.csv TestMachine_001.TestChangingInt TestMachine_001.TestHistoryValue
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TextIO

from gateway_options import client_options, parser

from mxgateway import GatewayClient, from_mx_value, is_status_failure, quality_name
from mxgateway.generated import mxaccess_gateway_pb2 as pb


async def log(arguments: argparse.Namespace, output: TextIO) -> None:
    writer = csv.writer(output)
    writer.writerow(["time", "tag", "value", "quality", "status"])
    rows = 0
    async with (
        await GatewayClient.connect(client_options(arguments)) as client,
        await client.open_session(client_session_name="csv logger") as session,
    ):
        server = await session.register("csv logger")
        results = await session.subscribe_bulk(server, arguments.tags)
        names = {result.item_handle: result.tag_address for result in results if result.was_successful}
        for result in results:
            if not result.was_successful:
                print(f"{result.tag_address}: {result.error_message}", file=sys.stderr)
        async with session.stream_events() as events:
            async for event in events:
                if event.family != pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
                    continue
                # With a failed status, value and quality mean nothing: leave them empty rather than log a fiction.
                failed = next((status for status in event.statuses if is_status_failure(status)), None)
                writer.writerow(
                    [
                        event.source_timestamp.ToJsonString() if failed is None else "",
                        names[event.item_handle],
                        from_mx_value(event.value) if failed is None else "",
                        quality_name(event.quality) if failed is None else "",
                        "OK" if failed is None else f"failed, detail {failed.detail}",
                    ]
                )
                output.flush()
                rows += 1
                if rows == arguments.count:
                    return


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("tags", nargs="+", metavar="TAG")
    flags.add_argument("--output", type=Path, help="file to write; standard output without it")
    flags.add_argument("--count", type=int, help="rows to log; without it until Ctrl-C")
    arguments = flags.parse_args()
    with (
        arguments.output.open("w", newline="", encoding="utf-8") if arguments.output else nullcontext(sys.stdout)
    ) as output:
        asyncio.run(log(arguments, output))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
