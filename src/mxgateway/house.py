"""Names that the programs of this repository share with the library: `mxgw-py` and the test kit.

They are no part of the public API and may change with any version. Like the names of the package they load when they
are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mxgateway.alarm_model import alarm_of
    from mxgateway.alarm_results import ack_result
    from mxgateway.alarms import alarm_filter
    from mxgateway.commands import command
    from mxgateway.galaxy_attributes import attribute_marks, attribute_origin
    from mxgateway.received_values import time_text
    from mxgateway.replies import status_text
    from mxgateway_contract.constants import MAX_AGGREGATE_EVENTS
    from mxgateway_contract.redaction import redact
    from mxgateway_contract.status import DETAIL_WORDS

_HOME_OF = {
    "DETAIL_WORDS": "mxgateway_contract.status",
    "MAX_AGGREGATE_EVENTS": "mxgateway_contract.constants",
    "ack_result": "mxgateway.alarm_results",
    "alarm_filter": "mxgateway.alarms",
    "alarm_of": "mxgateway.alarm_model",
    "attribute_marks": "mxgateway.galaxy_attributes",
    "attribute_origin": "mxgateway.galaxy_attributes",
    "command": "mxgateway.commands",
    "redact": "mxgateway_contract.redaction",
    "status_text": "mxgateway.replies",
    "time_text": "mxgateway.received_values",
}

__all__ = [
    "DETAIL_WORDS",
    "MAX_AGGREGATE_EVENTS",
    "ack_result",
    "alarm_filter",
    "alarm_of",
    "attribute_marks",
    "attribute_origin",
    "command",
    "redact",
    "status_text",
    "time_text",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
