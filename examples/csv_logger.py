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

from mxgateway import GatewayClient, is_status_failure, quality_name


async def log(arguments: argparse.Namespace, output: TextIO) -> None:
    writer = csv.writer(output)
    writer.writerow(["time", "tag", "value", "quality", "status"])
    rows = 0
    async with (
        await GatewayClient.connect(client_options(arguments)) as client,
        # Goes on over interruptions; what was lost meanwhile is logged as a row of its own.
        client.subscribe(arguments.tags, client_session_name="csv logger") as changes,
    ):
        for tag, reason in changes.failures.items():
            print(f"{tag}: {reason}", file=sys.stderr)
        async for change in changes:
            if change.lost_before:
                writer.writerow(["", "", "", "", f"{change.lost_before} changes lost"])
            # With a failed status, value and quality mean nothing: leave them empty rather than log a fiction.
            failed = next((status for status in change.statuses if is_status_failure(status)), None)
            if failed is not None:
                writer.writerow(["", change.tag, "", "", f"failed, detail {failed.detail}"])
            else:
                stamp = change.source_timestamp.isoformat() if change.source_timestamp else ""
                writer.writerow([stamp, change.tag, change.value, quality_name(change.quality), "OK"])
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
