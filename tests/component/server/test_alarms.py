"""The alarm calls over a whole gateway, with a worker that the test drives."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from tests.support.alarm_gateway import alarm_gateway, audited
from tests.support.alarm_link import ScriptedLink
from tests.support.gateway import LiveGateway
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.alarms.model import Provider

ACK = pb.AlarmAckOutcome


@pytest.fixture
def link() -> ScriptedLink:
    made = ScriptedLink()
    for number in (0, 1, 2):
        made.happen(number, "on")
    made.happen(1, "ack")
    made.happen(2, "off")
    return made


@pytest.fixture
async def gateway(tmp_path: Path, link: ScriptedLink) -> AsyncIterator[LiveGateway]:
    async with alarm_gateway(tmp_path, link) as live:
        yield live


class Feed:
    """A stream of alarms, message by message."""

    def __init__(self, call: Any) -> None:
        self.call = call

    async def next(self) -> pb.AlarmFeedMessage:
        message = await self.call.read()
        assert message is not grpc.aio.EOF
        return message  # type: ignore[no-any-return]

    async def until(self, arm: str) -> list[pb.AlarmFeedMessage]:
        """The messages up to and including the first of this arm."""
        found = []
        while not found or found[-1].WhichOneof("payload") != arm:
            found.append(await self.next())
        return found


def stream(gateway: LiveGateway, **request: Any) -> Feed:
    return Feed(gateway.stub.StreamAlarms(pb.StreamAlarmsRequest(**request), metadata=gateway.auth))


async def acknowledge(gateway: LiveGateway, reference: str, **more: Any) -> pb.AcknowledgeAlarmReply:
    request = pb.AcknowledgeAlarmRequest(alarm_full_reference=reference, comment="seen", operator_user="anna", **more)
    request.wait_for_transition.FromSeconds(5)
    reply: pb.AcknowledgeAlarmReply = await gateway.stub.AcknowledgeAlarm(request, metadata=gateway.auth)
    return reply


async def test_a_stream_gives_the_list_the_marker_the_status_and_then_changes(
    gateway: LiveGateway, link: ScriptedLink
) -> None:
    feed = stream(gateway)
    first = await feed.until("provider_status")
    assert [each.WhichOneof("payload") for each in first] == [
        *["active_alarm"] * 3,
        "snapshot_complete",
        "provider_status",
    ]
    states = {each.active_alarm.alarm_full_reference: each.active_alarm.current_state for each in first[:3]}
    assert states == {
        link.reference(0): pb.ALARM_CONDITION_STATE_ACTIVE,
        link.reference(1): pb.ALARM_CONDITION_STATE_ACTIVE_ACKED,
        link.reference(2): pb.ALARM_CONDITION_STATE_INACTIVE,
    }
    status = first[-1].provider_status
    assert (status.mode, status.degraded, status.uncertain) == (pb.ALARM_PROVIDER_MODE_ALARMMGR, False, False)
    assert not first[0].HasField("at")
    assert first[3].at.sequence == 0
    link.happen(4, "on")
    message = await feed.next()
    assert message.transition.alarm_full_reference == link.reference(4)
    assert message.transition.transition_kind == pb.ALARM_TRANSITION_KIND_RAISE
    assert (message.transition.state, message.transition.sequence) == (pb.ALARM_STATE_UNACK_ALM, 1)
    assert message.at.sequence == 1


async def test_an_acknowledgement_is_confirmed_by_its_transition(gateway: LiveGateway, link: ScriptedLink) -> None:
    feed = stream(gateway)
    await feed.until("provider_status")
    reply = await acknowledge(gateway, link.reference(0))
    assert reply.outcome == ACK.ALARM_ACK_OUTCOME_ACKNOWLEDGED
    assert (reply.native_status, reply.hresult, reply.status.success) == (0, 0, -1)
    message = await feed.next()
    assert message.transition.transition_kind == pb.ALARM_TRANSITION_KIND_ACKNOWLEDGE
    assert message.transition.sequence == reply.at.sequence
    again = await acknowledge(gateway, link.reference(0))
    assert again.outcome == ACK.ALARM_ACK_OUTCOME_ALREADY_ACKNOWLEDGED


# ------------------------------------------------------------------------------------------------------- streams


async def test_headers_come_at_once_on_every_stream_though_there_is_nothing_to_tell(tmp_path: Path) -> None:
    link = ScriptedLink()
    link.fails_to_open = True
    async with alarm_gateway(tmp_path, link, waits_for_list=False) as gateway:
        for name, request in (
            ("StreamAlarms", pb.StreamAlarmsRequest()),
            ("StreamAlarmBatches", pb.StreamAlarmsRequest()),
            ("QueryActiveAlarms", pb.QueryActiveAlarmsRequest()),
        ):
            call = getattr(gateway.stub, name)(request, metadata=gateway.auth)
            await call.initial_metadata()
            call.cancel()


async def test_an_empty_list_still_has_its_marker(tmp_path: Path) -> None:
    async with alarm_gateway(tmp_path, ScriptedLink()) as gateway:
        first = await stream(gateway).until("provider_status")
    assert [each.WhichOneof("payload") for each in first] == ["snapshot_complete", "provider_status"]


async def test_before_there_is_a_list_a_stream_says_so_and_a_query_is_refused(tmp_path: Path) -> None:
    """Edge case 8: an error, and never a silent empty list."""
    link = ScriptedLink()
    link.fails_to_open = True
    async with alarm_gateway(tmp_path, link, waits_for_list=False) as gateway:
        message = await stream(gateway).next()
        assert message.provider_status.uncertain
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await gateway.stub.QueryActiveAlarms(pb.QueryActiveAlarmsRequest(), metadata=gateway.auth).read()
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await acknowledge(gateway, "Galaxy!Mixing.Machine_000.Alarm0.Hi")
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "ALARMS_UNAVAILABLE" in str(refused.value.trailing_metadata())


async def test_batches_carry_the_same_messages_and_one_position(gateway: LiveGateway, link: ScriptedLink) -> None:
    call = gateway.stub.StreamAlarmBatches(pb.StreamAlarmsRequest(), metadata=gateway.auth)
    batch = await call.read()
    arms = [each.WhichOneof("payload") for each in batch.messages]
    assert arms == [*["active_alarm"] * 3, "snapshot_complete", "provider_status"]
    assert not any(each.HasField("at") for each in batch.messages)
    assert (len(batch.at.epoch), batch.at.sequence, batch.at.filter_hash) == (32, 0, 0)
    link.happen(3, "on")
    batch = await call.read()
    assert [each.transition.sequence for each in batch.messages] == [1]
    assert batch.at.sequence == 1


async def test_a_stream_resumes_after_its_position_and_a_foreign_one_is_a_gap_and_a_snapshot(
    gateway: LiveGateway, link: ScriptedLink
) -> None:
    """Edge cases 13, 24 and 46: the position decides, and nothing that it does not fit is an error or silence."""
    feed = stream(gateway)
    at = (await feed.until("provider_status"))[3].at
    feed.call.cancel()
    link.happen(3, "on")
    on_gap = pb.ALARM_SNAPSHOT_MODE_ON_GAP
    resumed = stream(gateway, resume_after=at, snapshot=on_gap)
    arms = [(await resumed.next()).WhichOneof("payload") for _ in range(3)]
    assert arms == ["provider_status", "transition", "position"]
    resumed.call.cancel()
    for changed, reason in (
        ({"epoch": "0" * 32}, "epoch"),
        ({"sequence": 999}, "future"),
        ({"filter_hash": 5}, "filter"),
    ):
        foreign = pb.AlarmPosition(epoch=at.epoch, sequence=at.sequence)
        foreign.MergeFrom(pb.AlarmPosition(**changed))
        found = await stream(gateway, resume_after=foreign, snapshot=on_gap).until("provider_status")
        arms = [each.WhichOneof("payload") for each in found]
        assert arms == ["gap", *["active_alarm"] * 4, "snapshot_complete", "provider_status"]
        assert found[0].gap.reason == reason
        assert found[0].gap.requested == foreign


async def test_a_prefix_filter_never_eats_the_marker_and_leaves_other_alarms_out(
    gateway: LiveGateway, link: ScriptedLink
) -> None:
    """Edge case 11."""
    nothing = await stream(gateway, alarm_filter_prefix="nowhere!").until("provider_status")
    assert [each.WhichOneof("payload") for each in nothing] == ["snapshot_complete", "provider_status"]
    one = await stream(gateway, alarm_filter_prefix=link.reference(0).upper()).until("provider_status")
    assert [each.active_alarm.alarm_full_reference for each in one[:-2]] == [link.reference(0)]


async def test_an_alarm_that_changes_across_a_filters_border_leaves_and_enters(
    gateway: LiveGateway, link: ScriptedLink
) -> None:
    """Edge case 33."""
    wanted = pb.AlarmFilter(exclude_shelved=True)
    extended = stream(gateway, filter=wanted, include_extended=True)
    plain = stream(gateway, filter=wanted)
    await extended.until("provider_status")
    await plain.until("provider_status")
    link.happen(0, "shelve")
    link.happen(0, "unshelve")
    left, entered = await extended.next(), await extended.next()
    assert (left.left.alarm_full_reference, left.left.reason) == (link.reference(0), pb.ALARM_LEFT_REASON_FILTER)
    assert entered.active_alarm.alarm_full_reference == link.reference(0)
    kinds = [(await plain.next()).transition.transition_kind for _ in range(2)]
    assert kinds == [pb.ALARM_TRANSITION_KIND_CLEAR, pb.ALARM_TRANSITION_KIND_RAISE]


async def test_a_killed_worker_is_replaced_and_nothing_is_cleared(gateway: LiveGateway, link: ScriptedLink) -> None:
    """Edge cases 12 and 54: what ended meanwhile disappears as a change, and nothing else does."""
    feed = stream(gateway, include_extended=True)
    await feed.until("provider_status")
    link.kill()
    lost = (await feed.next()).provider_status
    assert (lost.uncertain, lost.state, lost.mode) == (True, pb.ALARM_MONITOR_STATE_LOST, 0)
    assert lost.reason_code == pb.ALARM_PROVIDER_REASON_WORKER_LOST
    query = gateway.stub.QueryActiveAlarms(pb.QueryActiveAlarmsRequest(), metadata=gateway.auth)
    rows = [row async for row in query]
    assert len(rows) == 3
    assert all(row.uncertain for row in rows)
    assert ("alarms-uncertain", "true") in tuple(await query.trailing_metadata())
    link.happen(2, "ack")
    found = await feed.until("provider_status")
    assert [each.WhichOneof("payload") for each in found] == ["transition", "provider_status"]
    gone = found[0].transition
    assert (gone.alarm_full_reference, gone.transition_kind) == (
        link.reference(2),
        pb.ALARM_TRANSITION_KIND_ACKNOWLEDGE,
    )
    assert gone.origin == pb.ALARM_ORIGIN_RESTART
    assert not found[-1].provider_status.uncertain
    assert link.opened == 2


async def test_a_failover_and_a_failback_are_two_statuses(gateway: LiveGateway, link: ScriptedLink) -> None:
    """Edge cases 30 to 32: no storm, whoever speaks."""
    feed = stream(gateway, include_extended=True)
    await feed.until("provider_status")
    queries = sum(each.kind == pb.MX_COMMAND_KIND_QUERY_ACTIVE_ALARMS for each in link.commands)
    assert queries
    link.switch(Provider.SUBTAG)
    degraded = (await feed.next()).provider_status
    assert (degraded.mode, degraded.degraded, degraded.uncertain) == (pb.ALARM_PROVIDER_MODE_SUBTAG, True, False)
    link.plant.guid_salt += 1
    link.switch(Provider.ALARMMGR, reason=7)
    back = (await feed.next()).provider_status
    assert (back.mode, back.degraded) == (pb.ALARM_PROVIDER_MODE_ALARMMGR, False)
    link.happen(4, "on")
    message = await feed.next()
    assert message.transition.sequence == 1, "the first change of all"


async def test_an_unread_stream_harms_nobody_and_its_position_is_kept(gateway: LiveGateway, link: ScriptedLink) -> None:
    """Edge case 43."""
    lazy, eager = stream(gateway, include_extended=True), stream(gateway, include_extended=True)
    await lazy.until("provider_status")
    await eager.until("provider_status")
    for number in range(200):
        link.happen(3, ("on", "ack", "off")[number % 3])
    for feed in (eager, lazy):
        # So many changes are a flood, which is told beside them.
        told = [await feed.next() for _ in range(201)]
        assert [each.transition.sequence for each in told if each.HasField("transition")] == list(range(1, 201))
        assert [each.flood.position for each in told if each.HasField("flood")] == ["all"]


async def test_a_key_has_so_many_streams(tmp_path: Path, link: ScriptedLink) -> None:
    async with alarm_gateway(tmp_path, link, **{"alarms.streams.per_key": 2}) as gateway:
        feeds = [stream(gateway) for _ in range(2)]
        for feed in feeds:
            await feed.until("provider_status")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stream(gateway).next()
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "alarms.streams.per_key" in (refused.value.details() or "")
        feeds[0].call.cancel()
        await eventually(lambda: len(gateway.gateway.parts.alarms.driver.monitor.feed) == 1)
        await stream(gateway).until("provider_status")


# --------------------------------------------------------------------------------------------------------- query


async def query(gateway: LiveGateway, **request: Any) -> tuple[list[pb.ActiveAlarmSnapshot], dict[str, str]]:
    call = gateway.stub.QueryActiveAlarms(pb.QueryActiveAlarmsRequest(**request), metadata=gateway.auth)
    rows = [row async for row in call]
    return rows, dict(await call.trailing_metadata())


async def test_a_query_is_ordered_limited_and_says_when_it_is_cut(gateway: LiveGateway, link: ScriptedLink) -> None:
    rows, told = await query(gateway, order=pb.ALARM_ORDER_PRIORITY)
    assert [row.severity for row in rows] == sorted(row.severity for row in rows)
    assert "alarms-truncated" not in told
    assert "x-correlation-id" in told
    rows, told = await query(gateway, order=pb.ALARM_ORDER_TIME, limit=2)
    assert [row.alarm_full_reference for row in rows] == [link.reference(2), link.reference(1)]
    assert told["alarms-truncated"] == "true"
    rows, _ = await query(gateway, filter=pb.AlarmFilter(states=[pb.ALARM_STATE_UNACK_RTN]))
    assert [row.state for row in rows] == [pb.ALARM_STATE_UNACK_RTN]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (pb.AlarmFilter(references=["*a"] * 65), "filter.references"),
        (pb.AlarmFilter(objects=["*" * 401]), "filter.objects"),
        (pb.AlarmFilter(text="\0"), "filter.text"),
        (pb.AlarmFilter(areas=[""]), "filter.areas"),
        (pb.AlarmFilter(priority_min=1000), "filter.priority_min"),
        (pb.AlarmFilter(priority_min=5, priority_max=4), "filter.priority_min"),
        (pb.AlarmFilter(states=[99]), "filter.states"),
    ],
)
async def test_a_filter_that_cannot_be_is_refused_by_its_field(
    gateway: LiveGateway, wanted: pb.AlarmFilter, field: str
) -> None:
    """Edge case 51."""
    for call in (
        gateway.stub.QueryActiveAlarms(pb.QueryActiveAlarmsRequest(filter=wanted), metadata=gateway.auth),
        gateway.stub.StreamAlarms(pb.StreamAlarmsRequest(filter=wanted), metadata=gateway.auth),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call.read()
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert field in (refused.value.details() or "")


# --------------------------------------------------------------------------------------------------- acknowledging


async def test_an_alarm_is_named_by_guid_by_reference_or_by_object(gateway: LiveGateway, link: ScriptedLink) -> None:
    rows, _ = await query(gateway)
    guid = next(row.alarm_guid for row in rows if row.alarm_full_reference == link.reference(0))
    for name in (guid, f"{{{guid.upper()}}}", link.reference(0).upper(), link.alarm(0).source.object_reference):
        reply = await acknowledge(gateway, name, expected_guid="00000000-0000-0000-0000-000000000000")
        assert reply.outcome == ACK.ALARM_ACK_OUTCOME_SUPERSEDED
        assert (reply.alarm_full_reference, reply.alarm_guid) == (link.reference(0), guid)
    assert (await acknowledge(gateway, "Galaxy!Nowhere.Nothing")).outcome == ACK.ALARM_ACK_OUTCOME_NOT_FOUND


async def test_an_acknowledgement_of_an_occurrence_that_is_over_says_which_is_there_now(
    gateway: LiveGateway, link: ScriptedLink
) -> None:
    """Edge case 17."""
    rows, _ = await query(gateway)
    old = next(row for row in rows if row.alarm_full_reference == link.reference(2))
    link.happen(2, "on")
    await eventually(lambda: gateway.gateway.parts.alarms.driver.monitor.book.log.newest == 1)
    guarded = pb.AcknowledgeAlarmRequest(
        alarm_full_reference=link.reference(2), expected_raise_timestamp=old.original_raise_timestamp
    )
    for request in (
        guarded,
        pb.AcknowledgeAlarmRequest(alarm_full_reference=link.reference(2), expected_guid=old.alarm_guid),
        pb.AcknowledgeAlarmRequest(alarm_full_reference=old.alarm_guid),
    ):
        reply = await gateway.stub.AcknowledgeAlarm(request, metadata=gateway.auth)
        assert reply.outcome == ACK.ALARM_ACK_OUTCOME_SUPERSEDED
        assert reply.alarm_guid not in ("", old.alarm_guid)
    assert link.alarm(2).state == "UNACK_ALM"
    reply = await acknowledge(gateway, link.reference(2))
    assert reply.outcome == ACK.ALARM_ACK_OUTCOME_ACKNOWLEDGED


@pytest.mark.parametrize("is_guarded", [True, False])
async def test_a_new_occurrence_between_the_check_and_the_call_is_told_honestly(
    gateway: LiveGateway, link: ScriptedLink, is_guarded: bool
) -> None:
    rows, _ = await query(gateway)
    old = next(row for row in rows if row.alarm_full_reference == link.reference(2))
    link.on_acknowledge = lambda: link.happen(2, "on")
    reply = await acknowledge(gateway, link.reference(2), expected_guid=old.alarm_guid if is_guarded else "")
    wanted = ACK.ALARM_ACK_OUTCOME_SUPERSEDED if is_guarded else ACK.ALARM_ACK_OUTCOME_ACKNOWLEDGED
    assert reply.outcome == wanted
    assert reply.alarm_guid != old.alarm_guid
    assert "new occurrence" in reply.diagnostic_message


async def test_what_the_provider_does_not_take_is_data_and_what_nobody_sees_is_only_accepted(
    gateway: LiveGateway, link: ScriptedLink
) -> None:
    """Edge case 50."""
    link.native_status = -55
    reply = await acknowledge(gateway, link.reference(0))
    assert (reply.outcome, reply.native_status, reply.hresult) == (ACK.ALARM_ACK_OUTCOME_REFUSED, -55, -55)
    assert reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
    assert reply.status.category == pb.MX_STATUS_CATEGORY_OPERATIONAL_ERROR
    link.native_status, link.is_deaf = 0, True
    request = pb.AcknowledgeAlarmRequest(alarm_full_reference=link.reference(0))
    reply = await gateway.stub.AcknowledgeAlarm(request, metadata=gateway.auth)
    assert reply.outcome == ACK.ALARM_ACK_OUTCOME_ACCEPTED, "nobody waited"
    request.wait_for_transition.FromMilliseconds(20)
    reply = await gateway.stub.AcknowledgeAlarm(request, metadata=gateway.auth)
    assert reply.outcome == ACK.ALARM_ACK_OUTCOME_ACCEPTED
    status = await gateway.stub.GetAlarmMonitorStatus(pb.GetAlarmMonitorStatusRequest(), metadata=gateway.auth)
    assert status.unconfirmed_acknowledgements == 1


async def test_a_repeated_acknowledgement_is_one_call_and_one_answer(gateway: LiveGateway, link: ScriptedLink) -> None:
    """Edge case 27, and a client that asks again after its connection broke."""
    first = await acknowledge(gateway, link.reference(0), client_correlation_id="shift-7")
    again = await acknowledge(gateway, link.reference(0), client_correlation_id="shift-7")
    assert first == again
    sent = [each for each in link.commands if each.kind == pb.MX_COMMAND_KIND_ACKNOWLEDGE_ALARM_BY_NAME]
    assert len(sent) == 1
    other = await acknowledge(gateway, link.reference(2), client_correlation_id="shift-7")
    assert other.alarm_full_reference == link.reference(2)


@pytest.mark.parametrize(
    ("comment", "problem"),
    [
        ("x" * 256, ""),
        ("x" * 257, "256"),
        ("", ""),
        ("Überdruck 压力 “quoted” 'and' \\ back\nsecond line", ""),
        ("bell\a", "control"),
        ("nul\0", "control"),
    ],
)
async def test_a_comment_arrives_as_it_is_or_is_refused_and_never_cut(
    gateway: LiveGateway, link: ScriptedLink, comment: str, problem: str
) -> None:
    """Edge case 38."""
    request = pb.AcknowledgeAlarmRequest(alarm_full_reference=link.reference(0), comment=comment)
    if problem:
        with pytest.raises(grpc.aio.AioRpcError, match=problem) as refused:
            await gateway.stub.AcknowledgeAlarm(request, metadata=gateway.auth)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        return
    await gateway.stub.AcknowledgeAlarm(request, metadata=gateway.auth)
    assert link.commands[-1].acknowledge_alarm_by_name.comment == comment


async def test_the_plant_is_told_of_operator_and_node_as_the_settings_say(tmp_path: Path, link: ScriptedLink) -> None:
    """Edge case 10: what the consumer does not take is in the command and in the audit all the same."""
    for rule, wanted in (("claimed", "anna"), ("fixed", "tester"), ("prefixed", "tester/anna")):
        made = ScriptedLink()
        made.happen(0, "on")
        (tmp_path / rule).mkdir()
        async with alarm_gateway(tmp_path / rule, made, **{"alarms.acknowledge.operator": rule}) as gateway:
            await acknowledge(gateway, made.reference(0), operator_domain="PLANT", operator_full_name="Anna B.")
            sent = next(each for each in made.commands if each.WhichOneof("payload") == "acknowledge_alarm_by_name")
            command = sent.acknowledge_alarm_by_name
            assert (command.operator_user, command.operator_domain) == (wanted, "PLANT")
            assert command.operator_node == socket.gethostname()
            (record,) = await audited(gateway, "alarm.acknowledge")
        assert (record.key_id, record.target, record.outcome) == ("tester", made.reference(0), "acknowledged")
        assert record.details["operator"] == wanted
        assert record.details["full_name"] == "Anna B."
        assert record.details["text_length"] == 4
        assert "text" not in record.details
