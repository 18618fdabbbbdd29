"""The changes after a gap are the same whether the gateway sends the current values by itself or they are read."""

from __future__ import annotations

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, data_change, running_fake

from mxgateway import DataChange, GatewayClient
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.constants import CAPABILITY_CLIENT_HANDLES, CAPABILITY_RECOVERED_VALUES

BREAK = Abort(grpc.StatusCode.UNAVAILABLE, "connection lost")
READ_AT = 1_700_000_000
"""Source time of what the fake gateway reads, seconds."""
OURS = (*FakeGateway.capabilities, CAPABILITY_CLIENT_HANDLES, CAPABILITY_RECOVERED_VALUES)
GAP = pb.MxEvent(replay_gap=pb.ReplayGap(requested_after_sequence=1, oldest_available_sequence=50))


def recovered(item: int, value: int) -> pb.MxEvent:
    """What the fake gateway reads for the item, as the event that a gateway of ours sends."""
    wire = pb.MxValue(int32_value=value, variant_type="VT_I4", data_type=pb.MX_DATA_TYPE_INTEGER)
    event = data_change(0, item, wire)
    event.origin = pb.MX_EVENT_ORIGIN_RECOVERED
    event.source_timestamp.FromSeconds(READ_AT)
    return event


def later(sequence: int, item: int, seconds: int, origin: pb.MxEventOrigin.ValueType) -> pb.MxEvent:
    event = data_change(sequence, item)
    event.source_timestamp.FromSeconds(seconds)
    event.origin = origin
    return event


def marks(change: DataChange) -> tuple[object, ...]:
    return (
        change.tag,
        change.value,
        change.quality,
        change.source_timestamp,
        change.worker_sequence,
        change.recovered,
        change.replayed,
        change.lost_before,
    )


async def changes_over_a_gap(capabilities: tuple[str, ...], *, is_batched: bool) -> list[tuple[object, ...]]:
    is_ours = CAPABILITY_RECOVERED_VALUES in capabilities
    older, newer = (pb.MX_EVENT_ORIGIN_REPLAYED, pb.MX_EVENT_ORIGIN_LIVE) if is_ours else (0, 0)
    sent = [recovered(1, 0), recovered(2, 1)] if is_ours else []
    events = [
        GAP,
        *sent,
        later(50, 1, READ_AT - 100, older),  # type: ignore[arg-type]
        later(51, 2, READ_AT + 100, newer),  # type: ignore[arg-type]
    ]
    async with (
        running_fake(FakeGateway(capabilities=capabilities)) as gateway,
        await GatewayClient.connect(endpoint=gateway.endpoint, plaintext=True, api_key="mxgw_test_x") as client,
        await client.open_session() as session,
    ):
        gateway.events = [data_change(1, 1)]
        async with session.subscribe(["A.B", "A.C"]) as subscription:
            found = [marks(await subscription.next_change(10))]
            gateway.events = [pb.MxEventBatch(events=events)] if is_batched else events
            gateway.put(BREAK)
            found += [marks(await subscription.next_change(10)) for _ in range(4)]
            assert (subscription.gaps, subscription.lost) == (1, 48)
        assert [request.recover_gaps for request in gateway.stream_requests] == [is_ours, is_ours]
        assert bool(gateway.commands_of("read_bulk")) is not is_ours
    return found


@pytest.mark.parametrize("is_batched", [True, False], ids=["together", "one by one"])
async def test_a_gap_leads_to_the_same_changes_with_and_without_the_capability(is_batched: bool) -> None:
    ours = await changes_over_a_gap(OURS, is_batched=is_batched)
    assert ours == await changes_over_a_gap(FakeGateway.capabilities, is_batched=is_batched)
    assert [(change[0], *change[5:]) for change in ours] == [
        ("A.B", False, False, 0),
        ("A.B", True, False, 48),
        ("A.C", True, False, 0),
        ("A.B", False, True, 0),
        ("A.C", False, False, 0),
    ]
