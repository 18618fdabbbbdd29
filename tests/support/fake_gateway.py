"""A gateway for the tests of clients: real gRPC on a free port, with an item store in place of workers.

Every command has a plain answer; `answer` replaces the answer of one kind. It records what it was asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from mxgateway.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated.galaxy_repository_pb2_grpc import (
    GalaxyRepositoryServicer,
    add_GalaxyRepositoryServicer_to_server,
)
from mxgateway.generated.mxaccess_gateway_pb2_grpc import MxAccessGatewayServicer, add_MxAccessGatewayServicer_to_server

Answer = Callable[[pb.MxCommandRequest], Any]


@dataclass
class Abort:
    """Ends a call with a gRPC status."""

    code: grpc.StatusCode
    details: str = ""
    trailers: tuple[tuple[str, Any], ...] = ()


def ok(message: str = "OK") -> pb.ProtocolStatus:
    return pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK, message=message)


def failed(code: int, message: str = "") -> pb.ProtocolStatus:
    return pb.ProtocolStatus(code=pb.ProtocolStatusCode.ValueType(code), message=message)


def data_change(sequence: int, item_handle: int = 1, value: pb.MxValue | None = None, quality: int = 192) -> pb.MxEvent:
    event = pb.MxEvent(
        family=pb.MX_EVENT_FAMILY_ON_DATA_CHANGE,
        server_handle=1,
        item_handle=item_handle,
        value=value
        or pb.MxValue(int32_value=sequence % 2**31, data_type=pb.MX_DATA_TYPE_INTEGER, variant_type="VT_I4"),
        quality=quality,
        worker_sequence=sequence,
        statuses=[pb.MxStatusProxy(success=-1, category=pb.MX_STATUS_CATEGORY_OK, detected_by=2)],
        on_data_change=pb.OnDataChangeEvent(),
    )
    event.source_timestamp.FromNanoseconds(1_700_000_000_000_000_000 + sequence)
    event.worker_timestamp.FromNanoseconds(1_700_000_000_000_000_000 + sequence)
    return event


def write_complete(sequence: int, item_handle: int, success: int = -1, detail: int = 0) -> pb.MxEvent:
    category = pb.MX_STATUS_CATEGORY_OK if success else pb.MX_STATUS_CATEGORY_SECURITY_ERROR
    return pb.MxEvent(
        family=pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE,
        server_handle=1,
        item_handle=item_handle,
        worker_sequence=sequence,
        statuses=[pb.MxStatusProxy(success=success, category=category, detected_by=2, detail=detail)],
        on_write_complete=pb.OnWriteCompleteEvent(),
    )


@dataclass
class FakeGateway(MxAccessGatewayServicer, GalaxyRepositoryServicer):
    """The servicers. The lists are what was asked, oldest first."""

    capabilities: tuple[str, ...] = ("bulk-read-commands", "bulk-write-commands", "event-batches")
    gateway_protocol_version: int = 3
    is_simulated: bool = False
    objects: list[galaxy_pb.GalaxyObject] = field(default_factory=list)
    page_size: int = 2
    endpoint: str = ""
    # Whether a stream is announced before its first event, as the real gateway does.
    announces_streams: bool = False
    # Whether a root is looked for; what is below it is not.
    finds_roots: bool = False

    def __post_init__(self) -> None:
        self.requests: list[Any] = []
        self.commands: list[pb.MxCommandRequest] = []
        self.metadata: list[dict[str, Any]] = []
        self.stream_requests: list[pb.StreamEventsRequest] = []
        self.answers: dict[str, Answer] = {}
        self.calls: dict[str, int] = {}
        self.scripts: dict[str, list[Any]] = {}
        # Each stream first sends this many of the events, then whatever is put into `live`.
        self.events: list[Any] = []
        self.live: asyncio.Queue[Any] = asyncio.Queue()
        self.streams_open = 0
        self.cancelled: list[str] = []
        self.hold = asyncio.Event()
        self.batches: list[pb.MxCommandBatch] = []
        self.alarm_streams: list[list[Any]] = []
        # What StreamAlarms sends before it ends.
        self.alarm_messages = [
            pb.AlarmFeedMessage(
                active_alarm=pb.ActiveAlarmSnapshot(alarm_full_reference=r"\\Galaxy!DEV.TestMachine_001.TestAlarm001")
            ),
            pb.AlarmFeedMessage(snapshot_complete=True),
        ]
        self.alarms_live: asyncio.Queue[Any] = asyncio.Queue()
        self.deploy_events: list[galaxy_pb.DeployEvent] = []
        self.items: dict[int, str] = {}
        self._next_item = 1
        # What the caller calls each item, from the command on: its events may come before the reply.
        self.client_handles: dict[int, int] = {}

    def answer(self, arm: str, answer: Answer | Any) -> None:
        """Answers a command (by the name of its arm) with a reply, an Abort, or a function of the request."""
        self.answers[arm] = answer if callable(answer) else lambda _request: answer

    def script(self, method: str, *steps: Any) -> None:
        """The next answers of another rpc, in order; an Abort fails the call. Afterwards the plain answer again."""
        self.scripts.setdefault(method, []).extend(steps)

    def put(self, *events: Any) -> None:
        """Sends events (or ends the stream with an Abort) on the open stream."""
        for event in events:
            self.live.put_nowait(event)

    def commands_of(self, arm: str) -> list[Any]:
        """The payloads of the commands of one kind."""
        return [getattr(r.command, arm) for r in self.commands if r.command.WhichOneof("payload") == arm]

    # ------------------------------------------------------------------------------------------------------ gateway

    async def _begin(self, method: str, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata() or ()))
        self.calls[method] = self.calls.get(method, 0) + 1
        steps = self.scripts.get(method)
        step = steps.pop(0) if steps else None
        if step == "hold":
            try:
                await self.hold.wait()
            except asyncio.CancelledError:
                self.cancelled.append(method)
                raise
            step = None
        return await _resolve(step, context)

    async def OpenSession(self, request: Any, context: Any) -> Any:
        return await self._begin("OpenSession", request, context) or pb.OpenSessionReply(
            session_id="session-" + "0" * 31 + "1",
            backend_name="fake",
            worker_process_id=4711,
            worker_protocol_version=1,
            gateway_protocol_version=self.gateway_protocol_version,
            capabilities=self.capabilities,
            protocol_status=ok(),
            is_simulated=self.is_simulated,
        )

    async def CloseSession(self, request: Any, context: Any) -> Any:
        return await self._begin("CloseSession", request, context) or pb.CloseSessionReply(
            session_id=request.session_id, final_state=pb.SESSION_STATE_CLOSED, protocol_status=ok()
        )

    async def ListSessions(self, request: Any, context: Any) -> Any:
        return await self._begin("ListSessions", request, context) or pb.ListSessionsReply(
            max_sessions=64, max_sessions_of_key=48
        )

    async def Invoke(self, request: Any, context: Any) -> Any:
        self.commands.append(request)
        self._note_client_handles(request)
        if (scripted := await self._begin("Invoke", request, context)) is not None:
            return scripted
        arm = request.command.WhichOneof("payload")
        if arm in self.answers:
            answer = self.answers[arm](request)
            if asyncio.iscoroutine(answer):
                answer = await answer
            answered = await _resolve(answer, context)
            if answered is not None:
                answered.correlation_id = answered.correlation_id or request.client_correlation_id
                return answered
        return self.reply(request)

    async def InvokeStream(self, requests: Any, context: Any) -> AsyncIterator[Any]:
        session_id = ""
        self.streams_open += 1
        try:
            async for batch in requests:
                self.batches.append(batch)
                if not session_id:
                    await self._begin("InvokeStream", batch, context)
                session_id = session_id or batch.session_id
                replies = [
                    reply for each in batch.commands if (reply := await self._streamed(session_id, each, context))
                ]
                if replies:
                    yield pb.MxCommandReplyBatch(replies=replies)
        finally:
            self.streams_open -= 1

    async def _streamed(self, session_id: str, each: Any, context: Any) -> Any:
        request = pb.MxCommandRequest(
            session_id=session_id, client_correlation_id=each.correlation_id, command=each.command
        )
        self.commands.append(request)
        self._note_client_handles(request)
        arm = str(each.command.WhichOneof("payload"))
        answered = await _resolve(self.answers[arm](request), context) if arm in self.answers else self.reply(request)
        if answered is not None:
            answered.correlation_id = each.correlation_id
        return answered

    def reply(self, request: pb.MxCommandRequest) -> pb.MxCommandReply:
        """The plain answer to a command."""
        reply = pb.MxCommandReply(
            session_id=request.session_id,
            correlation_id=request.client_correlation_id,
            kind=request.command.kind,
            protocol_status=ok(),
            hresult=0,
        )
        arm = str(request.command.WhichOneof("payload"))
        payload = getattr(request.command, arm)
        if arm == "register":
            reply.register.server_handle = 1
        elif arm in ("add_item", "add_item2", "add_buffered_item"):
            getattr(reply, arm).item_handle = self._add(payload.item_definition)
        elif arm in ("suspend", "activate"):
            getattr(reply, arm).status.CopyFrom(pb.MxStatusProxy(success=-1, category=pb.MX_STATUS_CATEGORY_PENDING))
        elif arm in ("authenticate_user", "archestra_user_to_id"):
            getattr(reply, arm).user_id = 7
        elif arm in ("add_item_bulk", "subscribe_bulk"):
            for tag in payload.tag_addresses:
                getattr(reply, arm).results.add(
                    server_handle=payload.server_handle,
                    tag_address=tag,
                    item_handle=self._add(tag),
                    was_successful=True,
                )
            getattr(reply, arm).SetInParent()
        elif arm in ("advise_item_bulk", "remove_item_bulk", "un_advise_item_bulk", "unsubscribe_bulk"):
            for handle in payload.item_handles:
                getattr(reply, arm).results.add(
                    server_handle=payload.server_handle,
                    item_handle=handle,
                    tag_address=self.items.get(handle, ""),
                    was_successful=handle in self.items,
                    error_message="" if handle in self.items else "no such item",
                )
            getattr(reply, arm).SetInParent()
        elif arm in ("write_bulk", "write2_bulk", "write_secured_bulk", "write_secured2_bulk"):
            for entry in payload.entries:
                getattr(reply, arm).results.add(
                    server_handle=payload.server_handle, item_handle=entry.item_handle, was_successful=True, hresult=0
                )
            getattr(reply, arm).SetInParent()
        elif arm == "read_bulk":
            for index, tag in enumerate(payload.tag_addresses):
                result = reply.read_bulk.results.add(
                    server_handle=1, tag_address=tag, item_handle=index + 1, was_successful=True, was_cached=True
                )
                result.value.CopyFrom(pb.MxValue(int32_value=index, variant_type="VT_I4", data_type=4))
                result.quality = 192
                result.source_timestamp.FromSeconds(1_700_000_000)
            reply.read_bulk.SetInParent()
        elif arm == "ping":
            reply.diagnostic_message = payload.message
        elif arm == "get_session_state":
            reply.get_session_state.state = pb.SESSION_STATE_READY
        elif arm == "get_worker_info":
            reply.get_worker_info.CopyFrom(pb.WorkerInfoReply(worker_process_id=4711, worker_version="1.0"))
        elif arm == "drain_events":
            reply.drain_events.events.extend(self.events[: payload.max_events or None])
            reply.drain_events.SetInParent()
        return reply

    def _note_client_handles(self, request: pb.MxCommandRequest) -> None:
        arm = str(request.command.WhichOneof("payload"))
        if arm in ("add_item_bulk", "subscribe_bulk"):
            for index, number in enumerate(getattr(request.command, arm).client_handles):
                self.client_handles[self._next_item + index] = number

    def _with_client_handle(self, message: Any) -> Any:
        for event in message.events if isinstance(message, pb.MxEventBatch) else (message,):
            if isinstance(event, pb.MxEvent) and not event.client_handle:
                event.client_handle = self.client_handles.get(event.item_handle, 0)
        return message

    def _add(self, tag: str) -> int:
        handle, self._next_item = self._next_item, self._next_item + 1
        self.items[handle] = tag
        return handle

    async def StreamEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for event in self._stream("StreamEvents", request, context):
            yield event

    async def StreamEventBatches(self, request: Any, context: Any) -> AsyncIterator[Any]:
        async for event in self._stream("StreamEventBatches", request, context):
            yield event if isinstance(event, pb.MxEventBatch) else pb.MxEventBatch(events=[event])

    async def _stream(self, method: str, request: Any, context: Any) -> AsyncIterator[Any]:
        self.stream_requests.append(request)
        await self._begin(method, request, context)
        if self.announces_streams:
            await context.send_initial_metadata(())
        self.streams_open += 1
        try:
            for event in list(self.events):
                if isinstance(event, pb.MxEvent) and 0 < event.worker_sequence <= request.after_worker_sequence:
                    continue
                yield self._with_client_handle(await _resolve(event, context))
            while True:
                step = await self.live.get()
                if step is None:
                    return
                yield self._with_client_handle(await _resolve(step, context))
        except asyncio.CancelledError:
            self.cancelled.append(method)
            raise
        finally:
            self.streams_open -= 1

    async def AcknowledgeAlarm(self, request: Any, context: Any) -> Any:
        return await self._begin("AcknowledgeAlarm", request, context) or pb.AcknowledgeAlarmReply(
            correlation_id=request.client_correlation_id, protocol_status=ok(), hresult=0
        )

    async def StreamAlarms(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._begin("StreamAlarms", request, context)
        for message in self.alarm_messages:
            yield message

    async def StreamAlarmBatches(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._begin("StreamAlarmBatches", request, context)
        # The next script: batches in order, and then whatever is put into `alarms_live`.
        for step in self.alarm_streams.pop(0) if self.alarm_streams else ():
            yield await _resolve(step, context)
        while True:
            yield await _resolve(await self.alarms_live.get(), context)

    async def AcknowledgeAlarms(self, request: Any, context: Any) -> Any:
        return await self._begin("AcknowledgeAlarms", request, context) or pb.AcknowledgeAlarmsReply(
            protocol_status=ok(),
            results=[
                pb.AcknowledgeAlarmReply(
                    outcome=pb.ALARM_ACK_OUTCOME_ACKNOWLEDGED, alarm_full_reference=alarm.alarm_full_reference
                )
                for alarm in request.alarms
            ],
        )

    async def ShelveAlarms(self, request: Any, context: Any) -> Any:
        return await self._begin("ShelveAlarms", request, context) or pb.ShelveAlarmsReply(
            protocol_status=ok(),
            results=[
                pb.AlarmShelveResult(
                    outcome=pb.ALARM_SHELVE_OUTCOME_DONE, alarm_full_reference=target.alarm_full_reference
                )
                for target in request.targets
            ],
        )

    async def QueryAlarmHistory(self, request: Any, context: Any) -> AsyncIterator[Any]:
        if (page := await self._begin("QueryAlarmHistory", request, context)) is not None:
            yield page

    async def GetAlarmStatistics(self, request: Any, context: Any) -> Any:
        return await self._begin("GetAlarmStatistics", request, context) or pb.GetAlarmStatisticsReply(
            protocol_status=ok()
        )

    async def GetAlarmMonitorStatus(self, request: Any, context: Any) -> Any:
        return await self._begin("GetAlarmMonitorStatus", request, context) or pb.GetAlarmMonitorStatusReply(
            protocol_status=ok(), enabled=True
        )

    async def QueryActiveAlarms(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._begin("QueryActiveAlarms", request, context)
        yield pb.ActiveAlarmSnapshot(alarm_full_reference=r"\\Galaxy!DEV.TestMachine_001.TestAlarm001")

    # ------------------------------------------------------------------------------------------------------- galaxy

    async def TestConnection(self, request: Any, context: Any) -> Any:
        return await self._begin("TestConnection", request, context) or galaxy_pb.TestConnectionReply(ok=True)

    async def GetLastDeployTime(self, request: Any, context: Any) -> Any:
        if (scripted := await self._begin("GetLastDeployTime", request, context)) is not None:
            return scripted
        reply = galaxy_pb.GetLastDeployTimeReply(present=True)
        reply.time_of_last_deploy.FromSeconds(1_700_000_000)
        return reply

    async def DiscoverHierarchy(self, request: Any, context: Any) -> Any:
        if (scripted := await self._begin("DiscoverHierarchy", request, context)) is not None:
            return scripted
        objects = self.objects
        if self.finds_roots and request.root_tag_name:
            objects = [each for each in objects if each.tag_name.lower() == request.root_tag_name.lower()]
            if not objects:
                await context.abort(grpc.StatusCode.NOT_FOUND, f"no object {request.root_tag_name}")
        size, start = request.page_size or self.page_size, int(request.page_token or 0)
        page = [_with_origins(each, request) for each in objects[start : start + size]]
        token = str(start + size) if start + size < len(objects) else ""
        return galaxy_pb.DiscoverHierarchyReply(objects=page, next_page_token=token, total_object_count=len(objects))

    async def BrowseChildren(self, request: Any, context: Any) -> Any:
        if (scripted := await self._begin("BrowseChildren", request, context)) is not None:
            return scripted
        parent = request.parent_gobject_id
        if request.WhichOneof("parent") == "parent_tag_name":
            named = [each.gobject_id for each in self.objects if each.tag_name == request.parent_tag_name]
            if not named:
                await context.abort(grpc.StatusCode.NOT_FOUND, f"no object {request.parent_tag_name}")
            parent = named[0]
        children = [each for each in self.objects if each.parent_gobject_id == parent]
        start = int(request.page_token or 0)
        page = [_with_origins(each, request) for each in children[start : start + self.page_size]]
        parents = {each.parent_gobject_id for each in self.objects}
        return galaxy_pb.BrowseChildrenReply(
            children=page,
            next_page_token=str(start + self.page_size) if start + self.page_size < len(children) else "",
            total_child_count=len(children),
            child_has_children=[each.gobject_id in parents for each in page],
            cache_sequence=1,
        )

    async def WatchDeployEvents(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._begin("WatchDeployEvents", request, context)
        for event in self.deploy_events:
            if (
                request.HasField("last_seen_deploy_time")
                and event.time_of_last_deploy == request.last_seen_deploy_time
                and event is self.deploy_events[0]
            ):
                continue
            yield event
        await self.hold.wait()


def _with_origins(each: galaxy_pb.GalaxyObject, request: Any) -> galaxy_pb.GalaxyObject:
    """The object with the attributes that a request wants; those without an origin always, as an older gateway."""
    wanted = {*request.attribute_origins, 0}
    if wanted == {0} or all(attribute.origin in wanted for attribute in each.attributes):
        return each
    chosen = galaxy_pb.GalaxyObject()
    chosen.CopyFrom(each)
    del chosen.attributes[:]
    chosen.attributes.extend(attribute for attribute in each.attributes if attribute.origin in wanted)
    return chosen


async def _resolve(step: Any, context: Any) -> Any:
    if isinstance(step, Abort):
        await context.abort(step.code, step.details, step.trailers)
    return step


@asynccontextmanager
async def running_fake(
    gateway: FakeGateway | None = None, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[FakeGateway]:
    """Serves a fake gateway on a free port; TLS when credentials are given."""
    gateway = gateway or FakeGateway()
    server = grpc.aio.server()
    add_MxAccessGatewayServicer_to_server(gateway, server)
    add_GalaxyRepositoryServicer_to_server(gateway, server)
    if credentials is None:
        port = server.add_insecure_port("127.0.0.1:0")
    else:
        port = server.add_secure_port("localhost:0", credentials)
    await server.start()
    gateway.endpoint = f"127.0.0.1:{port}" if credentials is None else f"localhost:{port}"
    try:
        yield gateway
    finally:
        gateway.hold.set()
        await server.stop(0)
