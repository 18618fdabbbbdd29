"""The alarm part of the contract: what the original has stays as it is, and what is added keeps its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor
from tests.support.code_blocks import ROOT

from mxgateway.generated import mxaccess_gateway_pb2 as pb

GOLDEN = ROOT / "tests" / "golden" / "alarm_contract.txt"
MESSAGES = pb.DESCRIPTOR.message_types_by_name
ENUMS = pb.DESCRIPTOR.enum_types_by_name

ORIGINAL_FIELDS: dict[str, str] = {
    "OnAlarmTransitionEvent": "alarm_full_reference source_object_reference alarm_type_name transition_kind severity "
    "original_raise_timestamp transition_timestamp operator_user operator_comment category description current_value "
    "limit_value degraded source_provider",
    "ActiveAlarmSnapshot": "alarm_full_reference source_object_reference alarm_type_name current_state severity "
    "original_raise_timestamp last_transition_timestamp operator_user operator_comment category description "
    "current_value limit_value degraded source_provider",
    "AlarmFeedMessage": "active_alarm snapshot_complete transition provider_status",
    "AlarmProviderStatus": "mode degraded reason since",
    "StreamAlarmsRequest": "client_correlation_id alarm_filter_prefix",
    "QueryActiveAlarmsRequest": "session_id client_correlation_id alarm_filter_prefix",
    "AcknowledgeAlarmRequest": "client_correlation_id alarm_full_reference comment operator_user",
    "AcknowledgeAlarmReply": "correlation_id protocol_status hresult status diagnostic_message",
    "SubscribeAlarmsCommand": "subscription_expression forced_mode watch_list failover",
    "AcknowledgeAlarmReplyPayload": "native_status",
    "QueryActiveAlarmsReplyPayload": "snapshots",
    "OnAlarmProviderModeChangedEvent": "mode reason hresult at",
}
"""The fields below 100, numbered from 1 in this order."""

ADDED_TO_BOTH = (
    "alarm_guid state provider_name group_name alarm_name alarm_class area_path operator_node operator_domain "
    "operator_full_name acknowledged_timestamp cleared_timestamp mode shelved shelved_until shelve_user shelve_node "
    "shelve_reason uncertain origin sequence raw_state guid_derived"
)
"""The fields from 100 that a transition and a snapshot have in common, in the order of their numbers."""

ORIGINAL_VALUES = {
    "AlarmTransitionKind": "UNSPECIFIED RAISE ACKNOWLEDGE CLEAR RETRIGGER",
    "AlarmConditionState": "UNSPECIFIED ACTIVE ACTIVE_ACKED INACTIVE",
    "AlarmProviderMode": "UNSPECIFIED ALARMMGR SUBTAG",
}


@pytest.mark.parametrize("name", ORIGINAL_FIELDS)
def test_the_original_fields_stay_and_ours_begin_at_100(name: str) -> None:
    numbers = {field.name: field.number for field in MESSAGES[name].fields if field.number < 100}
    assert numbers == {field: number for number, field in enumerate(ORIGINAL_FIELDS[name].split(), 1)}


@pytest.mark.parametrize("name", ORIGINAL_VALUES)
def test_the_original_enums_stay_and_our_values_begin_at_100(name: str) -> None:
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper()
    numbers = {value.name: value.number for value in ENUMS[name].values if value.number < 100}
    assert numbers == {f"{prefix}_{word}": number for number, word in enumerate(ORIGINAL_VALUES[name].split())}


@pytest.mark.parametrize("name", ["OnAlarmTransitionEvent", "ActiveAlarmSnapshot"])
def test_a_transition_and_a_snapshot_have_the_same_additions_under_the_same_numbers(name: str) -> None:
    numbers = {field.name: field.number for field in MESSAGES[name].fields if field.number >= 100}
    assert numbers == {field: number for number, field in enumerate(ADDED_TO_BOTH.split(), 100)}


def alarm_parts() -> Iterator[Descriptor | EnumDescriptor]:
    """Messages and enums of the alarm part, by name."""
    parts: dict[str, Descriptor | EnumDescriptor] = {**MESSAGES, **ENUMS}
    for name in sorted(parts):
        if "Alarm" in name:
            yield parts[name]


def described(part: Descriptor | EnumDescriptor) -> str:
    if isinstance(part, EnumDescriptor):
        lines = [f"  {value.number} {value.name}" for value in part.values]
        return "\n".join([f"enum {part.name}", *lines])
    lines = []
    for field in sorted(part.fields, key=lambda each: each.number):
        kind = field.message_type or field.enum_type
        words = ("repeated" if field.is_repeated else "", kind.name if kind else f"type {field.type}")
        lines.append(f"  {field.number} {field.name}: {' '.join(filter(None, words))}")
    return "\n".join([f"message {part.name}", *lines])


def test_every_number_of_the_alarm_part_is_pinned() -> None:
    """Who adds a field adds it to the golden file; a changed or missing line there is a broken contract."""
    assert "\n\n".join(map(described, alarm_parts())) + "\n" == GOLDEN.read_text(encoding="utf-8")
