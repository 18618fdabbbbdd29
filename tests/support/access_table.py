"""What every RPC and command kind asks of a key, written down by hand: a second opinion beside the gateway's catalogue.

A new RPC or kind is added here by whoever adds it, so that somebody has decided who may use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from mxgateway.generated import galaxy_repository_pb2 as gpb
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from tests.support.gateway import command

Reach: TypeAlias = Literal["nothing", "name", "names", "write", "writes"]
"""How a kind reaches tags: not at all or by handles that it only reads, by one name or many, by writing one or many."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One command kind.

    Attributes:
        scope: the only one that opens it.
        reach: which limits of a key concern it.
        changes: whether a read-only key is refused.
    """

    scope: str
    reach: Reach = "nothing"
    changes: bool = False


_SECURE, _WRITE, _READ = "invoke:secure", "invoke:write", "invoke:read"

KINDS = {
    "REGISTER": Kind(_READ),
    "UNREGISTER": Kind(_READ),
    "ADD_ITEM": Kind(_READ, "name"),
    "ADD_ITEM2": Kind(_READ, "name"),
    "REMOVE_ITEM": Kind(_READ),
    "ADVISE": Kind(_READ),
    "UN_ADVISE": Kind(_READ),
    "ADVISE_SUPERVISORY": Kind("invoke:supervisory"),
    "ADD_BUFFERED_ITEM": Kind(_READ, "name"),
    "SET_BUFFERED_UPDATE_INTERVAL": Kind(_READ),
    "SUSPEND": Kind(_READ),
    "ACTIVATE": Kind(_READ),
    "WRITE": Kind(_WRITE, "write", changes=True),
    "WRITE2": Kind(_WRITE, "write", changes=True),
    "WRITE_SECURED": Kind(_SECURE, "write", changes=True),
    "WRITE_SECURED2": Kind(_SECURE, "write", changes=True),
    "AUTHENTICATE_USER": Kind(_SECURE),
    "ARCHESTRA_USER_TO_ID": Kind(_SECURE),
    "ADD_ITEM_BULK": Kind(_READ, "names"),
    "ADVISE_ITEM_BULK": Kind(_READ),
    "REMOVE_ITEM_BULK": Kind(_READ),
    "UN_ADVISE_ITEM_BULK": Kind(_READ),
    "SUBSCRIBE_BULK": Kind(_READ, "names"),
    "UNSUBSCRIBE_BULK": Kind(_READ),
    "SUBSCRIBE_ALARMS": Kind("admin"),
    "UNSUBSCRIBE_ALARMS": Kind("admin"),
    "ACKNOWLEDGE_ALARM": Kind(_WRITE, changes=True),
    "QUERY_ACTIVE_ALARMS": Kind("events:read"),
    "ACKNOWLEDGE_ALARM_BY_NAME": Kind(_WRITE, changes=True),
    "WRITE_BULK": Kind(_WRITE, "writes", changes=True),
    "WRITE2_BULK": Kind(_WRITE, "writes", changes=True),
    "WRITE_SECURED_BULK": Kind(_SECURE, "writes", changes=True),
    "WRITE_SECURED2_BULK": Kind(_SECURE, "writes", changes=True),
    "READ_BULK": Kind(_READ, "names"),
    "PING": Kind(_READ),
    "GET_SESSION_STATE": Kind(_READ),
    "GET_WORKER_INFO": Kind(_READ),
    "DRAIN_EVENTS": Kind("events:read"),
    "SHUTDOWN_WORKER": Kind("session:close"),
    "INJECT_FAULT": Kind("admin", changes=True),
    "ACKNOWLEDGE_ALARMS_BY_NAME": Kind(_WRITE, changes=True),
    "SHELVE_ALARM": Kind(_WRITE, changes=True),
}

_COMMANDS = frozenset(kind.scope for kind in KINDS.values())
_GATEWAY = "/mxaccess_gateway.v1.MxAccessGateway/"
_GALAXY = "/galaxy_repository.v1.GalaxyRepository/"

RPCS: dict[str, frozenset[str]] = {
    f"{_GATEWAY}OpenSession": frozenset({"session:open"}),
    f"{_GATEWAY}CloseSession": frozenset({"session:close"}),
    f"{_GATEWAY}ListSessions": frozenset({"session:open", "session:close", "admin"}),
    f"{_GATEWAY}Invoke": _COMMANDS,
    f"{_GATEWAY}InvokeStream": _COMMANDS,
    f"{_GATEWAY}StreamEvents": frozenset({"events:read"}),
    f"{_GATEWAY}StreamEventBatches": frozenset({"events:read"}),
    f"{_GATEWAY}AcknowledgeAlarm": frozenset({"invoke:write"}),
    f"{_GATEWAY}AcknowledgeAlarms": frozenset({"invoke:write"}),
    f"{_GATEWAY}ShelveAlarms": frozenset({"invoke:write"}),
    f"{_GATEWAY}StreamAlarms": frozenset({"events:read"}),
    f"{_GATEWAY}StreamAlarmBatches": frozenset({"events:read"}),
    f"{_GATEWAY}QueryActiveAlarms": frozenset({"events:read"}),
    f"{_GATEWAY}QueryAlarmHistory": frozenset({"events:read"}),
    f"{_GATEWAY}GetAlarmStatistics": frozenset({"events:read"}),
    f"{_GATEWAY}GetAlarmMonitorStatus": frozenset({"events:read"}),
    f"{_GALAXY}TestConnection": frozenset({"metadata:read"}),
    f"{_GALAXY}GetLastDeployTime": frozenset({"metadata:read"}),
    f"{_GALAXY}DiscoverHierarchy": frozenset({"metadata:read"}),
    f"{_GALAXY}WatchDeployEvents": frozenset({"metadata:read"}),
    f"{_GALAXY}BrowseChildren": frozenset({"metadata:read"}),
    "/grpc.health.v1.Health/Check": frozenset(),
    "/grpc.health.v1.Health/Watch": frozenset(),
    "/grpc.health.v1.Health/List": frozenset({"admin"}),
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": frozenset({"metadata:read"}),
}
"""Full method name → the scopes of which one is needed; none for those that want no key."""

SESSION_RPCS = ("CloseSession", "Invoke", "InvokeStream", "StreamEvents", "StreamEventBatches")
"""Those that name a session, which has to be the caller's."""

