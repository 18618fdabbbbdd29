"""Asynchronous use: connection, session, handles, bulk calls, events, confirmed writes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from mxgateway import (
    MAX_BULK_ITEMS,
    ClientOptions,
    ConnectionState,
    EventStream,
    GatewayClient,
    MxAccessError,
    MxGatewayTimeoutError,
    RetryPolicy,
    Session,
    WriteOutcome,
    from_mx_value,
    is_good,
    is_status_failure,
    next_correlation_id,
    quality_name,
)
from mxgateway.generated import mxaccess_gateway_pb2 as pb


def options(key: str) -> ClientOptions:
    return ClientOptions(
        endpoint="gateway.plant.example:5001",
        api_key=key,
        ca_file="gateway-ca.pem",
        call_timeout=10.0,
        retry=RetryPolicy(max_attempts=3),
    )


async def values(session: Session, tags: list[str]) -> dict[str, object]:
    server: int = await session.register("service")
    results: list[pb.BulkReadResult] = await session.read_bulk(server, tags[:MAX_BULK_ITEMS], timeout_ms=500)
    good = [result for result in results if result.was_successful and is_good(result.quality)]
    return {result.tag_address: from_mx_value(result.value) for result in good}


async def write(session: Session, server: int, item: int) -> list[str]:
    await session.advise(server, item)
    await session.write(server, item, 42)
    await session.write2(server, item, [1.5, 2.5], datetime.now(UTC))
    outcomes = await session.write_bulk(server, [(item, True), (item, "text")], correlation_id=next_correlation_id())
    return [outcome.error_message for outcome in outcomes if not outcome.was_successful]


async def confirm(session: Session) -> WriteOutcome | None:
    try:
        return await session.write_and_confirm("Object.Attribute", 3, timeout=5)
    except MxGatewayTimeoutError as error:
        print(error, error.correlation_id)
    except MxAccessError as error:
        hresult: int | None = error.hresult
        print(hresult, [status.detail for status in error.statuses])
    return None


async def follow(session: Session, limit: int) -> int:
    seen = 0
    events: EventStream
    async with session.stream_events(backpressure_policy=pb.BACKPRESSURE_POLICY_CONFLATE) as events:
        async for event in events:
            if event.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
                failed = any(is_status_failure(status) for status in event.statuses)
                print(event.item_handle, from_mx_value(event.value), quality_name(event.quality), failed)
            seen += 1
            if seen == limit:
                break
    return events.last_worker_sequence


async def main(key: str) -> None:
    async with (
        await GatewayClient.connect(options(key)) as client,
        await client.open_session(client_session_name="service") as session,
    ):
        state: ConnectionState = client.connection_state
        print(state.name, session.session_id, session.closed)
        print(await values(session, ["Object.Attribute"]))
        reply: pb.MxCommandReply = await session.invoke_raw(pb.MxCommand(ping=pb.PingCommand(message="hello")))
        print(reply.diagnostic_message)
    async with await GatewayClient.connect(endpoint="localhost:5000", plaintext=True, api_key=key) as client:
        opened: pb.OpenSessionReply = await client.open_session_raw(pb.OpenSessionRequest())
        print(list(opened.capabilities))


if __name__ == "__main__":
    asyncio.run(main("<key>"))
