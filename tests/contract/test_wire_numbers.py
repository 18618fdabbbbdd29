"""The contract's numbers that clients of other makes rely on, and the rule that ours start at 100."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from mxgateway.generated import galaxy_repository_pb2 as gpb
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_worker_pb2 as wpb

GATEWAY = pb.DESCRIPTOR.message_types_by_name
WORKER = wpb.DESCRIPTOR.message_types_by_name
GALAXY = gpb.DESCRIPTOR.message_types_by_name

SEEN_FIELDS: list[tuple[Descriptor, dict[str, int]]] = [
    (
        GATEWAY["MxEvent"],
        {
            "gateway_receive_timestamp": 11,
            "hresult": 12,
            "raw_status": 13,
            "replay_gap": 14,
            "client_handle": 100,
            "origin": 101,
            "lost_before": 102,
            "on_data_change": 20,
            "on_alarm_transition": 24,
            "on_alarm_provider_mode_changed": 25,
        },
    ),
    (GATEWAY["ProtocolStatus"], {"code": 1, "message": 2, "reason": 100, "retry_after": 101}),
    (
        GATEWAY["OpenSessionReply"],
        {"session_id": 1, "is_simulated": 100, "minimum_client_protocol_version": 101, "limits": 102},
    ),
    (
        GATEWAY["GatewayLimits"],
        {
            "max_bulk_items": 1,
            "max_batch_events": 2,
            "max_commands_in_flight": 3,
            "max_message_bytes": 4,
            "session_lease": 5,
        },
    ),
    (GATEWAY["ReplayGap"], {"requested_after_sequence": 1, "oldest_available_sequence": 2}),
    (GATEWAY["MxValue"], {"sparse_array_value": 19}),
    (GATEWAY["MxSparseArray"], {"element_data_type": 1, "total_length": 2, "elements": 3}),
    (GATEWAY["MxSparseElement"], {"index": 1, "value": 2}),
    (GATEWAY["StreamEventsRequest"], {"session_id": 1, "after_worker_sequence": 2, "recover_gaps": 104}),
    (GATEWAY["DrainEventsCommand"], {"max_events": 1, "last_values": 100, "after_item": 101}),
    (GATEWAY["DrainEventsReply"], {"events": 1, "as_of_worker_sequence": 100, "next_after": 101}),
    (GATEWAY["SubscribeBulkCommand"], {"tag_addresses": 2, "client_handles": 100}),
    (GATEWAY["AddItemBulkCommand"], {"tag_addresses": 2, "client_handles": 100}),
    (GATEWAY["AddItemCommand"], {"item_definition": 2, "client_handle": 100}),
    (GATEWAY["AddItem2Command"], {"item_definition": 2, "client_handle": 100}),
    (GATEWAY["AddBufferedItemCommand"], {"item_definition": 2, "client_handle": 100}),
    (
        GATEWAY["SubscribeAlarmsCommand"],
        {"subscription_expression": 1, "forced_mode": 2, "watch_list": 3, "failover": 4},
    ),
    (
        GATEWAY["QueryActiveAlarmsRequest"],
        {"session_id": 1, "client_correlation_id": 2, "alarm_filter_prefix": 3},
    ),
    (GATEWAY["OnAlarmTransitionEvent"], {"degraded": 14, "source_provider": 15}),
    (GATEWAY["ActiveAlarmSnapshot"], {"degraded": 14, "source_provider": 15}),
    (GATEWAY["AlarmFeedMessage"], {"provider_status": 4}),
    (GATEWAY["AlarmProviderStatus"], {"mode": 1, "degraded": 2, "reason": 3, "since": 4}),
    (
        WORKER["WorkerEnvelope"],
        {
            "correlation_id": 4,
            "gateway_hello": 10,
            "worker_hello": 11,
            "worker_ready": 12,
            "worker_command": 13,
            "worker_command_reply": 14,
            "worker_cancel": 15,
            "worker_shutdown": 16,
            "worker_shutdown_ack": 17,
            "worker_event": 18,
            "worker_heartbeat": 19,
            "worker_fault": 20,
        },
    ),
    (WORKER["WorkerCommandReply"], {"reply": 1, "reply_data": 100, "status_code": 101}),
    (WORKER["WorkerHeartbeat"], {"current_command_age": 100, "resident_bytes": 103, "cpu_time": 104}),
    (GALAXY["TestConnectionReply"], {"ok": 1}),
    (
        GALAXY["DiscoverHierarchyRequest"],
        {
            "root_gobject_id": 3,
            "root_tag_name": 4,
            "root_contained_path": 5,
            "max_depth": 6,
            "category_ids": 7,
            "template_chain_contains": 8,
            "tag_name_glob": 9,
            "include_attributes": 10,
            "alarm_bearing_only": 11,
            "historized_only": 12,
            "attribute_origins": 100,
            "include_ancestors": 101,
        },
    ),
    (
        GALAXY["GalaxyAttribute"],
        {"is_historized": 10, "is_alarm": 11, "origin": 100, "engineering_units": 101, "description": 102},
    ),
    (
        GALAXY["BrowseChildrenRequest"],
        {
            "parent_gobject_id": 1,
            "parent_tag_name": 2,
            "parent_contained_path": 3,
            "page_size": 4,
            "page_token": 5,
            "category_ids": 6,
            "template_chain_contains": 7,
            "tag_name_glob": 8,
            "include_attributes": 9,
            "alarm_bearing_only": 10,
            "historized_only": 11,
            "attribute_origins": 100,
            "include_ancestors": 101,
        },
    ),
    (GALAXY["BrowseChildrenReply"], {"children": 1}),
]

SEEN_VALUES: list[tuple[EnumDescriptor, dict[str, int]]] = [
    (
        gpb.DESCRIPTOR.enum_types_by_name["AttributeOrigin"],
        {
            "ATTRIBUTE_ORIGIN_UNSPECIFIED": 0,
            "ATTRIBUTE_ORIGIN_CONFIGURED": 1,
            "ATTRIBUTE_ORIGIN_BUILT_IN": 2,
            "ATTRIBUTE_ORIGIN_EXTENSION": 3,
        },
    ),
    (pb.DESCRIPTOR.enum_types_by_name["MxCommandKind"], {"MX_COMMAND_KIND_ACKNOWLEDGE_ALARM_BY_NAME": 29}),
    (pb.DESCRIPTOR.enum_types_by_name["ProtocolStatusCode"], {"PROTOCOL_STATUS_CODE_MXACCESS_FAILURE": 9}),
    (
        pb.DESCRIPTOR.enum_types_by_name["MxEventFamily"],
        {"MX_EVENT_FAMILY_ON_ALARM_TRANSITION": 5, "MX_EVENT_FAMILY_ON_ALARM_PROVIDER_MODE_CHANGED": 6},
    ),
    (
        pb.DESCRIPTOR.enum_types_by_name["AlarmProviderMode"],
        {
            "ALARM_PROVIDER_MODE_UNSPECIFIED": 0,
            "ALARM_PROVIDER_MODE_ALARMMGR": 1,
            "ALARM_PROVIDER_MODE_SUBTAG": 2,
        },
    ),
]


@pytest.mark.parametrize(("message", "numbers"), SEEN_FIELDS, ids=lambda v: getattr(v, "name", ""))
def test_published_field_numbers_are_kept(message: Descriptor, numbers: dict[str, int]) -> None:
    assert {name: message.fields_by_name[name].number for name in numbers} == numbers


@pytest.mark.parametrize(("enum", "numbers"), SEEN_VALUES, ids=lambda v: getattr(v, "name", ""))
def test_published_enum_numbers_are_kept(enum: EnumDescriptor, numbers: dict[str, int]) -> None:
    assert {name: enum.values_by_name[name].number for name in numbers} == numbers


def test_the_packages_and_services_have_their_published_names() -> None:
    gateway = pb.DESCRIPTOR.services_by_name["MxAccessGateway"]
    assert gateway.full_name == "mxaccess_gateway.v1.MxAccessGateway"
    assert {
        "OpenSession",
        "CloseSession",
        "Invoke",
        "StreamEvents",
        "AcknowledgeAlarm",
        "StreamAlarms",
        "QueryActiveAlarms",
    } <= set(gateway.methods_by_name)
    galaxy = gpb.DESCRIPTOR.services_by_name["GalaxyRepository"]
    assert galaxy.full_name == "galaxy_repository.v1.GalaxyRepository"
    assert set(galaxy.methods_by_name) == {
        "TestConnection",
        "GetLastDeployTime",
        "DiscoverHierarchy",
        "WatchDeployEvents",
        "BrowseChildren",
    }


@pytest.mark.parametrize(
    ("file", "java", "outer", "go"),
    [
        (pb.DESCRIPTOR, "io.mxgateway.proto", "MxAccessGatewayProto", "gatewaypb"),
        (gpb.DESCRIPTOR, "io.mxgateway.proto.galaxy", "GalaxyRepositoryProto", "galaxypb"),
    ],
)
def test_generated_code_of_other_languages_has_names_that_no_file_system_confuses(
    file: Any, java: str, outer: str, go: str
) -> None:
    options = file.GetOptions()
    assert (options.java_package, options.java_outer_classname, options.java_multiple_files) == (java, outer, True)
    assert options.go_package == f"mxaccess-gateway.example/clients/go/{go}"


def test_the_command_kinds_are_filled_without_holes_from_1_to_34() -> None:
    numbers = set(pb.MxCommandKind.values())
    assert set(range(35)) <= numbers
    assert {n for n in numbers if n > 34} == {100, 101, 102, 103, 104, 120, 130, 131}


def test_every_command_kind_has_a_payload_arm_of_its_name() -> None:
    arms = {f.name for f in GATEWAY["MxCommand"].oneofs_by_name["payload"].fields}
    kinds = {
        k.removeprefix("MX_COMMAND_KIND_").lower()
        for k in pb.DESCRIPTOR.enum_types_by_name["MxCommandKind"].values_by_name
    } - {"unspecified"}
    assert arms == kinds


def test_optional_hresults_have_presence() -> None:
    for message, field in (("MxCommandReply", "hresult"), ("MxEvent", "hresult"), ("BulkWriteResult", "hresult")):
        assert GATEWAY[message].fields_by_name[field].has_presence


def test_credentials_are_marked_so_that_protobuf_itself_redacts_them() -> None:
    marked: list[FieldDescriptor] = [
        GATEWAY["AuthenticateUserCommand"].fields_by_name["verify_user_password"],
        WORKER["GatewayHello"].fields_by_name["nonce"],
        WORKER["WorkerHello"].fields_by_name["nonce"],
    ]
    assert all(f.GetOptions().debug_redact for f in marked)
