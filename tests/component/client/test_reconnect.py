"""A subscription over a real gateway whose connection is cut: nothing is lost, nothing comes twice."""

from __future__ import annotations

import pytest
from chaos.proxy import TcpProxy
from tests.support.waiting import eventually

from mxgateway import DataChange, GatewayClient, MxGatewaySessionError, Subscription, SubscriptionState
from mxgateway.testing import LocalGateway

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.shares_processes, pytest.mark.timeout(120)]

TAGS = [f"TestMachine_{number:03}.TestChangingInt" for number in range(1, 21)]


async def collect(subscription: Subscription) -> list[DataChange]:
    """All changes up to the end."""
    return [change async for change in subscription]


async def test_cut_connection_loses_nothing(local_gateway: LocalGateway) -> None:
    """After a cut the stream is resumed: sequences stay unbroken and the session is the same."""
    host, _, port = local_gateway.endpoint.rpartition(":")
    async with TcpProxy((host, int(port))) as proxy:
        endpoint = f"localhost:{proxy.address.rpartition(':')[2]}"
        options = local_gateway.options(endpoint=endpoint)
        async with (
            await GatewayClient.connect(options) as client,
            await client.open_session() as session,
            session.subscribe(TAGS) as subscription,
        ):
            sequences = [(await subscription.next_change(20)).worker_sequence for _ in range(30)]
            for cut in (1, 2):
                proxy.cut()
                await eventually(lambda expected=cut: subscription.interruptions == expected, 20)  # type: ignore[misc]
                await eventually(lambda: subscription.state is SubscriptionState.RECOVERED, 30)
                sequences += [(await subscription.next_change(20)).worker_sequence for _ in range(30)]
            assert sequences == list(range(1, 91))
            assert (subscription.gaps, subscription.dropped) == (0, 0)


async def test_lost_session_is_replaced_or_reported(local_gateway: LocalGateway) -> None:
    """When the session ends, its own subscription ends with the typed error; one of the client opens a new session."""
    async with await local_gateway.connect() as client:
        async with await client.open_session() as session:
            subscription = session.subscribe(TAGS[:1])
            await subscription.next_change(20)
            await client.attach_session(session.session_id).close()
            await eventually(lambda: subscription.state is SubscriptionState.CLOSED, 20)
            with pytest.raises(MxGatewaySessionError):
                await collect(subscription)
        async with client.subscribe(TAGS[:1]) as surviving:
            await surviving.next_change(20)
            own = surviving._session
            assert own is not None
            await client.attach_session(own.session_id).close()
            await eventually(lambda: surviving.state is SubscriptionState.RECOVERED, 20)
            recovered = False
            while not recovered:
                recovered = (await surviving.next_change(20)).recovered
            assert surviving.gaps == 1
