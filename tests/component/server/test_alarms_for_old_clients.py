"""A client that knows only the original's messages, fields and kinds sees a correct list."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.support.alarm_gateway import alarm_gateway
from tests.support.alarm_link import ScriptedLink
from tests.support.original_contract import original_messages

from mxgateway.generated import mxaccess_gateway_pb2 as pb

OLD = original_messages("StreamAlarmsRequest", "AlarmFeedMessage", "QueryActiveAlarmsRequest", "ActiveAlarmSnapshot")
SERVICE = "/mxaccess_gateway.v1.MxAccessGateway/"


class OldClient:
    """Rows as such a client keeps them: raised, acknowledged, cleared, and whole lists."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}
        self._coming: dict[str, str] | None = None

    def take(self, message: Any) -> None:
        arm = message.WhichOneof("payload")
        if arm == "active_alarm":
            alarm = message.active_alarm
            self._coming = {} if self._coming is None else self._coming
            state = type(alarm).DESCRIPTOR.fields_by_name["current_state"].enum_type.values_by_number
            self._coming[alarm.alarm_full_reference] = state[alarm.current_state].name
        elif arm == "snapshot_complete":
            self.rows, self._coming = self._coming or {}, None
        elif arm == "transition":
            self._take_transition(message.transition)
        else:
            assert arm == "provider_status", "an arm that it does not know must never come"

    def _take_transition(self, event: Any) -> None:
        kinds = type(event).DESCRIPTOR.fields_by_name["transition_kind"].enum_type.values_by_number
        kind, reference = (
            kinds[event.transition_kind].name.removeprefix("ALARM_TRANSITION_KIND_"),
            event.alarm_full_reference,
        )
        if kind in ("RAISE", "RETRIGGER"):
            self.rows[reference] = "ALARM_CONDITION_STATE_ACTIVE"
        elif kind == "CLEAR":
            self.rows.pop(reference, None)
        else:
            assert kind == "ACKNOWLEDGE"
            if self.rows.get(reference) == "ALARM_CONDITION_STATE_ACTIVE":
                self.rows[reference] = "ALARM_CONDITION_STATE_ACTIVE_ACKED"
            else:
                self.rows.pop(reference, None)

    def in_alarm(self) -> dict[str, str]:
        return {reference: state for reference, state in self.rows.items() if not state.endswith("_INACTIVE")}


def in_alarm(link: ScriptedLink) -> dict[str, str]:
    """What is in alarm in the plant, in the original's words."""
    words = {"UNACK_ALM": "ALARM_CONDITION_STATE_ACTIVE", "ACK_ALM": "ALARM_CONDITION_STATE_ACTIVE_ACKED"}
    return {each.source.reference: words[each.state] for each in link.plant.alarms if each.state in words}


def test_the_old_messages_know_nothing_of_ours() -> None:
    fields = OLD["ActiveAlarmSnapshot"].DESCRIPTOR.fields_by_name
    assert len(fields) == 15
    assert [each.name for each in OLD["AlarmFeedMessage"].DESCRIPTOR.oneofs_by_name["payload"].fields] == [
        *("active_alarm", "snapshot_complete", "transition", "provider_status")
    ]


async def test_an_old_client_keeps_the_plants_list_through_every_kind_of_change_and_a_lost_worker(
    tmp_path: Path,
) -> None:
    link, chance = ScriptedLink(8), random.Random(7)
    for _ in range(10):
        link.plant.step(chance)
    async with alarm_gateway(tmp_path, link) as gateway:
        client = OldClient()
        stream = gateway.channel.unary_stream(
            SERVICE + "StreamAlarms",
            request_serializer=OLD["StreamAlarmsRequest"].SerializeToString,
            response_deserializer=OLD["AlarmFeedMessage"].FromString,
        )(OLD["StreamAlarmsRequest"](), metadata=gateway.auth)
        while (message := await stream.read()).WhichOneof("payload") != "provider_status":
            client.take(message)
        assert client.in_alarm() == in_alarm(link)
        for round_ in range(4):
            for _ in range(40):
                happened = link.plant.step(chance)
                if happened is not None and link.worker is not None:
                    link.worker.saw(*happened)
                    link.flush()
            if round_ == 2:
                link.kill()
            while client.in_alarm() != in_alarm(link):
                client.take(await stream.read())
        stream.cancel()
        query = gateway.channel.unary_stream(
            SERVICE + "QueryActiveAlarms",
            request_serializer=OLD["QueryActiveAlarmsRequest"].SerializeToString,
            response_deserializer=OLD["ActiveAlarmSnapshot"].FromString,
        )(OLD["QueryActiveAlarmsRequest"](session_id="ignored"), metadata=gateway.auth)
        rows = {row.alarm_full_reference: row async for row in query}
    assert {reference for reference, row in rows.items() if row.current_state != 3} == set(in_alarm(link))
    assert set(rows) == {each.source.reference for each in link.plant.alarms if each.state}


async def test_old_requests_and_old_replies_acknowledge(tmp_path: Path) -> None:
    old = original_messages("AcknowledgeAlarmRequest", "AcknowledgeAlarmReply")
    link = ScriptedLink()
    link.happen(0, "on")
    async with alarm_gateway(tmp_path, link) as gateway:
        call = gateway.channel.unary_unary(
            SERVICE + "AcknowledgeAlarm",
            request_serializer=old["AcknowledgeAlarmRequest"].SerializeToString,
            response_deserializer=old["AcknowledgeAlarmReply"].FromString,
        )
        request = old["AcknowledgeAlarmRequest"](
            client_correlation_id="old-7", alarm_full_reference=link.reference(0), comment="seen", operator_user="anna"
        )
        reply = await call(request, metadata=gateway.auth)
    assert (reply.correlation_id, reply.hresult, reply.status.success) == ("old-7", 0, -1)
    assert reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_OK
    assert link.alarm(0).state == "ACK_ALM"
