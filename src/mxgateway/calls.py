"""The gateway's calls with the generated messages: what clients and sessions stand on.

A call adds deadline, key and the errors of this library, and looks at the reply's protocol status; what MXAccess says
in the reply is left to the caller.
"""

from __future__ import annotations

from typing import Any

from mxgateway.channel import Connection, ServerStream
from mxgateway.command_stream import CommandStream
from mxgateway.commands import IDEMPOTENT_KINDS
from mxgateway.options import ClientOptions
from mxgateway.replies import check_protocol
from mxgateway_contract.commands import method_name
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


class Calls:
    """The methods of the MxAccessGateway service. Each raises MxGatewayError, and never MxAccessError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def check_usable(self) -> None:
        """Raises MxGatewayTransportError in another event loop, and in a forked child: see `Connection`."""
        self._connection.check_usable()

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed."""
        return self._connection.is_closed

    @property
    def options(self) -> ClientOptions:
        return self._connection.options

    async def open_session(self, request: pb.OpenSessionRequest, timeout: float | None = None) -> pb.OpenSessionReply:
        reply: pb.OpenSessionReply = await self._connection.unary(
            self._connection.stub.OpenSession,
            request,
            "OpenSession",
            timeout=timeout,
            correlation_id=request.client_correlation_id,
        )
        check_protocol(reply, "OpenSession", request.client_correlation_id)
        return reply

    async def close_session(
        self, request: pb.CloseSessionRequest, timeout: float | None = None
    ) -> pb.CloseSessionReply:
        reply: pb.CloseSessionReply = await self._connection.unary(
            self._connection.stub.CloseSession,
            request,
            "CloseSession",
            timeout=timeout,
            correlation_id=request.client_correlation_id,
            # The gateway answers a second close with the last known state.
            idempotent=True,
        )
        check_protocol(reply, "CloseSession", request.client_correlation_id)
        return reply

    async def list_sessions(
        self, request: pb.ListSessionsRequest, timeout: float | None = None
    ) -> pb.ListSessionsReply:
        reply: pb.ListSessionsReply = await self._connection.unary(
            self._connection.stub.ListSessions, request, "ListSessions", timeout=timeout, idempotent=True
        )
        return reply

    async def invoke(self, request: pb.MxCommandRequest, timeout: float | None = None) -> pb.MxCommandReply:
        kind, correlation_id = request.command.kind, request.client_correlation_id
        name = method_name(kind)
        reply: pb.MxCommandReply = await self._connection.unary(
            self._connection.stub.Invoke,
            request,
            name,
            timeout=timeout,
            correlation_id=correlation_id,
            idempotent=kind in IDEMPOTENT_KINDS,
        )
        check_protocol(reply, name, correlation_id)
        return reply

    def command_stream(self, session_id: str) -> CommandStream:
        return CommandStream(self._connection, session_id)

    def stream_events(self, request: pb.StreamEventsRequest, timeout: float | None = None) -> ServerStream[pb.MxEvent]:
        return self._connection.stream(self._connection.stub.StreamEvents, request, "StreamEvents", timeout=timeout)

    def stream_event_batches(
        self, request: pb.StreamEventsRequest, timeout: float | None = None
    ) -> ServerStream[pb.MxEventBatch]:
        return self._connection.stream(
            self._connection.stub.StreamEventBatches, request, "StreamEventBatches", timeout=timeout
        )

    async def acknowledge_alarm(
        self, request: pb.AcknowledgeAlarmRequest, timeout: float | None = None
    ) -> pb.AcknowledgeAlarmReply:
        reply: pb.AcknowledgeAlarmReply = await self._connection.unary(
            self._connection.stub.AcknowledgeAlarm,
            request,
            "AcknowledgeAlarm",
            timeout=timeout,
            correlation_id=request.client_correlation_id,
        )
        check_protocol(reply, "AcknowledgeAlarm", request.client_correlation_id)
        return reply

    def query_active_alarms(
        self, request: pb.QueryActiveAlarmsRequest, timeout: float | None = None
    ) -> ServerStream[pb.ActiveAlarmSnapshot]:
        return self._connection.stream(
            self._connection.stub.QueryActiveAlarms,
            request,
            "QueryActiveAlarms",
            timeout=timeout,
            correlation_id=request.client_correlation_id,
        )

    def stream_alarms(
        self, request: pb.StreamAlarmsRequest, timeout: float | None = None
    ) -> ServerStream[pb.AlarmFeedMessage]:
        return self._connection.stream(
            self._connection.stub.StreamAlarms,
            request,
            "StreamAlarms",
            timeout=timeout,
            correlation_id=request.client_correlation_id,
        )

    def stream_alarm_batches(
        self, request: pb.StreamAlarmsRequest, timeout: float | None = None
    ) -> ServerStream[pb.AlarmFeedBatch]:
        return self._connection.stream(
            self._connection.stub.StreamAlarmBatches,
            request,
            "StreamAlarmBatches",
            timeout=timeout,
            correlation_id=request.client_correlation_id,
        )

    def query_alarm_history(
        self, request: pb.QueryAlarmHistoryRequest, timeout: float | None = None
    ) -> ServerStream[pb.AlarmHistoryPage]:
        return self._connection.stream(
            self._connection.stub.QueryAlarmHistory,
            request,
            "QueryAlarmHistory",
            timeout=timeout,
            correlation_id=request.client_correlation_id,
        )

    async def acknowledge_alarms(
        self, request: pb.AcknowledgeAlarmsRequest, timeout: float | None = None
    ) -> pb.AcknowledgeAlarmsReply:
        reply: pb.AcknowledgeAlarmsReply = await self._alarm_call("AcknowledgeAlarms", request, timeout)
        return reply

    async def shelve_alarms(
        self, request: pb.ShelveAlarmsRequest, timeout: float | None = None
    ) -> pb.ShelveAlarmsReply:
        reply: pb.ShelveAlarmsReply = await self._alarm_call("ShelveAlarms", request, timeout)
        return reply

    async def alarm_statistics(
        self, request: pb.GetAlarmStatisticsRequest, timeout: float | None = None
    ) -> pb.GetAlarmStatisticsReply:
        reply: pb.GetAlarmStatisticsReply = await self._alarm_call(
            "GetAlarmStatistics", request, timeout, idempotent=True
        )
        return reply

    async def alarm_monitor_status(
        self, request: pb.GetAlarmMonitorStatusRequest, timeout: float | None = None
    ) -> pb.GetAlarmMonitorStatusReply:
        reply: pb.GetAlarmMonitorStatusReply = await self._alarm_call(
            "GetAlarmMonitorStatus", request, timeout, idempotent=True
        )
        return reply

    async def _alarm_call(self, method: str, request: Any, timeout: float | None, *, idempotent: bool = False) -> Any:
        reply = await self._connection.unary(
            getattr(self._connection.stub, method),
            request,
            method,
            timeout=timeout,
            correlation_id=request.client_correlation_id,
            idempotent=idempotent,
        )
        check_protocol(reply, method, request.client_correlation_id)
        return reply
