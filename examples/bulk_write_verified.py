"""Writes many tags at once and proves each: taken by MXAccess, completed, and read back. Exits 1 if one is not.

python examples/bulk_write_verified.py TestChildObject.TestInt=117 TestChildObject.TestString=text
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from gateway_options import client_options, parser

from mxgateway import EventStream, GatewayClient, from_mx_value, is_status_failure
from mxgateway.generated import mxaccess_gateway_pb2 as pb

ON_DATA_CHANGE = pb.MX_EVENT_FAMILY_ON_DATA_CHANGE
ON_WRITE_COMPLETE = pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE


async def first_events(events: EventStream, family: int, handles: set[int]) -> dict[int, pb.MxEvent]:
    """Waits until each item had an event of the family."""
    found: dict[int, pb.MxEvent] = {}
    while found.keys() != handles:
        event = await anext(events)
        pending = any(status.success and status.category == pb.MX_STATUS_CATEGORY_PENDING for status in event.statuses)
        # A pending completion is not the end: the true one follows.
        if event.family == family and event.item_handle in handles and not pending:
            found.setdefault(event.item_handle, event)
    return found


def value_of(text: str) -> Any:
    """JSON when it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


async def write(arguments: argparse.Namespace) -> bool:
    wanted = {tag: value_of(text) for tag, _, text in (each.partition("=") for each in arguments.settings)}
    failures: dict[str, str] = {}
    async with (
        await GatewayClient.connect(client_options(arguments)) as client,
        await client.open_session(client_session_name="bulk write") as session,
    ):
        server = await session.register("bulk write")
        results = await session.subscribe_bulk(server, wanted)
        handles = {result.item_handle: result.tag_address for result in results if result.was_successful}
        failures |= {result.tag_address: result.error_message for result in results if not result.was_successful}
        async with session.stream_events() as events:
            async with asyncio.timeout(arguments.timeout):
                # A value can be written only when the type is known, that is after the first OnDataChange.
                for handle, event in (await first_events(events, ON_DATA_CHANGE, set(handles))).items():
                    if any(is_status_failure(status) for status in event.statuses):
                        failures[handles.pop(handle)] = "the tag is not there"
                written = await session.write_bulk(server, [(handle, wanted[tag]) for handle, tag in handles.items()])
                for entry in written:
                    if not entry.was_successful:
                        failures[handles.pop(entry.item_handle)] = entry.error_message
                for handle, event in (await first_events(events, ON_WRITE_COMPLETE, set(handles))).items():
                    refused = next((status for status in event.statuses if is_status_failure(status)), None)
                    if refused is not None:
                        failures[handles.pop(handle)] = f"refused with detail {refused.detail}"
        read = await session.read_bulk(server, handles.values())
    for each in read:
        value = from_mx_value(each.value)
        if value != wanted[each.tag_address]:
            failures[each.tag_address] = f"written, but it reads {value!r} now"
    for tag, value in wanted.items():
        print(f"{tag} = {value!r}: {failures.get(tag, 'verified')}")
    return not failures


def main() -> int:
    flags = parser(__doc__)
    flags.add_argument("settings", nargs="+", metavar="TAG=VALUE")
    flags.add_argument("--timeout", type=float, default=30.0, help="seconds for everything")
    return 0 if asyncio.run(write(flags.parse_args())) else 1


if __name__ == "__main__":
    sys.exit(main())
