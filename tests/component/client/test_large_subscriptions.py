"""Thousands of tags in one subscription: all come, over a cut line, a restart and the end of their session."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from benches.gateway_process import Site
from chaos.proxy import TcpProxy
from tests.support.restarted_gateway import RestartedGateway
from tests.support.waiting import eventually

from mxgateway import GalaxyRepositoryClient, GatewayClient, Subscription, SubscriptionState

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow, pytest.mark.timeout(180)]

COUNT = 3_500
LIMIT = 90.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site.prepare(tmp_path_factory.mktemp("site"), Path("reference"), "all", objects=40)


@pytest.fixture
def gateway(site: Site) -> Iterator[RestartedGateway]:
    running = RestartedGateway(site)
    yield running
    running.stop()


@pytest.fixture
async def tags(gateway: RestartedGateway) -> list[str]:
    options = {"endpoint": gateway.address, "api_key": gateway.site.api_key, "plaintext": True}
    async with await GalaxyRepositoryClient.connect(**options) as galaxy:
        found = [each.full_tag_reference async for one in galaxy.iter_hierarchy() for each in one.attributes]
    # A QualifiedStruct as a whole has no value that MXAccess converts: a failure, and told as one.
    found = [tag for tag in found if not tag.endswith(".TestStruct")]
    assert len(found) >= COUNT
    return found[:COUNT]


async def connected(gateway: RestartedGateway, address: str = "") -> GatewayClient:
    return await GatewayClient.connect(
        endpoint=address or gateway.address, api_key=gateway.site.api_key, plaintext=True
    )


async def all_seen(changes: Subscription, tags: list[str], *, recovered: bool = False) -> None:
    """Waits until each tag has had a change (of a new session, if `recovered`)."""
    missing = set(tags)
    async with asyncio.timeout(LIMIT):
        async for batch in changes.batches():
            missing -= {change.tag for change in batch if change.recovered or not recovered}
            if not missing:
                return


@pytest.mark.parametrize("queue_size", [1, 10_000])
async def test_every_tag_has_its_first_value(gateway: RestartedGateway, tags: list[str], queue_size: int) -> None:
    """At once and in growing steps, whatever the queue: nothing is interrupted and no first value is lost."""
    async with await connected(gateway) as client:
        async with client.subscribe(tags, queue_size=queue_size) as changes:
            assert (changes.failures, changes.interruptions) == ({}, 0)
            await all_seen(changes, tags)
        async with client.subscribe(tags[:10], queue_size=queue_size) as growing:
            await growing.add(tags[10:])
            await all_seen(growing, tags)
            assert (growing.failures, growing.interruptions, growing.lost) == ({}, 0, 0)


async def test_a_restart_of_the_gateway(gateway: RestartedGateway, tags: list[str]) -> None:
    """All tags come again in a new session, each first value marked."""
    async with await connected(gateway) as client, client.subscribe(tags) as changes:
        await all_seen(changes, tags)
        await gateway.kill()
        await gateway.restart()
        await all_seen(changes, tags, recovered=True)
        assert (changes.new_sessions, changes.failures) == (1, {})
        assert changes.state is SubscriptionState.RECOVERED


async def test_a_line_that_is_cut_while_tags_are_added(gateway: RestartedGateway, tags: list[str]) -> None:
    """The session stays, what is there stays, the rest is added afterwards, and start() waits for it."""
    host, _, port = gateway.address.rpartition(":")
    async with TcpProxy((host, int(port))) as proxy, await connected(gateway, proxy.address) as client:
        changes = client.subscribe(tags)
        starting = asyncio.ensure_future(changes.start())
        await eventually(lambda: changes.waiting > 0, LIMIT)
        proxy.cut()
        await starting
        await all_seen(changes, tags)
        assert (changes.new_sessions, changes.failures) == (0, {})
        assert changes.interruptions >= 1
        await changes.aclose()


async def test_a_queue_that_overflows(gateway: RestartedGateway, tags: list[str]) -> None:
    """Events that come faster than anybody takes them end the session; the cause is told, and all tags come again."""
    await gateway.kill()
    await gateway.restart({"allow_fault_injection": "true"})
    async with await connected(gateway) as client, client.subscribe(tags) as changes:
        await all_seen(changes, tags)
        # The next change comes so often that no queue holds it.
        await client.attach_session(changes.session_id).inject_fault("flood_events", {"count": "50000"})
        await all_seen(changes, tags, recovered=True)
        assert "queue_overflow" in str(changes.last_interruption)
        assert (changes.new_sessions, changes.failures) == (1, {})


async def test_a_session_that_ends_while_tags_are_added(gateway: RestartedGateway, tags: list[str]) -> None:
    """As with an overflow in the worker: another session takes its place."""
    async with await connected(gateway) as client:
        changes = client.subscribe(tags)
        starting = asyncio.ensure_future(changes.start())
        await eventually(lambda: changes.waiting > 0, LIMIT)
        await client.attach_session(changes.session_id).close()
        await starting
        await all_seen(changes, tags)
        assert changes.failures == {}
        await changes.aclose()


@pytest.mark.parametrize("capacity", ["1", "100"])
async def test_first_values_of_more_tags_than_a_queue_holds(
    gateway: RestartedGateway, tags: list[str], capacity: str
) -> None:
    """However small the queues are that the site has set: first values fault no session, and all of them come."""
    await gateway.kill()
    await gateway.restart({"events.queue_capacity": capacity})
    some = tags[:1_500]
    async with await connected(gateway) as client, client.subscribe(some) as changes:
        await all_seen(changes, some)
        assert (changes.failures, changes.interruptions, changes.new_sessions) == ({}, 0, 0)
