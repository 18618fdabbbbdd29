"""What a limited key can find out by trying: the answers about an alarm that it may not see are those about none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import grpc.aio
import pytest
from tests.component.server.test_alarm_past import everything, kept, reached
from tests.support.alarm_gateway import alarm_gateway
from tests.support.alarm_link import ScriptedLink
from tests.support.gateway import ALL_SCOPES, LiveGateway, bearer, create_key

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server import making
from mxgateway_server.access.constraints import Constraints, NoLookup

HIDDEN, AGAIN, SEEN = 0, 3, 1
"""Alarms of the plant: one that is not seen, another that came up twice, and the only one that is seen."""


class Attacker(NamedTuple):
    """A key with every scope that sees one alarm, and may acknowledge all."""

    gateway: LiveGateway
    link: ScriptedLink
    auth: Any
    old_guid: str
    """Of an occurrence of AGAIN that is over."""

    def guid(self, number: int) -> str:
        (found,) = (
            alarm.guid
            for alarm in self.link.worker.known.values()  # type: ignore[union-attr]
            if alarm.source.reference == self.link.reference(number)
        )
        return found

    def names(self) -> Mapping[str, str]:
        """Every way to name the hidden alarms, each with the like of it that names nothing."""
        hidden = self.link.reference(HIDDEN)
        return {
            hidden: "Galaxy!Nowhere.Machine_999.Alarm",
            hidden.upper(): "GALAXY!NOWHERE.MACHINE_999.ALARM",
            self.link.alarm(HIDDEN).source.object_reference: "Machine_999.Alarm",
            self.guid(HIDDEN): "0123abcd-0000-0000-0000-000000000000",
            "{" + self.guid(HIDDEN).upper() + "}": "{0123ABCD-0000-0000-0000-000000000000}",
            self.old_guid: "0123abcd-0001-0000-0000-000000000000",
        }


@pytest.fixture
async def attacker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Attacker]:
    monkeypatch.setattr(making, "GalaxyLookup", lambda _: NoLookup())
    link = ScriptedLink(6)
    async with alarm_gateway(tmp_path, link, **kept(tmp_path)) as gateway:
        for number in (HIDDEN, AGAIN, SEEN):
            link.happen(number, "on")
        old = Attacker(gateway, link, None, "").guid(AGAIN)
        link.happen(AGAIN, "off")
        link.happen(AGAIN, "on")
        link.happen(HIDDEN, "silence")
        await reached(gateway, 6)
        seen = link.alarm(SEEN).source.object_reference
        limits = Constraints(read_tag_globs=(f"{seen}.InAlarm",))
        key = await create_key(gateway.settings, "attacker", ALL_SCOPES, limits)
        yield Attacker(gateway, link, bearer(key), old)


def told(reply: Any, name: str) -> str:
    """All that a reply says, without what is new in every call, and without the name that was asked for."""
    reply.ClearField("correlation_id")
    for result in getattr(reply, "results", ()):
        if isinstance(result, pb.AcknowledgeAlarmReply):
            result.ClearField("correlation_id")
    return str(reply).replace(name, "NAME")


@pytest.mark.parametrize(
    "call", ["acknowledge", "guarded", "dismiss", "many", "dry", "shelve", "unshelve", "shelve-dry"]
)
async def test_acting_on_what_is_not_seen_is_answered_as_acting_on_what_is_not_there(
    attacker: Attacker, call: str
) -> None:
    for hidden, nothing in attacker.names().items():
        assert await self_told(attacker, call, hidden) == await self_told(attacker, call, nothing), hidden
    assert attacker.link.alarm(HIDDEN).state == "UNACK_ALM"


async def self_told(attacker: Attacker, call: str, name: str) -> str:
    stub, auth = attacker.gateway.stub, attacker.auth
    guid = attacker.guid(HIDDEN) if call == "guarded" else ""
    one = pb.AcknowledgeAlarmRequest(
        alarm_full_reference=name, comment="mine", expected_guid=guid, dismiss=call == "dismiss"
    )
    if call in ("acknowledge", "guarded", "dismiss"):
        return told(await stub.AcknowledgeAlarm(one, metadata=auth), name)
    if call in ("many", "dry"):
        many = pb.AcknowledgeAlarmsRequest(alarms=[one], dry_run=call == "dry")
        return told(await stub.AcknowledgeAlarms(many, metadata=auth), name)
    target = pb.AlarmTarget(alarm_full_reference=name)
    shelving = pb.ShelveAlarmsRequest(targets=[target], reason="why", dry_run=call == "shelve-dry")
    if call != "unshelve":
        shelving.duration.FromSeconds(60)
    return told(await stub.ShelveAlarms(shelving, metadata=auth), name)


ORACLES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": ({"text": "machine_000"}, {"text": "machine_999"}),
    "reference": ({"references": ["galaxy!*machine_000*"]}, {"references": ["galaxy!*machine_999*"]}),
    "object": ({"objects": ["Machine_000"]}, {"objects": ["Machine_999"]}),
    "priority": (
        {"references": ["*machine_003*"], "priority_max": 200},
        {"references": ["*machine_999*"], "priority_max": 200},
    ),
    "state": (
        {"objects": ["Machine_003"], "states": [pb.ALARM_STATE_UNACK_ALM]},
        {"objects": ["Machine_003"], "states": [pb.ALARM_STATE_LATCHED]},
    ),
    "silenced": ({"objects": ["Machine_000"]}, {"objects": ["Machine_000"], "exclude_silenced": True}),
}
"""By what is tried: a filter that takes a hidden alarm, and one that takes none."""


@pytest.mark.parametrize("oracle", ORACLES)
async def test_a_filter_that_hits_only_what_is_not_seen_is_one_that_hits_nothing(
    attacker: Attacker, oracle: str
) -> None:
    stub, auth = attacker.gateway.stub, attacker.auth
    answers = []
    for wanted in (pb.AlarmFilter(**each) for each in ORACLES[oracle]):
        query = stub.QueryActiveAlarms(pb.QueryActiveAlarmsRequest(filter=wanted, limit=1), metadata=auth)
        rows = [row async for row in query]
        trailers = [name for name, _ in await query.trailing_metadata() if name.startswith("alarms-")]
        pages = stub.QueryAlarmHistory(pb.QueryAlarmHistoryRequest(filter=wanted, page_size=1), metadata=auth)
        past = [(len(page.changes), page.next_page_token, len(page.notes)) async for page in pages]
        figures = await stub.GetAlarmStatistics(everything(filter=wanted, top=100), metadata=auth)
        counts = [(each.annunciated, each.standing, len(each.most_frequent)) for each in figures.figures]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.AcknowledgeAlarms(
                pb.AcknowledgeAlarmsRequest(filter=wanted, expected_count=1, comment="mine"), metadata=auth
            )
        feed = stub.StreamAlarms(pb.StreamAlarmsRequest(filter=wanted, include_extended=True), metadata=auth)
        arms = [(await feed.read()).WhichOneof("payload") for _ in range(2)]
        feed.cancel()
        answers.append((rows, trailers, past, counts, refused.value.details(), arms))
    assert answers[0] == answers[1]
    assert answers[0][0] == []


async def test_what_becomes_of_hidden_alarms_moves_nothing_but_the_numbering(attacker: Attacker) -> None:
    stub, auth, link = attacker.gateway.stub, attacker.auth, attacker.link
    feed = stub.StreamAlarms(pb.StreamAlarmsRequest(include_extended=True), metadata=auth)
    while (await feed.read()).WhichOneof("payload") != "provider_status":
        pass
    before = await status(attacker)
    for event in ("ack", "off", "on"):
        link.happen(HIDDEN, event)
    link.happen(SEEN, "ack")
    message = await feed.read()
    assert message.transition.alarm_full_reference == link.reference(SEEN), "nothing comes of the others"
    after = await status(attacker)
    feed.cancel()
    for reply in (before, after):
        for field in ("correlation_id", "newest_sequence", "oldest_sequence", "poll", "history", "last_reconcile"):
            reply.ClearField(field)
        reply.ClearField("states")
    assert before == after


async def status(attacker: Attacker) -> pb.GetAlarmMonitorStatusReply:
    request = pb.GetAlarmMonitorStatusRequest()
    reply: pb.GetAlarmMonitorStatusReply = await attacker.gateway.stub.GetAlarmMonitorStatus(
        request, metadata=attacker.auth
    )
    return reply


async def test_a_page_of_another_keys_history_is_no_key_to_it(attacker: Attacker) -> None:
    stub, gateway = attacker.gateway.stub, attacker.gateway
    pages = stub.QueryAlarmHistory(pb.QueryAlarmHistoryRequest(page_size=1, limit=1), metadata=gateway.auth)
    (page,) = [each async for each in pages]
    assert page.next_page_token
    foreign = pb.QueryAlarmHistoryRequest(page_size=1, page_token=page.next_page_token)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.QueryAlarmHistory(foreign, metadata=attacker.auth).read()
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_another_keys_position_leads_to_the_own_list_alone(attacker: Attacker) -> None:
    """A position is of one set of rights: elsewhere it is a gap, and what follows is what the key sees."""
    stub, gateway, link = attacker.gateway.stub, attacker.gateway, attacker.link
    position = await reached(gateway, 1)
    position.sequence = 1
    feed = stub.StreamAlarms(
        pb.StreamAlarmsRequest(resume_after=position, snapshot=pb.ALARM_SNAPSHOT_MODE_ON_GAP, include_extended=True),
        metadata=attacker.auth,
    )
    found = []
    while not found or found[-1].WhichOneof("payload") != "provider_status":
        found.append(await feed.read())
    feed.cancel()
    assert [each.WhichOneof("payload") for each in found] == [
        *("gap", "active_alarm", "snapshot_complete", "provider_status")
    ]
    assert found[1].active_alarm.alarm_full_reference == link.reference(SEEN)


async def test_a_session_gives_no_way_to_the_alarms_around_the_rights(attacker: Attacker) -> None:
    """The commands of the monitor's worker are none of a session's, whatever the scopes."""
    gateway = attacker.gateway
    opened = await gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=attacker.auth)
    commands = {
        "SUBSCRIBE_ALARMS": pb.MxCommand(
            subscribe_alarms=pb.SubscribeAlarmsCommand(subscription_expression=r"\\N\Galaxy!*")
        ),
        "QUERY_ACTIVE_ALARMS": pb.MxCommand(query_active_alarms=pb.QueryActiveAlarmsCommand()),
        "ACKNOWLEDGE_ALARM": pb.MxCommand(
            acknowledge_alarm=pb.AcknowledgeAlarmCommand(alarm_guid=attacker.guid(HIDDEN))
        ),
        "ACKNOWLEDGE_ALARM_BY_NAME": pb.MxCommand(acknowledge_alarm_by_name=pb.AcknowledgeAlarmByNameCommand()),
        "ACKNOWLEDGE_ALARMS_BY_NAME": pb.MxCommand(acknowledge_alarms_by_name=pb.AcknowledgeAlarmsByNameCommand()),
        "SHELVE_ALARM": pb.MxCommand(shelve_alarm=pb.ShelveAlarmCommand()),
    }
    for name, command in commands.items():
        command.kind = pb.MxCommandKind.Value(f"MX_COMMAND_KIND_{name}")
        request = pb.MxCommandRequest(session_id=opened.session_id, command=command)
        try:
            reply = await gateway.stub.Invoke(request, metadata=attacker.auth)
        except grpc.aio.AioRpcError as error:
            told = error.code()
        else:
            told = reply.protocol_status.code
        refusals = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INVALID_ARGUMENT)
        assert told in (*refusals, pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST), name
