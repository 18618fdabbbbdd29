"""The feed of alarms against a scripted gateway: breaks, gaps, older gateways, slow consumers, and the calls beside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pandas  # noqa: F401 - loading it within a test would hold the event loop up
import pytest
from tests.support.fake_gateway import Abort, FakeGateway
from tests.support.waiting import eventually
from tests.unit.client.test_alarm_reader import at, gap, marker, snapshot, transition

from mxgateway import (
    AckOutcome,
    Alarm,
    AlarmChange,
    AlarmChangeKind,
    AlarmFeedState,
    AlarmGap,
    AlarmOverflow,
    AlarmPosition,
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
        assert feed.position == AlarmPosition("e", 5)
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


async def test_what_happened_since_an_earlier_feed_comes_first_and_then_the_list(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    """Nothing twice and nothing missing, though the list was cut while more happened."""
    gateway.alarm_streams = [
        [batch(snapshot("B", S.ACK_ALM)), batch(marker(8), transition("C", K.RAISE, S.UNACK_ALM, 9))],
        [
            batch(transition("A", K.CLEAR, S.ACK_RTN, 6), transition("B", K.RAISE, S.UNACK_ALM, 7)),
            batch(transition("B", K.ACKNOWLEDGE, S.ACK_ALM, 8), transition("C", K.RAISE, S.UNACK_ALM, 9)),
            batch(transition("D", K.RAISE, S.UNACK_ALM, 10)),
        ],
    ]
    after = AlarmPosition("e", 5, 0xF00)
    async with client.alarms.watch(after=after, areas=["Line1"]) as feed:
        assert (feed.state, sorted(feed.active)) == (AlarmFeedState.SYNCED, ["Galaxy!Area.B", "Galaxy!Area.C"])
        assert feed.position == after, "nothing has been taken"
        gateway.alarms_live.put_nowait(batch(transition("D", K.RAISE, S.UNACK_ALM, 10)))
        found = [await anext(feed) for _ in range(6)]
    assert [each.sequence for each in found if isinstance(each, AlarmChange)] == [6, 7, 8, 9, 10]
    assert feed.position == AlarmPosition("e", 10)
    assert found[4] == AlarmsSynced(2)
    whole, resumed = requests(gateway)
    assert (whole.snapshot, whole.HasField("resume_after")) == (pb.ALARM_SNAPSHOT_MODE_FULL, False)
    assert resumed.snapshot == pb.ALARM_SNAPSHOT_MODE_ON_GAP
    assert resumed.resume_after == pb.AlarmPosition(epoch="e", sequence=5, filter_hash=0xF00)
    assert list(resumed.filter.areas) == ["Line1"]


async def test_a_position_moves_with_what_is_taken(gateway: FakeGateway, client: GatewayClient) -> None:
    """Whoever keeps it and goes on there has missed nothing, however much waited; also where changes are conflated."""
    steps = [batch(transition(f"A{n % 3}", K.UPDATE, S.UNACK_ALM, n)) for n in range(6, 16)]
    gateway.alarm_streams = [[batch(marker(5)), *steps]]
    async with client.alarms.watch(queue_size=4) as feed:
        assert feed.position == AlarmPosition("e", 5)
        await feed.wait_for("Galaxy!Area.A2", S.UNACK_ALM)
        await eventually(lambda: feed._reader.position == at(15))
        told = []
        while told[-1:] != [15]:
            event = await feed.next_event(10)
            told.append(event.sequence if isinstance(event, AlarmChange) else 5)
            assert feed.position is not None
            assert feed.position.sequence <= told[-1]
        assert feed.position == AlarmPosition("e", 15)
        assert feed.conflated > 0
        gateway.alarms_live.put_nowait(batch(pb.AlarmFeedMessage(position=at(20), at=at(20))))
        await eventually(lambda: feed.position == AlarmPosition("e", 20))


async def test_where_nothing_can_be_told_of_the_time_since_an_earlier_feed_a_gap_says_so(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    gateway.alarm_streams = [[batch(snapshot("A"), marker(70))], [batch(gap("expired"), snapshot("A"), marker(70))]]
    async with client.alarms.watch(after=("e", 5)) as feed:
        assert set(feed.active) == {"Galaxy!Area.A"}
        assert [await anext(feed), await anext(feed)] == [AlarmGap("expired", 7), AlarmsSynced(1)]
    gateway.script("StreamAlarmBatches", Abort(grpc.StatusCode.UNIMPLEMENTED, "unknown method"))
    async with client.alarms.watch(after=("e", 5)) as feed:
        assert [await anext(feed), await anext(feed)] == [AlarmGap("unsupported", 0), AlarmsSynced(1)]


async def test_a_break_while_what_was_missed_is_told_loses_and_doubles_nothing(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    sixth, seventh = (
        pb.AlarmFeedBatch(messages=[transition(n, K.RAISE, S.UNACK_ALM, s)], at=at(s)) for n, s in (("A", 6), ("B", 7))
    )
    gateway.alarm_streams = [
        [batch(snapshot("A"), snapshot("B"), marker(7))],
        [sixth, BROKEN],
        [batch(snapshot("A"), snapshot("B"), marker(7))],
        [seventh],
    ]
    async with client.alarms.watch(after=("e", 5)) as feed:
        found = [await anext(feed) for _ in range(3)]
    assert [each.sequence for each in found if isinstance(each, AlarmChange)] == [6, 7]
    assert found[2] == AlarmsSynced(2)


async def test_a_gateway_that_is_not_there_at_the_start_is_an_error_or_waited_for(
    gateway: FakeGateway, client: GatewayClient
) -> None:
    gateway.script("StreamAlarmBatches", BROKEN)
    with pytest.raises(MxGatewayConnectionError, match="gone"):
        async with client.alarms.watch():
            pass
    gateway.script("StreamAlarmBatches", BROKEN)
    gateway.alarm_streams = [[batch(marker(1))]]
    async with client.alarms.watch(patient=True) as feed:
        assert feed.state is AlarmFeedState.SYNCED


@pytest.mark.parametrize("position", [AlarmPosition("0af", 12), AlarmPosition("0af", 2**64 - 1, 0xF00)])
def test_a_position_can_be_kept_as_text(position: AlarmPosition) -> None:
    assert AlarmPosition.parse(f" {position}\n") == position
    for wrong in ("", "0af", "0af:", "0af:-1", "0af:x", ":1", "0af:1:g", f"0af:{2**64}", "a b:1"):
        with pytest.raises(ValueError, match="EPOCH:SEQUENCE"):
            AlarmPosition.parse(wrong)


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
        ({"after": ("e", -1)}, "from 0"),
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
