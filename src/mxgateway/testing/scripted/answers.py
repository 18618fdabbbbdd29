"""The plain answers of a scripted gateway: what is not in the script works."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from mxgateway.testing.scripted.rules import Script
from mxgateway_contract.constants import GATEWAY_PROTOCOL_VERSION, WORKER_PROTOCOL_VERSION
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

OK = pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK)
PAGE = 2
"""Galaxy objects of a page, unless more are asked for."""


class Answers:
    """One gateway's memory of sessions and items."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._sessions = 0
        self._items: dict[int, str] = {}

    def unary(self, rpc: str, request: Any) -> Message:
        """The reply of a call without a stream."""
        match rpc:
            case "OpenSession":
                return self._open()
            case "CloseSession":
                return pb.CloseSessionReply(
                    session_id=request.session_id, final_state=pb.SESSION_STATE_CLOSED, protocol_status=OK
                )
            case "Invoke":
                return self.command(request.session_id, request.client_correlation_id, request.command)
            case "AcknowledgeAlarm":
                return _acknowledged(request)
            case "AcknowledgeAlarms":
                return pb.AcknowledgeAlarmsReply(
                    correlation_id=request.client_correlation_id,
                    protocol_status=OK,
                    results=[_acknowledged(each) for each in request.alarms],
                )
            case "TestConnection":
                return galaxy_pb.TestConnectionReply(ok=True)
            case "GetLastDeployTime":
                reply = galaxy_pb.GetLastDeployTimeReply(present=True)
                reply.time_of_last_deploy.FromSeconds(1_700_000_000)
                return reply
            case "DiscoverHierarchy":
                return self._hierarchy(request)
            case "BrowseChildren":
                return self._children(request)
            case "ListSessions":
                return pb.ListSessionsReply(max_sessions=64, max_sessions_of_key=48)
        return _with_status(rpc)

    def _open(self) -> pb.OpenSessionReply:
        self._sessions += 1
        return pb.OpenSessionReply(
            session_id=f"session-{self._sessions:032x}",
            backend_name="scripted",
            worker_process_id=4711,
            worker_protocol_version=WORKER_PROTOCOL_VERSION,
            gateway_protocol_version=GATEWAY_PROTOCOL_VERSION,
            capabilities=self._script.capabilities,
            protocol_status=OK,
        )

    def command(self, session_id: str, correlation_id: str, command: pb.MxCommand) -> pb.MxCommandReply:
        """The reply to a command: everything succeeds, items get handles from 1."""
        arm = command.WhichOneof("payload")
        reply = pb.MxCommandReply(
            session_id=session_id, correlation_id=correlation_id, kind=command.kind, protocol_status=OK, hresult=0
        )
        if arm is None:
            return reply
        payload = getattr(command, arm)
        if arm == "register":
            reply.register.server_handle = 1
        elif arm in ("add_item", "add_item2", "add_buffered_item"):
            getattr(reply, arm).item_handle = self._add(payload.item_definition)
        elif arm in ("suspend", "activate"):
            getattr(reply, arm).status.CopyFrom(pb.MxStatusProxy(success=-1, category=pb.MX_STATUS_CATEGORY_PENDING))
        elif arm in ("authenticate_user", "archestra_user_to_id"):
            getattr(reply, arm).user_id = 7
        elif arm == "ping":
            reply.diagnostic_message = payload.message
        elif arm == "get_session_state":
            reply.get_session_state.state = pb.SESSION_STATE_READY
        elif arm == "get_worker_info":
            reply.get_worker_info.CopyFrom(pb.WorkerInfoReply(worker_process_id=4711, worker_version="1.0"))
        elif arm == "drain_events":
            reply.drain_events.SetInParent()
        elif arm.endswith("_bulk"):
            self._bulk(reply, arm, payload)
        return reply

    def _bulk(self, reply: pb.MxCommandReply, arm: str, payload: Any) -> None:
        entries = getattr(reply, arm)
        entries.SetInParent()
        if arm == "read_bulk":
            for index, tag in enumerate(payload.tag_addresses):
                result = entries.results.add(
                    server_handle=payload.server_handle,
                    tag_address=tag,
                    item_handle=index + 1,
                    was_successful=True,
                    was_cached=True,
                    quality=192,
                    value=pb.MxValue(data_type=pb.MX_DATA_TYPE_INTEGER, variant_type="VT_I4", int32_value=index),
                )
                result.source_timestamp.FromSeconds(1_700_000_000)
        elif arm in ("add_item_bulk", "subscribe_bulk"):
            for tag in payload.tag_addresses:
                entries.results.add(
                    server_handle=payload.server_handle,
                    tag_address=tag,
                    item_handle=self._add(tag),
                    was_successful=True,
                )
        elif "write" in arm:
            for entry in payload.entries:
                entries.results.add(
                    server_handle=payload.server_handle, item_handle=entry.item_handle, was_successful=True, hresult=0
                )
        else:
            for handle in payload.item_handles:
                known = handle in self._items
                entries.results.add(
                    server_handle=payload.server_handle,
                    item_handle=handle,
                    tag_address=self._items.get(handle, ""),
                    was_successful=known,
                    error_message="" if known else "no such item",
                )

    def _add(self, tag: str) -> int:
        handle = len(self._items) + 1
        self._items[handle] = tag
        return handle

    # ------------------------------------------------------------------------------------------------------- galaxy

    def _objects(self) -> list[galaxy_pb.GalaxyObject]:
        return [galaxy_pb.GalaxyObject(**each) for each in self._script.objects]

    def _hierarchy(self, request: Any) -> galaxy_pb.DiscoverHierarchyReply:
        objects, start = self._objects(), int(request.page_token or 0)
        size = request.page_size or PAGE
        return galaxy_pb.DiscoverHierarchyReply(
            objects=objects[start : start + size],
            next_page_token=str(start + size) if start + size < len(objects) else "",
            total_object_count=len(objects),
        )

    def _children(self, request: Any) -> galaxy_pb.BrowseChildrenReply:
        objects = self._objects()
        parent = request.parent_gobject_id
        if request.parent_tag_name:
            parent = next((each.gobject_id for each in objects if each.tag_name == request.parent_tag_name), -1)
        children = [each for each in objects if each.parent_gobject_id == parent]
        start, size = int(request.page_token or 0), request.page_size or PAGE
        page = children[start : start + size]
        parents = {each.parent_gobject_id for each in objects}
        return galaxy_pb.BrowseChildrenReply(
            children=page,
            next_page_token=str(start + size) if start + size < len(children) else "",
            total_child_count=len(children),
            child_has_children=[each.gobject_id in parents for each in page],
            cache_sequence=1,
        )


def _acknowledged(request: pb.AcknowledgeAlarmRequest) -> pb.AcknowledgeAlarmReply:
    return pb.AcknowledgeAlarmReply(
        correlation_id=request.client_correlation_id,
        protocol_status=OK,
        hresult=0,
        outcome=pb.ALARM_ACK_OUTCOME_ACKNOWLEDGED,
        alarm_full_reference=request.alarm_full_reference,
    )


def _with_status(rpc: str) -> Message:
    """An empty reply that says OK, for the calls that a script answers or nobody looks at."""
    method = pb.DESCRIPTOR.services_by_name["MxAccessGateway"].methods_by_name[rpc]
    reply: Any = getattr(pb, method.output_type.name)()
    if "protocol_status" in method.output_type.fields_by_name:
        reply.protocol_status.CopyFrom(OK)
    return reply  # type: ignore[no-any-return]
