"""The program under test: slows a filler down, waits until it is slow, and says how fast it is."""

from __future__ import annotations

from mxgateway import GatewayClient, from_mx_value, is_good
from mxgateway.generated import mxaccess_gateway_pb2 as pb


async def slow_down(client: GatewayClient, filler: str, set_point: float) -> float:
    """The speed reached, in percent: within half a percent of the set point."""
    async with await client.open_session(client_session_name="change-over") as session:
        server = await session.register("change-over")
        wanted = await session.add_item(server, f"{filler}.SpeedSP")
        speed = await session.add_item(server, f"{filler}.Speed")
        async with session.stream_events() as events:
            await session.advise(server, wanted)
            async for event in events:
                if event.item_handle == wanted and event.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
                    break
            await session.write(server, wanted, set_point)
            await session.advise(server, speed)
            async for event in events:
                if event.item_handle != speed or not is_good(event.quality):
                    continue
                value = from_mx_value(event.value)
                if isinstance(value, float) and abs(value - set_point) < 0.5:
                    return value
    raise RuntimeError("the stream ended before the filler was slow")
