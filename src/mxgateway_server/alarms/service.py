"""The alarm calls of the MxAccessGateway service."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors import NoAlarmProviderError

SERVICE = "mxaccess_gateway.v1.MxAccessGateway"

_UNARY: dict[str, Any] = {
    "AcknowledgeAlarm": pb.AcknowledgeAlarmRequest,
    "AcknowledgeAlarms": pb.AcknowledgeAlarmsRequest,
    "ShelveAlarms": pb.ShelveAlarmsRequest,
    "GetAlarmStatistics": pb.GetAlarmStatisticsRequest,
    "GetAlarmMonitorStatus": pb.GetAlarmMonitorStatusRequest,
}
_STREAMS: dict[str, Any] = {
    "StreamAlarms": pb.StreamAlarmsRequest,
    "StreamAlarmBatches": pb.StreamAlarmsRequest,
    "QueryActiveAlarms": pb.QueryActiveAlarmsRequest,
    "QueryAlarmHistory": pb.QueryAlarmHistoryRequest,
}


def no_alarms_handler() -> grpc.GenericRpcHandler:
    """The alarm calls of a gateway without an alarm provider: each says so."""
    methods: dict[str, Any] = {
        name: grpc.unary_unary_rpc_method_handler(_refuse, request.FromString) for name, request in _UNARY.items()
    }
    methods |= {
        name: grpc.unary_stream_rpc_method_handler(_refuse, request.FromString) for name, request in _STREAMS.items()
    }
    return grpc.method_handlers_generic_handler(SERVICE, methods)


async def _refuse(_request: Any, _context: grpc.aio.ServicerContext[Any, Any]) -> None:
    raise NoAlarmProviderError("no alarm provider: this version of the gateway has no alarms")
