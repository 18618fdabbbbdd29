"""What is longer than a message may be is refused by name, in both directions, and touches nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.shared_gateway import shared_gateway

from mxgateway import GatewayClient, MxGatewayResourceError, Session
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.testing import LocalGateway

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow]

LIMIT = 64 * 1024
TAG = "MESReceiver_001.MoveInPartNumbers[]"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalGateway]:
    config = tmp_path_factory.mktemp("small") / "gateway.toml"
    config.write_text(f"[protocol]\nmax_grpc_message_bytes = {LIMIT}\n")
    with shared_gateway("reference", ["--config", str(config)]) as running:
        yield running


async def sent(client: GatewayClient, session: Session, command: pb.MxCommand, streamed: bool) -> None:
    if streamed:
        await session.invoke(command)
    else:
        await client.invoke(pb.MxCommandRequest(session_id=session.session_id, command=command))


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_reply_that_is_too_long_is_told_and_the_session_goes_on(gateway: LocalGateway, streamed: bool) -> None:
    async with await gateway.connect() as client, await client.open_session() as session:
        server = await session.register("limits")
        await session.write_and_confirm(TAG, ["x" * 20_000] * 2)
        command = pb.MxCommand(
            kind=pb.MX_COMMAND_KIND_READ_BULK,
            read_bulk=pb.ReadBulkCommand(server_handle=server, tag_addresses=[TAG] * 3),
        )
        with pytest.raises(MxGatewayResourceError, match=r"protocol\.max_grpc_message_bytes"):
            await sent(client, session, command, streamed)
        (read,) = await session.read_bulk(server, [TAG])
        assert read.was_successful


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_command_that_is_too_long_for_the_gateway_is_told_and_the_session_goes_on(
    gateway: LocalGateway, streamed: bool
) -> None:
    """The client's own limit is the usual one, so it is the gateway that says no."""
    async with await gateway.connect() as client, await client.open_session() as session:
        server = await session.register("limits")
        value = pb.MxValue(string_value="x" * 3 * LIMIT)
        command = pb.MxCommand(
            kind=pb.MX_COMMAND_KIND_WRITE, write=pb.WriteCommand(server_handle=server, item_handle=1, value=value)
        )
        with pytest.raises(MxGatewayResourceError, match=r"limit of a message.*max_message_bytes"):
            await sent(client, session, command, streamed)
        assert await session.register("still here")


async def test_an_event_that_is_too_long_comes_without_its_value(gateway: LocalGateway) -> None:
    async with await gateway.connect() as client, await client.open_session() as session:
        server = await session.register("limits")
        item = await session.add_item(server, TAG)
        async with session.stream_events() as events:
            await session.write_and_confirm(TAG, ["x" * 20_000] * 3)
            await session.write_and_confirm(TAG, ["y" * 10_000] * 2)
            await session.advise(server, item)
            async for event in events:
                if event.item_handle == item:
                    assert event.quality == 192
                    break
