"""Alarms."""

from __future__ import annotations

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors.base import GatewayError


class NoAlarmProviderError(GatewayError):
    """Alarms are not configured on this gateway."""

    grpc_status = "FAILED_PRECONDITION"
    protocol_code = pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST
    reason = "NO_ALARM_PROVIDER"


class AlarmError(GatewayError):
    """What the alarm calls refuse or cannot do."""


class AlarmLagError(AlarmError):
    """A stream of alarms took its changes too slowly, and asked to be ended then.

    Attributes:
        epoch: of the log.
        sequence: the last change that the stream had.
        oldest: the change after which the log still goes on.
    """

    grpc_status = "RESOURCE_EXHAUSTED"
    reason = "ALARM_STREAM_LAGGED"

    def __init__(self, epoch: str, sequence: int, oldest: int) -> None:
        self.epoch, self.sequence, self.oldest = epoch, sequence, oldest
        super().__init__(
            f"the stream is at change {sequence} of epoch {epoch}, and the log begins after {oldest}: read faster, "
            "filter more, or choose the lag policy RESYNC"
        )


class AlarmQuestionTooWideError(AlarmError):
    """A question to the history takes too long; the text says how to ask for less."""

    grpc_status = "RESOURCE_EXHAUSTED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_RESOURCE_EXHAUSTED
    reason = "ALARM_QUESTION_TOO_WIDE"


class AlarmStreamLimitError(AlarmError):
    """The key, or the gateway, has as many streams of alarms as it may have."""

    grpc_status = "RESOURCE_EXHAUSTED"
    reason = "ALARM_STREAM_LIMIT"


class AlarmsUnavailableError(AlarmError):
    """The monitor has no provider now, or no list yet; it comes back by itself."""

    grpc_status = "UNAVAILABLE"
    reason = "ALARMS_UNAVAILABLE"


class AlarmCountError(AlarmError):
    """A filter matches another number of alarms than the caller expected; nothing was done.

    Attributes:
        count: how many it matches.
    """

    grpc_status = "FAILED_PRECONDITION"
    reason = "ALARM_COUNT"

    def __init__(self, expected: int, count: int) -> None:
        self.count = count
        super().__init__(f"the filter matches {count} alarms and not {expected}; look at them, and send their number")
