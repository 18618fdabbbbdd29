"""Feeds of the client library over a whole gateway: going on after a position, with filters and over a restart."""

from __future__ import annotations

from pathlib import Path

from tests.support.alarm_gateway import alarm_gateway
from tests.support.alarm_link import ScriptedLink
from tests.support.gateway import LiveGateway

from mxgateway import (
    AlarmChange,
    AlarmEvent,
    AlarmFeed,
    AlarmGap,
    AlarmPosition,
    AlarmsSynced,
    AlarmState,
    ClientOptions,
    GatewayClient,
)

# The first three alarms of the scripted plant: 0 and 3 are of the area Mixing.
MIXING = ["Mixing"]


def client_of(gateway: LiveGateway) -> GatewayClient:
    endpoint = next(each.address for each in gateway.running.endpoints if not each.is_tls)
    return GatewayClient(ClientOptions(endpoint=endpoint, plaintext=True, api_key=gateway.key))


async def up_to_list(feed: AlarmFeed) -> list[AlarmEvent]:
    """What is told up to and with AlarmsSynced."""
    found: list[AlarmEvent] = []
    while not found or not isinstance(found[-1], AlarmsSynced):
        found.append(await feed.next_event(10))
    return found


def told(events: list[AlarmEvent]) -> list[tuple[str, int]]:
    return [(each.kind.name, each.sequence) for each in events if isinstance(each, AlarmChange)]


async def test_a_feed_with_a_filter_goes_on_where_another_one_ended(tmp_path: Path) -> None:
    """Each change once, in order, then the list that they come to, then what happens; a gap under another filter."""
    link = ScriptedLink()
    link.happen(0, "on")
    async with alarm_gateway(tmp_path, link) as gateway, client_of(gateway) as client:
        async with client.alarms.watch(areas=MIXING) as feed:
            position = feed.position
        assert position is not None
        assert position.filter_hash, "a position of a filter is no other's"
        for number, event in ((0, "ack"), (1, "on"), (3, "on"), (0, "off"), (3, "off")):
            link.happen(number, event)
        kept = AlarmPosition.parse(str(position))
        async with client.alarms.watch(areas=MIXING, after=kept) as feed:
            since = await up_to_list(feed)
            assert told(since) == [("ACKNOWLEDGE", 1), ("RAISE", 3), ("CLEAR", 4), ("CLEAR", 5)]
            assert since[-1] == AlarmsSynced(1)
            assert {key: alarm.state for key, alarm in feed.active.items()} == {link.reference(3): AlarmState.UNACK_RTN}
            link.happen(3, "ack")
            assert told([await feed.next_event(10)]) == [("ACKNOWLEDGE", 6)]
        async with client.alarms.watch(areas=["Packing"], after=kept) as feed:
            gap, synced = await up_to_list(feed)
            assert isinstance(gap, AlarmGap)
            assert gap.reason == "filter"
            assert synced == AlarmsSynced(1)


async def test_a_position_is_good_over_a_restart_of_the_gateway(tmp_path: Path) -> None:
    """The numbers go on; what happened meanwhile is told as found after the restart."""
    history = {"alarms.history.path": str(tmp_path / "alarms.db")}
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    link = ScriptedLink()
    link.happen(0, "on")
    async with (
        alarm_gateway(tmp_path / "first", link, **history) as gateway,
        client_of(gateway) as client,
        client.alarms.watch() as feed,
    ):
        position = feed.position
        link.happen(1, "on")
        await feed.wait_for(link.reference(1), AlarmState.UNACK_ALM)
    assert position is not None
    after = ScriptedLink()
    for number in (0, 2):
        after.happen(number, "on")
    async with (
        alarm_gateway(tmp_path / "second", after, **history) as gateway,
        client_of(gateway) as client,
        client.alarms.watch(after=position) as feed,
    ):
        since = await up_to_list(feed)
    assert not [each for each in since if isinstance(each, AlarmGap)]
    changes = [each for each in since if isinstance(each, AlarmChange)]
    assert told(since)[0] == ("RAISE", 1)
    assert [each.sequence for each in changes] == list(range(1, len(changes) + 1))
    assert {each.origin.name for each in changes[1:]} <= {"RESTART", "RECONCILE", "INFERRED"}
    assert {each.alarm.reference for each in changes if each.kind.name == "RAISE"} >= {after.reference(2)}
