"""Writes the tags of the Galaxy, or of a part of it, to a CSV file. Needs no session, only the scope metadata:read.

python examples/browse_to_csv.py --output tags.csv --glob "TestMachine_*"
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

from mxgateway import GalaxyRepositoryClient

COLUMNS = [
    *("reference", "object", "attribute", "type", "array", "units", "description"),
    *("security", "historized", "alarm"),
]


async def export(arguments: argparse.Namespace, output: TextIO) -> int:
    writer = csv.writer(output)
    writer.writerow(COLUMNS)
    rows = 0
    async with await GalaxyRepositoryClient.connect(client_options(arguments)) as galaxy:
        # Page by page: a Galaxy of millions of tags needs no more memory than a small one.
        async for each in galaxy.iter_hierarchy(
            root=arguments.root,
            tag_name_glob=arguments.glob,
            historized_only=arguments.historized_only,
            include_attributes=True,
        ):
            for attribute in each.attributes:
                if arguments.historized_only and not attribute.is_historized:
                    continue
                writer.writerow(
                    [
                        attribute.full_tag_reference,
                        each.tag_name,
                        attribute.attribute_name,
                        attribute.data_type_name,
                        attribute.array_dimension if attribute.is_array else "",
                        attribute.engineering_units,
                        attribute.description,
                        attribute.security_classification,
                        "yes" if attribute.is_historized else "",
                        "yes" if attribute.is_alarm else "",
                    ]
                )
                rows += 1
    return rows


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--root", help="tag name of the object to start at")
    flags.add_argument("--glob", default="", help="tag names to take, with * and ?")
    flags.add_argument("--historized-only", action="store_true", help="only what is historized")
    flags.add_argument("--output", type=Path, help="file to write; standard output without it")
    arguments = flags.parse_args()
    with (
        arguments.output.open("w", newline="", encoding="utf-8") if arguments.output else nullcontext(sys.stdout)
    ) as output:
        rows = asyncio.run(export(arguments, output))
    print(f"{rows} tags", file=sys.stderr)


if __name__ == "__main__":
    main()
