"""What an API key may do: the scope catalogue, and the one map of RPCs and command kinds to scopes.

Whatever the map does not list needs `admin`: a new RPC or kind is closed until someone decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from mxgateway.generated import mxaccess_gateway_pb2 as pb


class Scope(StrEnum):
    """The whole catalogue; other strings are refused when a key is made."""

    SESSION_OPEN = "session:open"
    SESSION_CLOSE = "session:close"
    INVOKE_READ = "invoke:read"
    INVOKE_WRITE = "invoke:write"
    INVOKE_SECURE = "invoke:secure"
    EVENTS_READ = "events:read"
    METADATA_READ = "metadata:read"
    ADMIN = "admin"


ScopeSet = frozenset[Scope]
"""Any one of them suffices; an empty set means that no key is needed."""

PUBLIC: ScopeSet = frozenset()
ADMIN_ONLY: ScopeSet = frozenset({Scope.ADMIN})
PER_COMMAND: ScopeSet = frozenset(
    {Scope.INVOKE_READ, Scope.INVOKE_WRITE, Scope.INVOKE_SECURE, Scope.EVENTS_READ, Scope.ADMIN}
)
"""For RPCs that carry commands: a key with none of these cannot pass any kind; each command is checked by itself."""

_OPEN = frozenset({Scope.SESSION_OPEN})
_CLOSE = frozenset({Scope.SESSION_CLOSE})
_READ = frozenset({Scope.INVOKE_READ})
_WRITE = frozenset({Scope.INVOKE_WRITE})
_SECURE = frozenset({Scope.INVOKE_SECURE})
_EVENTS = frozenset({Scope.EVENTS_READ})
_METADATA = frozenset({Scope.METADATA_READ})
_USER = frozenset({Scope.INVOKE_WRITE, Scope.INVOKE_SECURE})

_GATEWAY = "/mxaccess_gateway.v1.MxAccessGateway/"
_GALAXY = "/galaxy_repository.v1.GalaxyRepository/"

RPC_SCOPES: dict[str, ScopeSet] = {
    _GATEWAY + "OpenSession": _OPEN,
    _GATEWAY + "CloseSession": _CLOSE,
    _GATEWAY + "Invoke": PER_COMMAND,
    _GATEWAY + "InvokeStream": PER_COMMAND,
    _GATEWAY + "StreamEvents": _EVENTS,
    _GATEWAY + "StreamEventBatches": _EVENTS,
    _GATEWAY + "AcknowledgeAlarm": _WRITE,
    _GATEWAY + "StreamAlarms": _EVENTS,
    _GATEWAY + "QueryActiveAlarms": _EVENTS,
    _GALAXY + "TestConnection": _METADATA,
    _GALAXY + "GetLastDeployTime": _METADATA,
    _GALAXY + "DiscoverHierarchy": _METADATA,
    _GALAXY + "WatchDeployEvents": _METADATA,
    _GALAXY + "BrowseChildren": _METADATA,
    "/grpc.health.v1.Health/Check": PUBLIC,
    "/grpc.health.v1.Health/Watch": PUBLIC,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": _METADATA,
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": _METADATA,
}

COMMAND_SCOPES: dict[int, ScopeSet] = {
    pb.MX_COMMAND_KIND_REGISTER: _READ,
    pb.MX_COMMAND_KIND_UNREGISTER: _READ,
    pb.MX_COMMAND_KIND_ADD_ITEM: _READ,
    pb.MX_COMMAND_KIND_ADD_ITEM2: _READ,
    pb.MX_COMMAND_KIND_REMOVE_ITEM: _READ,
    pb.MX_COMMAND_KIND_ADVISE: _READ,
    pb.MX_COMMAND_KIND_UN_ADVISE: _READ,
    pb.MX_COMMAND_KIND_ADVISE_SUPERVISORY: _READ,
    pb.MX_COMMAND_KIND_ADD_BUFFERED_ITEM: _READ,
    pb.MX_COMMAND_KIND_SET_BUFFERED_UPDATE_INTERVAL: _READ,
    pb.MX_COMMAND_KIND_SUSPEND: _READ,
    pb.MX_COMMAND_KIND_ACTIVATE: _READ,
    pb.MX_COMMAND_KIND_WRITE: _WRITE,
    pb.MX_COMMAND_KIND_WRITE2: _WRITE,
    pb.MX_COMMAND_KIND_WRITE_SECURED: _SECURE,
    pb.MX_COMMAND_KIND_WRITE_SECURED2: _SECURE,
    # A password check is an oracle; it serves only those who may write.
    pb.MX_COMMAND_KIND_AUTHENTICATE_USER: _USER,
    pb.MX_COMMAND_KIND_ARCHESTRA_USER_TO_ID: _USER,
    pb.MX_COMMAND_KIND_ADD_ITEM_BULK: _READ,
    pb.MX_COMMAND_KIND_ADVISE_ITEM_BULK: _READ,
    pb.MX_COMMAND_KIND_REMOVE_ITEM_BULK: _READ,
    pb.MX_COMMAND_KIND_UN_ADVISE_ITEM_BULK: _READ,
    pb.MX_COMMAND_KIND_SUBSCRIBE_BULK: _READ,
    pb.MX_COMMAND_KIND_UNSUBSCRIBE_BULK: _READ,
    pb.MX_COMMAND_KIND_SUBSCRIBE_ALARMS: _EVENTS,
    pb.MX_COMMAND_KIND_UNSUBSCRIBE_ALARMS: _EVENTS,
    pb.MX_COMMAND_KIND_ACKNOWLEDGE_ALARM: _WRITE,
    pb.MX_COMMAND_KIND_QUERY_ACTIVE_ALARMS: _EVENTS,
    pb.MX_COMMAND_KIND_ACKNOWLEDGE_ALARM_BY_NAME: _WRITE,
    pb.MX_COMMAND_KIND_WRITE_BULK: _WRITE,
    pb.MX_COMMAND_KIND_WRITE2_BULK: _WRITE,
    pb.MX_COMMAND_KIND_WRITE_SECURED_BULK: _SECURE,
    pb.MX_COMMAND_KIND_WRITE_SECURED2_BULK: _SECURE,
    pb.MX_COMMAND_KIND_READ_BULK: _READ,
    pb.MX_COMMAND_KIND_PING: _READ,
    pb.MX_COMMAND_KIND_GET_SESSION_STATE: _READ,
    pb.MX_COMMAND_KIND_GET_WORKER_INFO: _READ,
    pb.MX_COMMAND_KIND_DRAIN_EVENTS: _EVENTS,
    pb.MX_COMMAND_KIND_SHUTDOWN_WORKER: ADMIN_ONLY,
    pb.MX_COMMAND_KIND_INJECT_FAULT: ADMIN_ONLY,
}


def scopes_of_rpc(method: str) -> ScopeSet:
    """The scopes of which a caller of this full method name needs one."""
    return RPC_SCOPES.get(method, ADMIN_ONLY)


def scopes_of_command(kind: int) -> ScopeSet:
    """The scopes of which a caller of this command kind needs one."""
    return COMMAND_SCOPES.get(kind, ADMIN_ONLY)


def allows(held: Iterable[Scope], needed: ScopeSet) -> bool:
    """Whether a key with these scopes passes. `admin` does not imply the others: keys say what they may do."""
    return not needed or not needed.isdisjoint(held)


def parse_scopes(texts: Iterable[str]) -> tuple[Scope, ...]:
    """Scopes from text, sorted and without repetition.

    Raises:
        ValueError: one is not in the catalogue.
    """
    found = set()
    for text in texts:
        text = text.strip()
        if not text:
            continue
        try:
            found.add(Scope(text))
        except ValueError:
            raise ValueError(f"unknown scope {text!r}; there are: {', '.join(Scope)}") from None
    return tuple(sorted(found))
