"""The public face: names, cheap import, quality words."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import mxgateway
from mxgateway import quality

NAMES = [
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
    "ShelveOutcome",
    "ShelveResult",
    "SubscriptionState",
    "Subscription",
    "to_dataframe",
    "WriteOutcome",
    "OverflowPolicy",
    "DataChange",
    "DataChanges",
    "Events",
    "OutOfRangeValue",
    "ReadResults",
    "Reading",
    "Readings",
    "SubscribeResults",
    "WriteResults",
    "AttributeOrigin",
    "BrowseNode",
    "ClientOptions",
    "ConnectionState",
    "DeployEvent",
    "EventStream",
    "GATEWAY_PROTOCOL_VERSION",
    "GalaxyAttribute",
    "GalaxyAttributes",
    "GalaxyObject",
    "GalaxyRepositoryClient",
    "GatewayClient",
    "MAX_BULK_ITEMS",
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
    "RetryPolicy",
    "ServerStream",
    "Session",
    "WORKER_PROTOCOL_VERSION",
    "__version__",
    "alarm_durations",
    "from_mx_value",
    "is_bad",
    "is_good",
    "is_status_failure",
    "is_uncertain",
    "next_correlation_id",
    "quality_name",
    "to_mx_value",
]


def loaded_after(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after a statement."""
    code = f"{statement}\nimport sys, json; print(json.dumps(sorted({{n.partition('.')[0] for n in sys.modules}})))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30)
    return set(json.loads(output.stdout))


def test_public_names() -> None:
    """The names of the package are these, all of them can be imported, and dir() shows them."""
    assert sorted(mxgateway.__all__) == sorted(NAMES)
    assert sorted(NAMES) == dir(mxgateway)
    for name in NAMES:
        assert getattr(mxgateway, name) is not None
    with pytest.raises(AttributeError):
        _ = mxgateway.Unknown  # type: ignore[attr-defined]


def test_importing_the_package_loads_no_grpc_and_nothing_heavy() -> None:
    """`import mxgateway` and the generated messages alone load neither gRPC nor anything of the extras."""
    for statement in ("import mxgateway", "import mxgateway.generated.mxaccess_gateway_pb2"):
        assert not loaded_after(statement) & {"grpc", "asyncio", "pandas", "numpy", "rich", "click", "sqlalchemy"}


def test_the_client_loads_nothing_of_the_extras() -> None:
    """Using the client loads gRPC and protobuf, but nothing of an extra."""
    loaded = loaded_after("from mxgateway import *")
    assert "grpc" in loaded
    assert not loaded & {"pandas", "numpy", "pyarrow", "rich", "click", "sqlalchemy", "textual", "pydantic"}


def test_a_quality_is_good_or_uncertain_or_bad_and_never_two_of_them() -> None:
    for word in range(256):
        assert sum((quality.is_good(word), quality.is_uncertain(word), quality.is_bad(word))) <= 1


@pytest.mark.parametrize(
    ("word", "name"),
    [(192, "Good"), (216, "GoodLocalOverride"), (0, "Bad"), (32, "Initializing"), (195, "Good"), (64, "Uncertain")],
)
def test_quality_names(word: int, name: str) -> None:
    """Quality words have their field names; limit bits do not change them."""
    assert quality.quality_name(word) == name
