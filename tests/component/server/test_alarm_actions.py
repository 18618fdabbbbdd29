"""Acknowledging many, dismissing and shelving; who may do it, and what stands in the audit afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from tests.support.alarm_gateway import alarm_gateway, audited
from tests.support.alarm_link import ScriptedLink
from tests.support.gateway import ALL_SCOPES, LiveGateway, bearer, create_key

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server import making
from mxgateway_server.access.constraints import Constraints, NoLookup
from mxgateway_server.alarms.model import Provider

ACK = pb.AlarmAckOutcome
SHELVE = pb.AlarmShelveOutcome


@pytest.fixture
def link() -> ScriptedLink:
    made = ScriptedLink(12)
    for number in range(6):
        made.happen(number, "on")
    made.happen(1, "ack")
    made.happen(2, "off")
    return made


@pytest.fixture
async def gateway(tmp_path: Path, link: ScriptedLink) -> AsyncIterator[LiveGateway]:
    async with alarm_gateway(tmp_path, link) as live:
        yield live


async def acknowledge(gateway: LiveGateway, **request: Any) -> pb.AcknowledgeAlarmsReply:
    made = pb.AcknowledgeAlarmsRequest(**request)
    made.wait_for_transition.FromSeconds(5)
    reply: pb.AcknowledgeAlarmsReply = await gateway.stub.AcknowledgeAlarms(made, metadata=gateway.auth)
    return reply


def named(*references: str) -> list[pb.AcknowledgeAlarmRequest]:
    return [pb.AcknowledgeAlarmRequest(alarm_full_reference=reference) for reference in references]


async def test_each_alarm_of_a_list_has_its_result_in_order_and_one_that_fails_stops_no_other(
    gateway: LiveGateway, link: ScriptedLink
) -> None:
    """Edge case 21: each of them is one transition."""
    alarms = named(link.reference(3), "Galaxy!No.Such", link.reference(1), link.reference(2), link.reference(3))
    reply = await acknowledge(gateway, alarms=alarms, comment="shift change", operator_user="anna")
    assert [each.outcome for each in reply.results] == [
        ACK.ALARM_ACK_OUTCOME_ACKNOWLEDGED,
        ACK.ALARM_ACK_OUTCOME_NOT_FOUND,
        ACK.ALARM_ACK_OUTCOME_ALREADY_ACKNOWLEDGED,
        ACK.ALARM_ACK_OUTCOME_ACKNOWLEDGED,
        ACK.ALARM_ACK_OUTCOME_ACKNOWLEDGED,
    ]
    assert reply.at.sequence == 2
    (sent,) = [each for each in link.commands if each.WhichOneof("payload") == "acknowledge_alarms_by_name"]
    assert [each.comment for each in sent.acknowledge_alarms_by_name.alarms] == ["shift change"] * 2
    records = await audited(gateway, "alarm.acknowledge", 5)
    assert [each.outcome for each in records] == [
        *("acknowledged", "not_found", "already_acknowledged", "acknowledged", "acknowledged")
    ]
    (bulk,) = await audited(gateway, "alarm.bulk")
    assert bulk.details["outcomes"] == {"acknowledged": 3, "not_found": 1, "already_acknowledged": 1}


async def test_a_filter_acknowledges_only_when_it_matches_the_expected_number(
    gateway: LiveGateway, link: ScriptedLink
) -> None:
    wanted = pb.AlarmFilter(areas=["Mixing"])
    dry = await acknowledge(gateway, filter=wanted, dry_run=True)
    assert [each.outcome for each in dry.results] == [ACK.ALARM_ACK_OUTCOME_DRY_RUN] * 2
    assert {each.alarm_full_reference for each in dry.results} == {link.reference(0), link.reference(3)}
    with pytest.raises(grpc.aio.AioRpcError, match="expected_count is needed"):
        await acknowledge(gateway, filter=wanted)
    with pytest.raises(grpc.aio.AioRpcError, match="matches 2 alarms and not 3") as refused:
        await acknowledge(gateway, filter=wanted, expected_count=3)
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert not [each for each in link.commands if "acknowledge" in (each.WhichOneof("payload") or "")]
    done = await acknowledge(gateway, filter=wanted, expected_count=2, comment="seen")
    assert [each.outcome for each in done.results] == [ACK.ALARM_ACK_OUTCOME_ACKNOWLEDGED] * 2
    assert [link.alarm(number).state for number in (0, 3)] == ["ACK_ALM", "ACK_ALM"]


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (pb.AcknowledgeAlarmsRequest(), "it takes 1 to 1000"),
        (pb.AcknowledgeAlarmsRequest(alarms=named(*["a!b.c"] * 1001)), "1001 entries"),
        (pb.AcknowledgeAlarmsRequest(alarms=named("a!b.c"), filter=pb.AlarmFilter(), expected_count=1), "exclude"),
        (pb.AcknowledgeAlarmsRequest(alarms=named("")), "alarm_full_reference"),
        (pb.AcknowledgeAlarmsRequest(alarms=named("a!b.c"), operator_user="x" * 300), "operator_user"),
    ],
)
async def test_a_list_that_makes_no_sense_is_refused(
    gateway: LiveGateway, request_: pb.AcknowledgeAlarmsRequest, text: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=text) as refused:
        await gateway.stub.AcknowledgeAlarms(request_, metadata=gateway.auth)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_many_go_to_the_worker_in_portions(tmp_path: Path) -> None:
    link = ScriptedLink(250)
    for number in range(250):
        link.happen(number, "on")
    link.page = 100
    async with alarm_gateway(tmp_path, link) as gateway:
        reply = await acknowledge(gateway, filter=pb.AlarmFilter(), expected_count=250)
    assert {each.outcome for each in reply.results} == {ACK.ALARM_ACK_OUTCOME_ACKNOWLEDGED}
    portions = [len(each.acknowledge_alarms_by_name.alarms) for each in link.commands]
    assert [size for size in portions if size] == [100, 100, 50]


async def test_a_worker_that_is_lost_in_the_middle_leaves_the_rest_unavailable(
    gateway: LiveGateway, link: ScriptedLink
) -> None:
    calls = 0

    def lose() -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            link.switch(Provider.NONE)

    link.on_acknowledge = lose
    request = pb.AcknowledgeAlarmsRequest(alarms=named(link.reference(0), link.reference(3)))
    reply = await gateway.stub.AcknowledgeAlarms(request, metadata=gateway.auth)
    # Both were taken, and nobody waits for what comes of them.
    assert [each.outcome for each in reply.results] == [ACK.ALARM_ACK_OUTCOME_ACCEPTED] * 2
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await acknowledge(gateway, alarms=named(link.reference(4)))
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE, "edge case 49"
    assert "google.rpc.RetryInfo" in str(refused.value.trailing_metadata())


async def test_a_latched_alarm_is_dismissed_and_raised_again(gateway: LiveGateway, link: ScriptedLink) -> None:
    """Edge case 42, and e.10."""
    request = pb.AcknowledgeAlarmRequest(alarm_full_reference=link.reference(1), dismiss=True)
    request.wait_for_transition.FromSeconds(5)
    reply = await gateway.stub.AcknowledgeAlarm(request, metadata=gateway.auth)
    assert reply.outcome == ACK.ALARM_ACK_OUTCOME_REFUSED
    feed = gateway.stub.StreamAlarms(
        pb.StreamAlarmsRequest(include_extended=True, alarm_filter_prefix=link.reference(1)), metadata=gateway.auth
    )
    while (await feed.read()).WhichOneof("payload") != "provider_status":
        continue
    link.happen(1, "latch")
    link.happen(1, "on")
    kinds = [(await feed.read()).transition.transition_kind for _ in range(2)]
    assert kinds == [pb.ALARM_TRANSITION_KIND_LATCH, pb.ALARM_TRANSITION_KIND_RAISE]
    link.happen(1, "ack")
    link.happen(1, "latch")
    for _ in range(2):
        await feed.read()
    reply = await gateway.stub.AcknowledgeAlarm(request, metadata=gateway.auth)
    assert reply.outcome == ACK.ALARM_ACK_OUTCOME_ACKNOWLEDGED
    assert (await feed.read()).transition.transition_kind == pb.ALARM_TRANSITION_KIND_DISMISS


async def shelve(gateway: LiveGateway, *references: str, hours: float = 1.0, **more: Any) -> pb.ShelveAlarmsReply:
    request = pb.ShelveAlarmsRequest(
        targets=[pb.AlarmTarget(alarm_full_reference=each) for each in references], **{"reason": "repair", **more}
    )
    request.duration.FromNanoseconds(int(hours * 3600e9))
    request.wait_for_transition.FromSeconds(5)
    reply: pb.ShelveAlarmsReply = await gateway.stub.ShelveAlarms(request, metadata=gateway.auth)
    return reply


async def test_an_alarm_is_shelved_for_a_time_and_unshelved(gateway: LiveGateway, link: ScriptedLink) -> None:
    reply = await shelve(gateway, link.reference(0), "Galaxy!No.Such", operator_user="anna")
    assert [each.outcome for each in reply.results] == [
        *(SHELVE.ALARM_SHELVE_OUTCOME_DONE, SHELVE.ALARM_SHELVE_OUTCOME_NOT_FOUND)
    ]
    command = next(each.shelve_alarm for each in link.commands if each.WhichOneof("payload") == "shelve_alarm")
    assert (command.duration.seconds, command.reason, command.operator_user) == (3600, "repair", "anna")
    reply = await shelve(gateway, link.reference(0), link.reference(3), hours=0, reason="")
    assert [each.outcome for each in reply.results] == [
        *(SHELVE.ALARM_SHELVE_OUTCOME_DONE, SHELVE.ALARM_SHELVE_OUTCOME_NOT_SHELVED)
    ]
    record = (await audited(gateway, "alarm.shelve", 2))[0]
    assert (record.target, record.outcome) == (link.reference(0), "done")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"hours": 9}, "8 h at most"),
        ({"reason": ""}, "reason is needed"),
        ({"reason": "x" * 201}, "200"),
        ({"reason": 'it\'s "bad"'}, "single or double quotes"),
        ({"hours": -1}, "negative"),
    ],
)
async def test_a_shelving_that_cannot_be_is_refused(
    gateway: LiveGateway, link: ScriptedLink, more: dict[str, Any], text: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=text) as refused:
        await shelve(gateway, link.reference(0), **more)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


# ------------------------------------------------------------------------------------------------------------ rights


async def test_of_two_operators_at_once_one_has_acknowledged_and_the_other_is_told_so(
    gateway: LiveGateway, link: ScriptedLink
) -> None:
    def ask(operator: str) -> Any:
        request = pb.AcknowledgeAlarmRequest(
            alarm_full_reference=link.reference(3), operator_user=operator, comment=f"{operator} saw it"
        )
        request.wait_for_transition.FromSeconds(5)
        return gateway.stub.AcknowledgeAlarm(request, metadata=gateway.auth)

    replies = await asyncio.gather(ask("bob"), ask("carl"))
    assert sorted(each.outcome for each in replies) == [
        ACK.ALARM_ACK_OUTCOME_ACKNOWLEDGED, ACK.ALARM_ACK_OUTCOME_ALREADY_ACKNOWLEDGED
    ]  # fmt: skip
    # The plant says that it was anna: the one who asked first is told, as names may be spelled in other ways there.
    (first,) = [each for each in replies if each.outcome == ACK.ALARM_ACK_OUTCOME_ACKNOWLEDGED]
    assert "anna" in first.diagnostic_message


async def rows(gateway: LiveGateway, key: str) -> set[str]:
    call = gateway.stub.QueryActiveAlarms(pb.QueryActiveAlarmsRequest(), metadata=bearer(key))
    return {row.alarm_full_reference async for row in call}


async def test_a_key_that_is_limited_sees_and_acknowledges_its_part_alone(
    tmp_path: Path, link: ScriptedLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "GalaxyLookup", lambda _: NoLookup())
    async with alarm_gateway(tmp_path, link) as gateway:
        await check_limited_key(gateway, link)


async def check_limited_key(gateway: LiveGateway, link: ScriptedLink) -> None:
    limits = Constraints(
        read_tag_globs=("Machine_000.*.InAlarm", "Machine_003.Alarm.InAlarm"),
        write_tag_globs=("Machine_003.Alarm.AckMsg",),
    )
    key = await create_key(gateway.settings, "line", ALL_SCOPES, limits)
    assert await rows(gateway, key) == {link.reference(0), link.reference(3)}
    feed = gateway.stub.StreamAlarms(pb.StreamAlarmsRequest(), metadata=bearer(key))
    seen = set()
    while (message := await feed.read()).WhichOneof("payload") != "snapshot_complete":
        seen.add(message.active_alarm.alarm_full_reference)
    assert seen == {link.reference(0), link.reference(3)}
    assert message.at.filter_hash, "a position is of one filter and one set of rights"
    request = pb.AcknowledgeAlarmsRequest(alarms=named(link.reference(0), link.reference(3), link.reference(4)))
    reply = await gateway.stub.AcknowledgeAlarms(request, metadata=bearer(key))
    assert [each.outcome for each in reply.results] == [
        *(ACK.ALARM_ACK_OUTCOME_DENIED, ACK.ALARM_ACK_OUTCOME_ACCEPTED, ACK.ALARM_ACK_OUTCOME_NOT_FOUND)
    ]
    assert link.alarm(0).state == "UNACK_ALM"
    status = await gateway.stub.GetAlarmMonitorStatus(pb.GetAlarmMonitorStatusRequest(), metadata=bearer(key))
    assert sum(each.count for each in status.states) == 2
    (denied,) = await audited(gateway, "denied")
    assert (denied.key_id, denied.target) == ("line", link.reference(0))


async def test_a_read_only_key_and_a_read_only_gateway_acknowledge_nothing(tmp_path: Path) -> None:
    for is_gateway in (False, True):
        link = ScriptedLink()
        link.happen(0, "on")
        state = tmp_path / str(is_gateway)
        state.mkdir()
        async with alarm_gateway(state, link, read_only=is_gateway) as gateway:
            limits = Constraints(read_only=not is_gateway)
            auth = bearer(await create_key(gateway.settings, "viewer", ALL_SCOPES, limits))
            for call, request in (
                (gateway.stub.AcknowledgeAlarm, pb.AcknowledgeAlarmRequest(alarm_full_reference=link.reference(0))),
                (gateway.stub.AcknowledgeAlarms, pb.AcknowledgeAlarmsRequest(alarms=named(link.reference(0)))),
                (
                    gateway.stub.ShelveAlarms,
                    pb.ShelveAlarmsRequest(
                        targets=[pb.AlarmTarget(alarm_full_reference=link.reference(0))], reason="repair"
                    ),
                ),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await call(request, metadata=auth)
                assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
            assert len(await audited(gateway, "denied", 3)) == 3
        assert link.alarm(0).state == "UNACK_ALM"


# ------------------------------------------------------------------------------------------------------------ status


async def test_the_status_tells_of_list_log_provider_and_calls(gateway: LiveGateway, link: ScriptedLink) -> None:
    await acknowledge(gateway, alarms=named(link.reference(0)))
    status = await gateway.stub.GetAlarmMonitorStatus(
        pb.GetAlarmMonitorStatusRequest(client_correlation_id="c7"), metadata=gateway.auth
    )
    assert status.correlation_id == "c7"
    assert status.enabled
    assert (status.provider.state, status.provider.mode) == (
        pb.ALARM_MONITOR_STATE_LIVE,
        pb.ALARM_PROVIDER_MODE_ALARMMGR,
    )
    counts = {each.state: each.count for each in status.states}
    assert counts == {pb.ALARM_STATE_UNACK_ALM: 3, pb.ALARM_STATE_ACK_ALM: 2, pb.ALARM_STATE_UNACK_RTN: 1}
    assert (status.oldest_sequence, status.newest_sequence, len(status.epoch)) == (0, 1, 32)
    assert sum(each.count for each in status.priorities) == 6
    assert "alarm-batches" in status.capabilities
    assert status.last_reconcile.seconds


async def test_a_gateway_without_alarms_says_so(tmp_path: Path) -> None:
    async with alarm_gateway(tmp_path, ScriptedLink(), waits_for_list=False, **{"alarms.enabled": False}) as gateway:
        status = await gateway.stub.GetAlarmMonitorStatus(pb.GetAlarmMonitorStatusRequest(), metadata=gateway.auth)
        assert (status.enabled, status.provider.state) == (False, pb.ALARM_MONITOR_STATE_DISABLED)
        with pytest.raises(grpc.aio.AioRpcError, match=r"alarms\.enabled"):
            await gateway.stub.StreamAlarms(pb.StreamAlarmsRequest(), metadata=gateway.auth).read()


async def test_a_refused_subscription_is_a_failure_with_its_hresult(tmp_path: Path) -> None:
    """Edge cases 3 and 9: what the worker answered is in the status, and it is tried again slowly."""
    link = ScriptedLink()
    link.refuses_subscription = -2147024891
    async with alarm_gateway(tmp_path, link, waits_for_list=False) as gateway:
        while True:
            status = await gateway.stub.GetAlarmMonitorStatus(pb.GetAlarmMonitorStatusRequest(), metadata=gateway.auth)
            if status.provider.state == pb.ALARM_MONITOR_STATE_FAILED:
                break
        assert status.provider.hresult == -2147024891
        assert status.provider.reason_code == pb.ALARM_PROVIDER_REASON_MISCONFIGURED
        assert status.provider.reason == "the query was refused"
