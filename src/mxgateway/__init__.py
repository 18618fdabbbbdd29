"""Async client of the MXAccess gateway: AVEVA System Platform tags over gRPC.

Everything public is a name of this package, of `mxgateway.sync`, `mxgateway.testing` or `mxgateway.generated`; every
other module is private and may change with any version. Names load when they are first used, so importing the package
(or only `mxgateway.generated`) stays cheap and pulls no gRPC.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mxgateway.alarm_feed import AlarmFeed, AlarmFeedState
    from mxgateway.alarm_model import (
        Alarm,
        AlarmChange,
        AlarmChangeKind,
        AlarmGap,
        AlarmMode,
        AlarmOrigin,
        AlarmProviderChanged,
        AlarmsSynced,
        AlarmState,
    )
    from mxgateway.alarm_position import AlarmPosition
    from mxgateway.alarm_queue import AlarmOverflow
    from mxgateway.alarm_reader import AlarmEvent
    from mxgateway.alarm_results import AckOutcome, AckResult, ShelveOutcome, ShelveResult
    from mxgateway.alarm_tables import AlarmChanges, AlarmList, alarm_durations
    from mxgateway.alarms import Alarms
    from mxgateway.browse import BrowseNode
    from mxgateway.change_feed import SubscriptionState
    from mxgateway.change_queue import OverflowPolicy
    from mxgateway.channel import ConnectionState, ServerStream
    from mxgateway.client import GatewayClient
    from mxgateway.confirmed_write import WriteOutcome
    from mxgateway.correlation import next_correlation_id
    from mxgateway.data_change import DataChange, DataChanges
    from mxgateway.errors import (
        MxAccessError,
        MxGatewayAuthenticationError,
        MxGatewayAuthorizationError,
        MxGatewayCommandError,
        MxGatewayConnectionError,
        MxGatewayError,
        MxGatewayNotFoundError,
        MxGatewayOverflowError,
        MxGatewayProtocolError,
        MxGatewayResourceError,
        MxGatewaySessionError,
        MxGatewayTimeoutError,
        MxGatewayTransportError,
        MxGatewayWorkerError,
    )
    from mxgateway.events import EventStream
    from mxgateway.frames import to_dataframe
    from mxgateway.galaxy import GalaxyRepositoryClient
    from mxgateway.galaxy_attributes import AttributeOrigin, GalaxyAttributes
    from mxgateway.generated.galaxy_repository_pb2 import DeployEvent, GalaxyAttribute, GalaxyObject
    from mxgateway.options import ClientOptions, RetryPolicy
    from mxgateway.quality import is_bad, is_good, is_status_failure, is_uncertain, quality_name
    from mxgateway.readings import Reading, Readings
    from mxgateway.received_values import OutOfRangeValue, from_mx_value
    from mxgateway.results import Events, ReadResults, SubscribeResults, WriteResults
    from mxgateway.session import Session
    from mxgateway.subscription import Subscription
    from mxgateway.values import to_mx_value
    from mxgateway.version import __version__
    from mxgateway_contract.constants import GATEWAY_PROTOCOL_VERSION, MAX_BULK_ITEMS, WORKER_PROTOCOL_VERSION

_HOMES = {
    "mxgateway.alarm_feed": ("AlarmFeed", "AlarmFeedState"),
    "mxgateway.alarm_model": (
        "Alarm",
        "AlarmChange",
        "AlarmChangeKind",
        "AlarmGap",
        "AlarmMode",
        "AlarmOrigin",
        "AlarmProviderChanged",
        "AlarmState",
        "AlarmsSynced",
    ),
    "mxgateway.alarm_tables": ("AlarmChanges", "AlarmList", "alarm_durations"),
    "mxgateway.alarm_position": ("AlarmPosition",),
    "mxgateway.alarm_queue": ("AlarmOverflow",),
    "mxgateway.alarm_reader": ("AlarmEvent",),
    "mxgateway.alarm_results": ("AckOutcome", "AckResult", "ShelveOutcome", "ShelveResult"),
    "mxgateway.alarms": ("Alarms",),
    "mxgateway.browse": ("BrowseNode",),
    "mxgateway.channel": ("ConnectionState", "ServerStream"),
    "mxgateway.change_feed": ("SubscriptionState",),
    "mxgateway.change_queue": ("OverflowPolicy",),
    "mxgateway.client": ("GatewayClient",),
    "mxgateway.data_change": ("DataChange", "DataChanges"),
    "mxgateway.confirmed_write": ("WriteOutcome",),
    "mxgateway.frames": ("to_dataframe",),
    "mxgateway_contract.constants": ("GATEWAY_PROTOCOL_VERSION", "MAX_BULK_ITEMS", "WORKER_PROTOCOL_VERSION"),
    "mxgateway.correlation": ("next_correlation_id",),
    "mxgateway.errors": (
        "MxAccessError",
        "MxGatewayAuthenticationError",
        "MxGatewayAuthorizationError",
        "MxGatewayCommandError",
        "MxGatewayConnectionError",
        "MxGatewayError",
        "MxGatewayNotFoundError",
        "MxGatewayOverflowError",
        "MxGatewayProtocolError",
        "MxGatewayResourceError",
        "MxGatewaySessionError",
        "MxGatewayTimeoutError",
        "MxGatewayTransportError",
        "MxGatewayWorkerError",
    ),
    "mxgateway.events": ("EventStream",),
    "mxgateway.galaxy": ("GalaxyRepositoryClient",),
    "mxgateway.galaxy_attributes": ("AttributeOrigin", "GalaxyAttributes"),
    "mxgateway.generated.galaxy_repository_pb2": ("DeployEvent", "GalaxyAttribute", "GalaxyObject"),
    "mxgateway.options": ("ClientOptions", "RetryPolicy"),
    "mxgateway.quality": ("is_bad", "is_good", "is_status_failure", "is_uncertain", "quality_name"),
    "mxgateway.readings": ("Reading", "Readings"),
    "mxgateway.received_values": ("OutOfRangeValue", "from_mx_value"),
    "mxgateway.results": ("Events", "ReadResults", "SubscribeResults", "WriteResults"),
    "mxgateway.session": ("Session",),
    "mxgateway.subscription": ("Subscription",),
    "mxgateway.values": ("to_mx_value",),
    "mxgateway.version": ("__version__",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "GATEWAY_PROTOCOL_VERSION",
    "MAX_BULK_ITEMS",
    "WORKER_PROTOCOL_VERSION",
    "AckOutcome",
    "AckResult",
    "Alarm",
    "AlarmChange",
    "AlarmChangeKind",
    "AlarmChanges",
    "AlarmEvent",
    "AlarmFeed",
    "AlarmFeedState",
    "AlarmGap",
    "AlarmList",
    "AlarmMode",
    "AlarmOrigin",
    "AlarmOverflow",
    "AlarmPosition",
    "AlarmProviderChanged",
    "AlarmState",
    "Alarms",
    "AlarmsSynced",
    "AttributeOrigin",
    "BrowseNode",
    "ClientOptions",
    "ConnectionState",
    "DataChange",
    "DataChanges",
    "DeployEvent",
    "EventStream",
    "Events",
    "GalaxyAttribute",
    "GalaxyAttributes",
    "GalaxyObject",
    "GalaxyRepositoryClient",
    "GatewayClient",
    "MxAccessError",
    "MxGatewayAuthenticationError",
    "MxGatewayAuthorizationError",
    "MxGatewayCommandError",
    "MxGatewayConnectionError",
    "MxGatewayError",
    "MxGatewayNotFoundError",
    "MxGatewayOverflowError",
    "MxGatewayProtocolError",
    "MxGatewayResourceError",
    "MxGatewaySessionError",
    "MxGatewayTimeoutError",
    "MxGatewayTransportError",
    "MxGatewayWorkerError",
    "OutOfRangeValue",
    "OverflowPolicy",
    "ReadResults",
    "Reading",
    "Readings",
    "RetryPolicy",
    "ServerStream",
    "Session",
    "ShelveOutcome",
    "ShelveResult",
    "SubscribeResults",
    "Subscription",
    "SubscriptionState",
    "WriteOutcome",
    "WriteResults",
    "__version__",
    "alarm_durations",
    "from_mx_value",
    "is_bad",
    "is_good",
    "is_status_failure",
    "is_uncertain",
    "next_correlation_id",
    "quality_name",
    "to_dataframe",
    "to_mx_value",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
