"""The feed of alarms against a scripted gateway: breaks, gaps, older gateways, slow consumers, and the calls beside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pandas  # noqa: F401 - loading it within a test would hold the event loop up
import pytest
from tests.support.fake_gateway import Abort, FakeGateway
from tests.unit.client.test_alarm_reader import at, gap, marker, snapshot, transition

from mxgateway import (
    AckOutcome,
    Alarm,
    AlarmChange,
    AlarmChangeKind,
    AlarmFeedState,
    AlarmGap,
    AlarmOverflow,
    AlarmsSynced,
    AlarmState,
    GatewayClient,
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayOverflowError,
    MxGatewayTimeoutError,
)
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

K = AlarmChangeKind
S = AlarmState
BROKEN = Abort(grpc.StatusCode.UNAVAILABLE, "gone")


def batch(*messages: pb.AlarmFeedMessage) -> pb.AlarmFeedBatch:
    return pb.AlarmFeedBatch(messages=messages)


def requests(gateway: FakeGateway) -> list[pb.StreamAlarmsRequest]:
    return [request for request in gateway.requests if isinstance(request, pb.StreamAlarmsRequest)]


async def test_the_list_is_there_at_once_and_changes_come(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.alarm_streams = [[batch(snapshot("A"), snapshot("B", severity=1)), batch(marker(5))]]
    async with client.alarms.watch(areas=["Line1"], priority=(1, 500), states=["unack_alm"]) as feed:
        assert feed.state is AlarmFeedState.SYNCED
        assert [alarm.reference for alarm in feed.active_by_priority()] == ["Galaxy!Area.A", "Galaxy!Area.B"]
        assert set(feed.active) == {"Galaxy!Area.A", "Galaxy!Area.B"}
        assert feed.position == ("e", 5)
        gateway.alarms_live.put_nowait(batch(transition("A", K.ACKNOWLEDGE, S.ACK_ALM, 6)))
        acknowledged = await feed.wait_for("galaxy!area.a", S.ACK_ALM)
        assert acknowledged is not None
        assert acknowledged.acknowledged
        assert await anext(feed) == AlarmsSynced(2)
        change = await anext(feed)
        assert isinstance(change, AlarmChange)
        assert (change.kind, change.sequence) == (K.ACKNOWLEDGE, 6)
    (asked,) = requests(gateway)
    assert (list(asked.filter.areas), asked.filter.priority_min, asked.filter.priority_max) == (["Line1"], 1, 500)
    assert list(asked.filter.states) == [pb.ALARM_STATE_UNACK_ALM]
    assert asked.include_extended
    assert feed.state is AlarmFeedState.CLOSED


async def test_a_broken_stream_goes_on_where_it_was(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.alarm_streams = [
        [batch(snapshot("A"), marker(5)), BROKEN],
        [batch(transition("B", K.RAISE, S.UNACK_ALM, 6))],
    ]
    async with client.alarms.watch() as feed:
        await feed.wait_for("Galaxy!Area.B", S.UNACK_ALM)
        assert set(feed.active) == {"Galaxy!Area.A", "Galaxy!Area.B"}
    first, second = requests(gateway)
    assert (first.snapshot, second.snapshot) == (pb.ALARM_SNAPSHOT_MODE_FULL, pb.ALARM_SNAPSHOT_MODE_ON_GAP)
    assert second.resume_after == at(5)


async def test_after_a_restart_of_the_gateway_the_difference_is_told(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    gateway.alarm_streams = [
        [batch(snapshot("A"), snapshot("B"), marker(5)), BROKEN],
        [batch(gap("epoch"), snapshot("B"), marker(1))],
    ]
    async with client.alarms.watch() as feed:
        found = [await anext(feed) for _ in range(4)]
    assert found[0] == AlarmsSynced(2)
    assert found[1] == AlarmGap("epoch", 7)
    assert isinstance(found[2], AlarmChange)
    assert (found[2].kind, found[2].alarm.reference) == (K.CLEAR, "Galaxy!Area.A")
    assert found[3] == AlarmsSynced(1)


async def test_a_stream_that_breaks_within_the_list_begins_anew(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.alarm_streams = [[batch(snapshot("Half")), BROKEN], [batch(snapshot("A"), marker(5))]]
    async with client.alarms.watch() as feed:
        assert set(feed.active) == {"Galaxy!Area.A"}
        assert await anext(feed) == AlarmsSynced(1)


async def test_a_position_of_an_earlier_feed_is_gone_on_after(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.alarm_streams = [[batch(gap("expired"), snapshot("A"), marker(70))]]
    async with client.alarms.watch(after=("e", 5)) as feed:
        assert set(feed.active) == {"Galaxy!Area.A"}
    (asked,) = requests(gateway)
    assert (asked.resume_after, asked.snapshot) == (at(5), pb.ALARM_SNAPSHOT_MODE_ON_GAP)


async def test_a_gateway_without_batches_is_read_message_by_message(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    """The original knows StreamAlarms only; its stream ends here after the list, and is made anew."""
    gateway.script("StreamAlarmBatches", Abort(grpc.StatusCode.UNIMPLEMENTED, "unknown method"))
    async with client.alarms.watch() as feed:
        assert list(feed.active) == [r"\\Galaxy!DEV.TestMachine_001.TestAlarm001"]
        assert feed.position is None
    assert gateway.calls["StreamAlarms"] >= 1


async def test_states_follow_the_provider_and_the_connection(gateway: FakeGateway, client: GatewayClient) -> None:
    def status(**facts: bool) -> pb.AlarmFeedMessage:
        return pb.AlarmFeedMessage(provider_status=pb.AlarmProviderStatus(**facts))  # type: ignore[arg-type]

    gateway.alarm_streams = [[batch(status(uncertain=True))], [batch(marker(2), status())]]
    async with client.alarms.watch() as feed:
        states = feed.state_changes()
        assert await anext(states) is AlarmFeedState.CONNECTING, "there is no list, and none to wait for"
        seen = []
        for step in (batch(marker(1)), batch(status(degraded=True)), batch(status()), BROKEN):
            gateway.alarms_live.put_nowait(step)
            seen.append(await anext(states))
        seen.append(await anext(states))
        await feed.aclose()
        seen += [state async for state in states]
    assert [state.name for state in seen] == [
        *("UNCERTAIN", "DEGRADED", "SYNCED", "RECONNECTING", "SYNCED", "CLOSED"),
    ]


async def test_errors_that_stay_end_the_feed(gateway: FakeGateway, client: GatewayClient) -> None:
    """At the start, and later; and whoever waits is told."""
    gateway.script("StreamAlarmBatches", Abort(grpc.StatusCode.FAILED_PRECONDITION, "no alarm provider"))
    with pytest.raises(MxGatewayError, match="no alarm provider"):
        async with client.alarms.watch():
            pass
    gateway.alarm_streams = [[batch(snapshot("A"), marker(1)), Abort(grpc.StatusCode.PERMISSION_DENIED, "revoked")]]
    async with client.alarms.watch() as feed:
        assert await anext(feed) == AlarmsSynced(1)
        with pytest.raises(Exception, match="revoked"):
            await anext(feed)
        with pytest.raises(Exception, match="revoked"):
            await feed.wait_for("Galaxy!Area.B", S.UNACK_ALM)
        assert list(feed.active) == ["Galaxy!Area.A"]


async def test_without_reconnecting_the_first_break_is_the_end(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.alarm_streams = [[batch(marker(1)), BROKEN]]
    async with client.alarms.watch(reconnect=False) as feed:
        assert await anext(feed) == AlarmsSynced(0)
        with pytest.raises(MxGatewayConnectionError):
            await anext(feed)


async def test_a_slow_consumer_gets_the_newest_of_each_alarm(gateway: FakeGateway, client: GatewayClient) -> None:
    """With what was before the oldest of them, so that nothing is told wrongly."""
    changes = [
        transition(name, kind, state, number)
        for number, (name, kind, state) in enumerate(
            [
                ("A", K.RAISE, S.UNACK_ALM),
                ("B", K.RAISE, S.UNACK_ALM),
                ("A", K.ACKNOWLEDGE, S.ACK_ALM),
                ("A", K.CLEAR, S.ACK_RTN),
                ("B", K.ACKNOWLEDGE, S.ACK_ALM),
            ],
            2,
        )
    ]
    gateway.alarm_streams = [[batch(snapshot("B", S.UNACK_RTN), marker(1), *changes)]]
    known: dict[str, AlarmState | None] = {"A": None, "B": S.UNACK_RTN}
    async with client.alarms.watch(queue_size=3) as feed:
        await feed.wait_for("Galaxy!Area.B", S.ACK_ALM)
        assert await anext(feed) == AlarmsSynced(1)
        for _ in range(len(changes) - feed.conflated):
            change = await anext(feed)
            assert isinstance(change, AlarmChange)
            name = change.alarm.reference[-1]
            assert (change.previous.state if change.previous else None) is known[name]
            known[name] = change.alarm.state
        assert feed.conflated == 1
    assert known == {"A": S.ACK_RTN, "B": S.ACK_ALM}


async def test_a_slow_consumer_who_asked_for_it_is_told_so(gateway: FakeGateway, client: GatewayClient) -> None:
    changes = [transition(f"A{n}", K.RAISE, S.UNACK_ALM, n) for n in range(2, 6)]
    gateway.alarm_streams = [[batch(marker(1)), batch(*changes)]]
    async with client.alarms.watch(queue_size=2, overflow=AlarmOverflow.FAIL) as feed:
        with pytest.raises(MxGatewayOverflowError, match="too slow"):
            await feed.wait_for("Galaxy!Area.Never", S.ACK_ALM, timeout=10)


async def test_waiting_has_its_limits(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.alarm_streams = [[batch(snapshot("A"), marker(1))]]
    async with client.alarms.watch() as feed:
        assert await feed.next_event(1) == AlarmsSynced(1)
        with pytest.raises(TimeoutError):
            await feed.next_event(0.01)
        with pytest.raises(
            MxGatewayTimeoutError, match=r"Galaxy!Area\.A is UNACK_ALM and was not ACK_ALM within 0\.01"
        ):
            await feed.wait_for("Galaxy!Area.A", S.ACK_ALM, timeout=0.01)
        gateway.alarms_live.put_nowait(batch(transition("A", K.CLEAR, S.ACK_RTN, 2)))
        assert await feed.wait_for("Galaxy!Area.A", None) is None


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"priority": (0, 5)}, "from 1, the most urgent, to 999"),
        ({"priority": (9, 5)}, "9-5"),
        ({"states": ["ALARMED"]}, "UNACK_ALM, ACK_ALM"),
        ({"queue_size": 0}, "at least one"),
    ],
)
async def test_what_makes_no_sense_is_refused(client: GatewayClient, wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        client.alarms.watch(**wrong)


async def test_acknowledging_an_alarm_means_its_occurrence(gateway: FakeGateway, client: GatewayClient) -> None:
    gateway.script(
        "AcknowledgeAlarm",
        pb.AcknowledgeAlarmReply(
            protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK),
            outcome=pb.ALARM_ACK_OUTCOME_SUPERSEDED,
            alarm_guid="2",
            diagnostic_message="another one",
        ),
    )
    alarm = Alarm(reference="Galaxy!Area.A", guid="1")
    result = await client.alarms.acknowledge(alarm, "seen", operator="anna")
    assert (result.outcome, result.ok, result.guid, result.text) == (AckOutcome.SUPERSEDED, False, "2", "another one")
    asked = gateway.requests[-1]
    assert (asked.alarm_full_reference, asked.expected_guid, asked.comment) == ("Galaxy!Area.A", "1", "seen")
    assert (asked.operator_user, asked.wait_for_transition.seconds) == ("anna", 3)
    old = await client.alarms.acknowledge("Galaxy!Area.A", correlation_id="mine")
    assert (old.outcome, old.ok) == (AckOutcome.ACCEPTED, True), "an original gateway tells no outcome"
    assert gateway.requests[-1].client_correlation_id == "mine"
    many = await client.alarms.acknowledge_many([alarm, "Galaxy!Area.B"], "shift change")
    assert [each.reference for each in many] == ["Galaxy!Area.A", "Galaxy!Area.B"]
    assert [each.expected_guid for each in gateway.requests[-1].alarms] == ["1", ""]


async def test_shelving(gateway: FakeGateway, client: GatewayClient) -> None:
    alarm = Alarm(reference="Galaxy!Area.A", guid="1")
    (result,) = await client.alarms.shelve(alarm, hours=0.5, reason="in repair")
    assert (result.ok, result.reference, result.until) == (True, "Galaxy!Area.A", None)
    assert (gateway.requests[-1].duration.seconds, gateway.requests[-1].reason) == (1800, "in repair")
    assert len(await client.alarms.unshelve([alarm, "Galaxy!Area.B"])) == 2
    assert gateway.requests[-1].duration.seconds == 0


async def test_the_past_the_list_and_the_figures(gateway: FakeGateway, client: GatewayClient) -> None:
    event = transition("A", K.RAISE, S.UNACK_ALM, 7, severity=3).transition
    event.transition_timestamp.FromDatetime(datetime(2026, 1, 2, tzinfo=UTC))
    gateway.script("QueryAlarmHistory", pb.AlarmHistoryPage(changes=[event]))
    since = datetime(2026, 1, 1, tzinfo=UTC)
    changes = await client.alarms.history(since=since, kinds=[K.RAISE], operator="anna")
    (change,) = changes
    assert (change.kind, change.sequence, change.alarm.priority) == (K.RAISE, 7, 3)
    asked = gateway.requests[-1]
    assert (asked.from_time.ToDatetime(UTC), list(asked.kinds), asked.operator) == (since, [1], "anna")
    frame = changes.to_dataframe()
    assert list(frame["kind"]) == ["RAISE"]
    assert str(frame["changed"].dtype) == "datetime64[ns, UTC]"
    assert "Galaxy!Area.A" in repr(changes)
    alarms = await client.alarms.active(text="pump", limit=5)
    assert [alarm.reference for alarm in alarms] == [r"\\Galaxy!DEV.TestMachine_001.TestAlarm001"]
    assert (gateway.requests[-1].filter.text, gateway.requests[-1].limit) == ("pump", 5)
    assert len(alarms.to_dataframe()) == 1
    await client.alarms.statistics(window=timedelta(hours=8), positions=["north"])
    assert (gateway.requests[-1].window.seconds, list(gateway.requests[-1].positions)) == (28_800, ["north"])
    assert (await client.alarms.status()).enabled
