"""What an API key may do: the scopes of RPCs and of command kinds.

Whatever the map does not list needs `admin`: a new RPC or kind is closed until someone decides.
"""

from __future__ import annotations

from collections.abc import Iterable

from mxgateway_contract.commands import COMMANDS, Command, Group, Scope, Touch

__all__ = [
    "ADMIN_ONLY",
    "ANY_SCOPE",
    "CATALOGUE_VERSION",
    "CHANGING_KINDS",
    "COMMAND_SCOPES",
    "PER_COMMAND",
    "PUBLIC",
    "RPC_SCOPES",
    "Scope",
    "ScopeSet",
    "allows",
    "newer_scopes",
    "parse_scopes",
    "scopes_of_command",
    "scopes_of_rpc",
]


ScopeSet = frozenset[Scope]
"""Any one of them suffices; an empty set means that no key is needed."""

PUBLIC: ScopeSet = frozenset()
ADMIN_ONLY: ScopeSet = frozenset({Scope.ADMIN})
ANY_SCOPE: ScopeSet = frozenset(Scope)
"""For what every key may ask."""
PER_COMMAND: ScopeSet = frozenset(command.scope for command in COMMANDS.values())
"""For RPCs that carry commands: a key with none of these cannot pass any kind; each command is checked by itself."""

_OPEN = frozenset({Scope.SESSION_OPEN})
_OWN_SESSIONS = frozenset({Scope.SESSION_OPEN, Scope.SESSION_CLOSE, Scope.ADMIN})
_CLOSE = frozenset({Scope.SESSION_CLOSE})
_WRITE = frozenset({Scope.INVOKE_WRITE})
_EVENTS = frozenset({Scope.EVENTS_READ})
_METADATA = frozenset({Scope.METADATA_READ})

_GATEWAY = "/mxaccess_gateway.v1.MxAccessGateway/"
_GALAXY = "/galaxy_repository.v1.GalaxyRepository/"

RPC_SCOPES: dict[str, ScopeSet] = {
    _GATEWAY + "OpenSession": _OPEN,
    _GATEWAY + "CloseSession": _CLOSE,
    _GATEWAY + "ListSessions": _OWN_SESSIONS,
    _GATEWAY + "Invoke": PER_COMMAND,
    _GATEWAY + "InvokeStream": PER_COMMAND,
    _GATEWAY + "StreamEvents": _EVENTS,
    _GATEWAY + "StreamEventBatches": _EVENTS,
    _GATEWAY + "AcknowledgeAlarm": _WRITE,
    _GATEWAY + "AcknowledgeAlarms": _WRITE,
    _GATEWAY + "ShelveAlarms": _WRITE,
    _GATEWAY + "StreamAlarms": _EVENTS,
    _GATEWAY + "StreamAlarmBatches": _EVENTS,
    _GATEWAY + "QueryActiveAlarms": _EVENTS,
    _GATEWAY + "QueryAlarmHistory": _EVENTS,
    _GATEWAY + "GetAlarmStatistics": _EVENTS,
    _GATEWAY + "GetAlarmMonitorStatus": _EVENTS,
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

COMMAND_SCOPES: dict[int, ScopeSet] = {kind: frozenset({command.scope}) for kind, command in COMMANDS.items()}


def _may_change(facts: Command) -> bool:
    if facts.group is Group.ALARM:
        return facts.scope is Scope.INVOKE_WRITE
    return facts.group is Group.FAULT or facts.touches in (Touch.WRITE, Touch.WRITES, Touch.UNKNOWN)


CHANGING_KINDS = frozenset(kind for kind, facts in COMMANDS.items() if _may_change(facts))
"""Kinds that may change something in the plant, or make it seem changed: no read-only key may send them."""


def scopes_of_rpc(method: str) -> ScopeSet:
    """The scopes of which a caller of this full method name needs one."""
    return RPC_SCOPES.get(method, ADMIN_ONLY)


def scopes_of_command(kind: int) -> ScopeSet:
    """The scopes of which a caller of this command kind needs one."""
    return COMMAND_SCOPES.get(kind, ADMIN_ONLY)


CATALOGUE_VERSION = 1
"""Grows with each scope that takes something out of another: keys of before did not choose it."""
_TAKEN_OUT = {1: (Scope.INVOKE_SUPERVISORY, Scope.INVOKE_READ)}


def newer_scopes(held: Iterable[Scope], catalogue: int) -> tuple[Scope, ...]:
    """The scopes that a key lacks because there were none when its scopes were chosen, and that it could miss now.

    Args:
        held: its scopes.
        catalogue: `CATALOGUE_VERSION` of when they were chosen.
    """
    held = frozenset(held)
    return tuple(
        scope for version, (scope, of) in _TAKEN_OUT.items() if version > catalogue and of in held and scope not in held
    )


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
