"""A client that knows only the original's messages, fields and kinds sees a correct list."""

from __future__ import annotations

import operator
import random
from pathlib import Path
from typing import Any

from tests.support.alarm_gateway import alarm_gateway
from tests.support.alarm_link import ScriptedLink
from tests.support.alarm_plant import PlantAlarm, told_by_manager
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


def facts(row: Any, changed: str, state: str) -> dict[str, object]:
    """Every one of the original's fields but for the kind; `state` is the contract's name of the condition."""
    return {
        "reference": row.alarm_full_reference,
        "object": row.source_object_reference,
        "type": row.alarm_type_name,
        "severity": row.severity,
        "raised": row.original_raise_timestamp.ToNanoseconds(),
        "changed": getattr(row, changed).ToNanoseconds(),
        "operator": (row.operator_user, row.operator_comment),
        "category": row.category,
        "description": row.description,
        "value": (row.current_value.double_value, row.limit_value.double_value),
        "provider": (row.degraded, row.source_provider),
        "state": state,
    }


def plant_facts(link: ScriptedLink, alarm: PlantAlarm) -> dict[str, object]:
    """The same as the plant has them, once more without the gateway's own way to the wire."""
    told = told_by_manager(link.plant, alarm)
    conditions = {"UNACK_ALM": "ACTIVE", "ACK_ALM": "ACTIVE_ACKED", "UNACK_RTN": "INACTIVE", "LATCHED": "INACTIVE"}
    return {
        "reference": told.source.reference,
        "object": told.source.object_reference,
        "type": told.source.type_name,
        "severity": told.priority,
        "raised": told.raised_ns,
        "changed": told.changed_ns,
        "operator": (told.operator_user, told.comment),
        "category": told.source.area,
        "description": told.description,
        "value": tuple(pb.MxValue.FromString(each).double_value for each in (told.value, told.limit)),
        "provider": (False, pb.ALARM_PROVIDER_MODE_ALARMMGR),
        "state": f"ALARM_CONDITION_STATE_{conditions[alarm.state]}",
    }


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
    states = OLD["ActiveAlarmSnapshot"].DESCRIPTOR.fields_by_name["current_state"].enum_type.values_by_number
    told = [facts(row, "last_transition_timestamp", states[row.current_state].name) for row in rows.values()]
    expected = [plant_facts(link, each) for each in link.plant.alarms if each.state]
    key = operator.itemgetter("reference")
    assert sorted(told, key=key) == sorted(expected, key=key)


async def test_an_old_client_gets_every_old_field_of_a_transition_and_of_the_provider(tmp_path: Path) -> None:
    link = ScriptedLink(3)
    async with alarm_gateway(tmp_path, link) as gateway:
        stream = gateway.channel.unary_stream(
            SERVICE + "StreamAlarms",
            request_serializer=OLD["StreamAlarmsRequest"].SerializeToString,
            response_deserializer=OLD["AlarmFeedMessage"].FromString,
        )(OLD["StreamAlarmsRequest"](), metadata=gateway.auth)
        while (message := await stream.read()).WhichOneof("payload") != "provider_status":
            pass
        status = message.provider_status
        assert (status.mode, status.degraded, status.reason != "") == (pb.ALARM_PROVIDER_MODE_ALARMMGR, False, True)
        for event, kind in (("on", 1), ("ack", 2)):
            link.happen(0, event)
            transition = (await stream.read()).transition
            expected = plant_facts(link, link.alarm(0))
            assert facts(transition, "transition_timestamp", str(expected["state"])) == expected
            assert transition.transition_kind == kind
        stream.cancel()


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
