"""The alarm calls of the MxAccessGateway service."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn, TypeAlias

import grpc
import grpc.aio

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.callers import current_call
from mxgateway_server.alarms.acting_calls import ActingCalls
from mxgateway_server.alarms.driver import AlarmDriver
from mxgateway_server.alarms.encoding import snapshot_bytes
from mxgateway_server.alarms.filters import Sieve
from mxgateway_server.alarms.looking_back import LookingBack
from mxgateway_server.alarms.model import Alarm
from mxgateway_server.alarms.requests import filter_of, wish_of
from mxgateway_server.alarms.rights import AlarmRights
from mxgateway_server.alarms.status_reply import status_reply
from mxgateway_server.alarms.streaming import AlarmStreams
from mxgateway_server.alarms.telling import MonitorState
from mxgateway_server.commands.checks import check_correlation_id
from mxgateway_server.errors import AlarmsUnavailableError, InvalidRequestError, NoAlarmProviderError
from mxgateway_server.headers import send_headers

SERVICE = "mxaccess_gateway.v1.MxAccessGateway"
TRUNCATED_KEY = "alarms-truncated"
UNCERTAIN_KEY = "alarms-uncertain"

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

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
_TOGETHER = 200


def handler_of(methods: dict[str, Callable[..., Awaitable[Any]]]) -> grpc.GenericRpcHandler:
    """A handler of the calls; what is not among them says that there are no alarms."""
    handlers: dict[str, Any] = {}
    for name, request in _UNARY.items():
        handlers[name] = grpc.unary_unary_rpc_method_handler(methods.get(name, _refuse), request.FromString, _bytes_of)
    for name, request in _STREAMS.items():
        handlers[name] = grpc.unary_stream_rpc_method_handler(methods.get(name, _refuse), request.FromString)
    return grpc.method_handlers_generic_handler(SERVICE, handlers)


def no_alarms_handler() -> grpc.GenericRpcHandler:
    """The alarm calls of a gateway that keeps no alarms: its status says so, and each other call refuses."""
    return handler_of({"GetAlarmMonitorStatus": _disabled_status})


async def _refuse(_request: Any, _context: Context) -> NoReturn:
    raise NoAlarmProviderError("no alarm provider: this gateway keeps no alarms; set alarms.enabled")


async def _disabled_status(
    request: pb.GetAlarmMonitorStatusRequest, _context: Context
) -> pb.GetAlarmMonitorStatusReply:
    return pb.GetAlarmMonitorStatusReply(
        correlation_id=request.client_correlation_id,
        protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK),
        enabled=False,
        provider=pb.AlarmProviderStatus(state=pb.AlarmMonitorState.ValueType(MonitorState.DISABLED)),
    )


def _bytes_of(reply: Any) -> bytes:
    data: bytes = reply.SerializeToString()
    return data


class AlarmService:
    """Handlers of the calls; the caller is known and has the method's scope before any of them runs.

    Args:
        capabilities: tokens of the calls that are offered.
    """

    def __init__(
        self,
        driver: AlarmDriver,
        streams: AlarmStreams,
        acting: ActingCalls,
        looking_back: LookingBack,
        rights: AlarmRights,
        capabilities: Sequence[str],
    ) -> None:
        self._driver = driver
        self._monitor = driver.monitor
        self._streams = streams
        self._acting = acting
        self._looking_back = looking_back
        self.acknowledge_alarms = acting.acknowledge_alarms
        self.shelve_alarms = acting.shelve_alarms
        self.query_alarm_history = looking_back.query_alarm_history
        self.get_alarm_statistics = looking_back.get_alarm_statistics
        self._rights = rights
        self._capabilities = tuple(capabilities)

    def handler(self) -> grpc.GenericRpcHandler:
        """All alarm calls for a server."""
        return handler_of(
            {
                "AcknowledgeAlarm": self._acting.acknowledge_alarm,
                "AcknowledgeAlarms": self._acting.acknowledge_alarms,
                "ShelveAlarms": self._acting.shelve_alarms,
                "StreamAlarms": self.stream_alarms,
                "StreamAlarmBatches": self.stream_alarm_batches,
                "QueryActiveAlarms": self.query_active_alarms,
                "GetAlarmMonitorStatus": self.get_alarm_monitor_status,
                "GetAlarmStatistics": self._looking_back.get_alarm_statistics,
                "QueryAlarmHistory": self._looking_back.query_alarm_history,
            }
        )

    async def stream_alarms(self, request: pb.StreamAlarmsRequest, context: Context) -> None:
        await self._stream(request, context, is_batched=False)

    async def stream_alarm_batches(self, request: pb.StreamAlarmsRequest, context: Context) -> None:
        await self._stream(request, context, is_batched=True)

    async def _stream(self, request: pb.StreamAlarmsRequest, context: Context, *, is_batched: bool) -> None:
        caller = current_call().caller
        wish = wish_of(request, self._rights.viewer(caller))
        await self._streams.run(context, caller.key_id, wish, is_batched=is_batched)

    async def query_active_alarms(self, request: pb.QueryActiveAlarmsRequest, context: Context) -> None:
        check_correlation_id(request.client_correlation_id)
        if request.order not in pb.AlarmOrder.values():
            raise InvalidRequestError(f"order {request.order} is unknown")
        viewer = self._rights.viewer(current_call().caller)
        sieve = Sieve(filter_of(request.filter, request.alarm_filter_prefix))
        await send_headers(context)
        if not self._monitor.shows_list:
            # A short list must never look like a whole one.
            raise AlarmsUnavailableError("the alarm monitor has no list yet; try again", retry_after=1.0)
        is_uncertain = self._monitor.status.is_uncertain
        found = [alarm for alarm in self._monitor.book.cut() if sieve.takes(alarm) and viewer.sees(alarm)]
        found.sort(key=_ORDERS[request.order])
        is_cut = bool(request.limit) and len(found) > request.limit
        for alarm in found[: request.limit or None]:
            await context.write(snapshot_bytes(alarm, is_uncertain=is_uncertain or alarm.is_uncertain))
        told = [(name, "true") for name, is_so in ((TRUNCATED_KEY, is_cut), (UNCERTAIN_KEY, is_uncertain)) if is_so]
        if told:
            context.set_trailing_metadata((*context.trailing_metadata(), *told))

    async def get_alarm_monitor_status(
        self, request: pb.GetAlarmMonitorStatusRequest, _context: Context
    ) -> pb.GetAlarmMonitorStatusReply:
        check_correlation_id(request.client_correlation_id)
        viewer = self._rights.viewer(current_call().caller)
        reply = status_reply(self._driver, viewer, self._acting.unconfirmed)
        reply.correlation_id = request.client_correlation_id
        reply.capabilities.extend(self._capabilities)
        self._looking_back.tell_bounds(reply, viewer)
        return reply


def _by_reference(alarm: Alarm) -> tuple[Any, ...]:
    return (alarm.key,)


def _by_time(alarm: Alarm) -> tuple[Any, ...]:
    return (-(alarm.changed_ns or alarm.raised_ns), alarm.key)


def _by_priority(alarm: Alarm) -> tuple[Any, ...]:
    return (alarm.priority, -alarm.raised_ns, alarm.key)


_ORDERS: dict[int, Callable[[Alarm], tuple[Any, ...]]] = {
    pb.ALARM_ORDER_REFERENCE: _by_reference,
    pb.ALARM_ORDER_TIME: _by_time,
    pb.ALARM_ORDER_PRIORITY: _by_priority,
}
