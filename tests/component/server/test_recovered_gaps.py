"""A stream that asked for it goes on after a gap with the current values of all that is advised."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.gateway import LiveGateway, fake_settings, live_gateway
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description

TAGS = ("TestChildObject.TestInt", "TestChildObject.TestBool")


async def first_events(
    gateway: LiveGateway, call: str, request: pb.StreamEventsRequest, count: int
) -> list[pb.MxEvent]:
    """The first events of a stream, however they travel."""
    stream = getattr(gateway.stub, call)(request, metadata=gateway.auth)
    events: list[pb.MxEvent] = []
    while len(events) < count:
        message = await stream.read()
        events += message.events if isinstance(message, pb.MxEventBatch) else [message]
    stream.cancel()
    return events


@pytest.mark.parametrize("call", ["StreamEvents", "StreamEventBatches"])
async def test_after_a_gap_come_the_current_values_and_then_what_is_left(tmp_path: Path, call: str) -> None:
    galaxy = tmp_path / "reference.db"
    build_galaxy(read_description("reference"), galaxy)
    settings = fake_settings(
        tmp_path,
        worker__backend="simulator",
        worker__command=(),
        worker__backend_options={"profile": "test"},
        galaxy__connection_string=str(galaxy),
        events__replay_buffer_capacity=1,
    )
    async with live_gateway(settings) as gateway:
        session = await gateway.open()
        server = (await gateway.invoke(session, "REGISTER", client_name="test")).register.server_handle
        added = await gateway.invoke(
            session, "SUBSCRIBE_BULK", server_handle=server, tag_addresses=TAGS, client_handles=[71, 72]
        )
        (item, _) = (result.item_handle for result in added.subscribe_bulk.results)
        await eventually(lambda: gateway.session(session).events_received >= 2)
        fresh = pb.StreamEventsRequest(session_id=session)
        await first_events(gateway, call, fresh, 2)
        for number in range(5):
            before = gateway.session(session).events_received
            value = pb.MxValue(int32_value=100 + number)
            await gateway.invoke(session, "WRITE", server_handle=server, item_handle=item, value=value)
            await eventually(lambda before=before: gateway.session(session).events_received >= before + 2)  # type: ignore[misc]
            # A stream that has had them lets the ring forget them.
            await first_events(gateway, call, fresh, 2)
        plain = pb.StreamEventsRequest(session_id=session, after_worker_sequence=1)
        (gap, *rest) = await first_events(gateway, call, plain, 2)
        assert gap.HasField("replay_gap")
        assert all(event.worker_sequence and event.origin == pb.MX_EVENT_ORIGIN_LIVE for event in rest)
        plain.recover_gaps = True
        (gap, *rest) = await first_events(gateway, call, plain, 4)
        assert gap.HasField("replay_gap")
        recovered = {event.client_handle: event for event in rest[:2]}
        assert {event.origin for event in rest[:2]} == {pb.MX_EVENT_ORIGIN_RECOVERED}
        assert recovered.keys() == {71, 72}
        assert recovered[71].value.int32_value == 104
        lost = gap.replay_gap.oldest_available_sequence - gap.replay_gap.requested_after_sequence - 1
        assert [event.lost_before for event in rest[:2]] == [lost, 0]
        assert {event.origin for event in rest[2:]} == {pb.MX_EVENT_ORIGIN_REPLAYED}
        assert all(event.worker_sequence for event in rest[2:])