NO_SESSION = "session-" + "0" * 32
NO_HANDLE = 9999
FREEING = frozenset({"UNREGISTER", "REMOVE_ITEM", "REMOVE_ITEM_BULK", "UNSUBSCRIBE_BULK"})


def command_of(kind: str, tag: str = "", handle: int = 1) -> pb.MxCommand:
    """A whole command of this kind, on a tag by name and a handle by number where it has these."""
    made = command(kind)
    arm = getattr(made, kind.lower())
    fields = arm.DESCRIPTOR.fields_by_name
    if kind in FREEING:
        # A handle of the other rows could go to another tag otherwise.
        handle = NO_HANDLE
    if "server_handle" in fields:
        arm.server_handle = 9 if kind in FREEING else 1
    if "item_handle" in fields:
        arm.item_handle = handle
    if "item_handles" in fields:
        arm.item_handles.append(handle)
    if "item_definition" in fields:
        arm.item_definition = tag
    if "tag_addresses" in fields:
        arm.tag_addresses.append(tag)
    holder = arm
    if "entries" in fields:
        holder = arm.entries.add(item_handle=handle)
    for name in ("value", "timestamp_value"):
        if name in holder.DESCRIPTOR.fields_by_name:
            getattr(holder, name).int32_value = 1
    return made


def request_of(method: str, session: str) -> Any:
    """A request that leads past the guard, and where the method has a session, to this one."""
    name = method.rpartition("/")[2]
    if name == "InvokeStream":
        ping = pb.MxStreamCommand(correlation_id="1", command=command("PING"))
        return pb.MxCommandBatch(session_id=session, commands=[ping])
    if name == "Invoke":
        return pb.MxCommandRequest(session_id=session, command=command("PING"))
    if name in ("StreamEvents", "StreamEventBatches"):
        return pb.StreamEventsRequest(session_id=session, from_beginning=True)
    if name == "OpenSession":
        # Each that opened one would cost a process.
        return pb.OpenSessionRequest(requested_backend="nowhere")
    if name == "CloseSession":
        return pb.CloseSessionRequest(session_id=session)
    if name == "ServerReflectionInfo":
        return reflection_pb2.ServerReflectionRequest(list_services="")
    return GetMessageClass(METHODS[method].input_type)()


METHODS: dict[str, Any] = {
    f"/{service.full_name}/{method.name}": method
    for module in (pb, gpb, health_pb2, reflection_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
"""Every method that a gateway serves, by its full name, as its contract describes it."""
