"""`mxgw-py smoke`: one round through a gateway."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import click

from mxgateway import EventStream, GatewayClient, MxGatewayTimeoutError, Session, is_status_failure
from mxgateway.house import status_text
from mxgateway_cli import session_options as options
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.failures import CommandFailure
from mxgateway_cli.output import emit, event_text, proto_dict
from mxgateway_cli.simulated import tell_simulated
from mxgateway_cli.tag_check import is_unknown
from mxgateway_cli.value_parsing import TYPE, parse_value
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


@click.command()
@options.item
@click.option("--max-events", type=click.IntRange(min=1), default=1, show_default=True, help="Events to wait for.")
@click.option("--client-name", default="mxgw-py-smoke", show_default=True, help="Name of this client for MXAccess.")
@click.option("--type", "type_name", type=TYPE, default="int32", show_default=True, help="Type of --value.")
@click.option("--value", metavar="TEXT", help="Writes this once the first event is there, and waits for completion.")
@connected()
def smoke(
    connection: Connection, item: str, max_events: int, client_name: str, type_name: str, value: str | None
) -> None:
    """Opens a session, registers, adds and advises an item, takes some events, and closes.

    Proves an installation: the exit code is 0 only if all of it worked and the item's last value and the write, if any,
    did not fail in MXAccess. The report names where the key came from, and
    never the key.

    \b
    Example:
      mxgw-py smoke --endpoint localhost:5000 --plaintext --api-key-env MXGATEWAY_API_KEY --item Object.Attribute --json
    """
    # The report of what is missing has to come before the command as a whole runs out of time.
    limit = 0.8 * (connection.options.call_timeout or 30.0)
    round_trip = _Round(item, max_events, client_name, parse_value(value, type_name) if value is not None else None)

    async def body(client: GatewayClient) -> dict[str, Any]:
        session = await client.open_session(client_session_name=client_name)
        report: dict[str, Any] = {
            "language": "python",
            "operation": "smoke",
            "sessionId": session.session_id,
            "isSimulated": session.is_simulated,
        }
        try:
            await round_trip.run(session, report, limit)
        finally:
            closed = await session.close()
        report["closeStatus"] = pb.SessionState.Name(closed.final_state)
        report["keySource"] = connection.key_source
        return report

    report = connection.run(body)
    tell_simulated(report["isSimulated"])
    lines = map(event_text, round_trip.events)
    emit(report, connection.output_json, [*lines, f"session {report['sessionId']} {report['closeStatus']}"])
    if refused := round_trip.refused:
        hints = connection.hints([item]) if is_unknown(round_trip.statuses) else []
        raise CommandFailure("\n".join([f"the gateway works, but {item} does not: {refused}", *hints]))


@dataclass
class _Round:
    """One item through a session: what came of it."""

    item: str
    max_events: int
    client_name: str
    value: pb.MxValue | None
    events: list[pb.MxEvent] = field(default_factory=list)
    completion: pb.MxEvent | None = None

    async def run(self, session: Session, report: dict[str, Any], limit: float) -> None:
        """Registers, adds and advises, takes events within `limit` seconds, and takes everything back."""
        server_handle = report["serverHandle"] = await session.register(self.client_name)
        item_handle = report["itemHandle"] = await session.add_item(server_handle, self.item)
        try:
            async with asyncio.timeout(limit), session.stream_events() as stream:
                await session.advise(server_handle, item_handle)
                await self._take(stream, session, server_handle, item_handle)
        except TimeoutError as error:
            raise MxGatewayTimeoutError(
                f"{len(self.events)} of {self.max_events} events came within {limit:g} s (--timeout)"
            ) from error
        report["events"] = [proto_dict(event) for event in self.events]
        if self.completion is not None:
            report["writeCompletion"] = proto_dict(self.completion)
        await session.unadvise(server_handle, item_handle)
        await session.remove_item(server_handle, item_handle)
        await session.unregister(server_handle)

    async def _take(self, stream: EventStream, session: Session, server_handle: int, item_handle: int) -> None:
        """Events until there are enough, and the write's completion if there is one to write."""
        wrote = False
        async for event in stream:
            if event.family == pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE:
                self.completion = event
            elif len(self.events) < self.max_events:
                self.events.append(event)
            if self.value is not None and not wrote:
                wrote = True
                await session.write(server_handle, item_handle, self.value)
            if len(self.events) >= self.max_events and (self.value is None or self.completion is not None):
                return

    @property
    def statuses(self) -> list[pb.MxStatusProxy]:
        """Those of the last value and of the write."""
        outcomes = [*self.events[-1:], *([self.completion] if self.completion is not None else [])]
        return [each for event in outcomes for each in event.statuses]

    @property
    def refused(self) -> str:
        """Why the last value or the write failed in MXAccess; empty when neither did."""
        return next((status_text(each) for each in self.statuses if is_status_failure(each)), "")
