"""A worker of the alarm monitor that a test drives: it has a plant, tells its changes, and misbehaves when told to."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.alarms.encoding import snapshot_bytes, transition_bytes
from mxgateway_server.alarms.model import Change, Kind, Origin, Provider, Report
from mxgateway_server.errors import GatewayError, WorkerExitedError
from mxgateway_server.events.chunks import EventChunk
from tests.support.alarm_plant import MACHINE, Plant, PlantAlarm, Worker

OK = pb.PROTOCOL_STATUS_CODE_OK
FAILURE = pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE


class ScriptedLink:
    """An AlarmLink without a process.

    Attributes:
        commands: every command that came.
        native_status: what acknowledgements are answered with; what is not 0 does nothing to the plant.
        is_deaf: acknowledgements are taken, and nothing comes of them.
        on_acknowledge: called before an acknowledgement is carried out.
        refuses_subscription: HRESULT with which it does.
        page: alarms of one page of its list.
    """

    def __init__(self, size: int = 6) -> None:
        self.plant = Plant(size)
        self.commands: list[pb.MxCommand] = []
        self.opened = 0
        self.native_status = 0
        self.is_deaf = False
        self.on_acknowledge: Callable[[], None] = lambda: None
        self.refuses_subscription: int | None = None
        self.fails_to_open = False
        self.fails_lists = False
        self.page = 4
        self.worker: Worker | None = None
        self._chance = random.Random(1)
        self._on_events: Callable[[EventChunk], None] | None = None
        self._on_fault: Callable[[GatewayError], None] | None = None
        self._cut: list[pb.ActiveAlarmSnapshot] = []
        self._as_of = 0

    # ---------------------------------------------------------------------------------------------- the monitor's side

    async def open(self, on_events: Callable[[EventChunk], None], on_fault: Callable[[GatewayError], None]) -> None:
        if self.fails_to_open:
            raise WorkerExitedError("it does not start", exit_code=1)
        self.opened += 1
        self._on_events, self._on_fault = on_events, on_fault

    async def call(self, command: pb.MxCommand, timeout: float) -> pb.MxCommandReply:
        if self._on_events is None:
            raise WorkerExitedError("it is gone", exit_code=None)
        self.commands.append(command)
        reply = pb.MxCommandReply(kind=command.kind, protocol_status=pb.ProtocolStatus(code=OK))
        arm = command.WhichOneof("payload")
        assert arm is not None
        getattr(self, f"_{arm}")(getattr(command, arm), reply)
        return reply

    def check(self) -> None: ...

    async def close(self) -> None:
        self._on_events = self._on_fault = self.worker = None

    @property
    def worker_pid(self) -> int:
        return 0 if self.worker is None else 4711

    @property
    def session_id(self) -> str:
        return "" if self.worker is None else "session-" + "a" * 32

    # ------------------------------------------------------------------------------------------------- the test's side

    def alarm(self, number: int) -> PlantAlarm:
        return self.plant.alarms[number]

    def reference(self, number: int) -> str:
        return self.plant.alarms[number].source.reference

    def happen(self, number: int, event: str) -> None:
        """Something happens to an alarm of the plant; it must be possible."""
        self.plant.now_ns += 5_000_000_000
        happened = self.plant.happen(self.alarm(number), event, self._chance)
        assert happened is not None
        if self.worker is not None:
            self.worker.saw(*happened)
            self.flush()

    def kill(self) -> None:
        """The worker dies."""
        assert self._on_fault is not None
        self._on_fault(WorkerExitedError("the worker process ended (signal 9)", exit_code=-9))

    def switch(self, provider: Provider, reason: int = 4) -> None:
        """Another provider speaks, or none does."""
        assert self.worker is not None
        self.worker.switch(provider)
        self.flush(reason)

    def flush(self, reason: int = 4) -> None:
        """What waits is told."""
        worker = self.worker
        if worker is None or self._on_events is None or not worker.on_the_way:
            return
        events = []
        first = worker.on_the_way[0][0]
        while worker.on_the_way:
            number, report = worker.on_the_way.popleft()
            events.append(_event(number, report, worker.provider, reason))
        data = pb.MxEventBatch(events=events).SerializeToString()
        self._on_events(EventChunk(first_sequence=first, count=len(events), data=data, received_ns=0))

    # -------------------------------------------------------------------------------------------------------- commands

    def _subscribe_alarms(self, command: pb.SubscribeAlarmsCommand, reply: pb.MxCommandReply) -> None:
        if self.refuses_subscription is not None:
            reply.protocol_status.code, reply.hresult = FAILURE, self.refuses_subscription
            reply.diagnostic_message = "the query was refused"
        elif self.worker is None:
            watched = frozenset(target.alarm_full_reference.casefold() for target in command.watch_list)
            self.worker = Worker(self.plant, watched=watched)

    def _query_active_alarms(self, query: pb.QueryActiveAlarmsCommand, reply: pb.MxCommandReply) -> None:
        assert self.worker is not None
        if self.fails_lists:
            reply.protocol_status.code = FAILURE
            return
        if not query.cut_token:
            snapshot = self.worker.snapshot()
            self._cut = [pb.ActiveAlarmSnapshot.FromString(snapshot_bytes(alarm)) for alarm in snapshot.alarms]
            self._as_of = snapshot.as_of
        start = int(query.after_reference or 0)
        page = reply.query_active_alarms
        page.snapshots.extend(self._cut[start : start + self.page])
        page.total, page.as_of_worker_sequence, page.cut_token = len(self._cut), self._as_of, "cut"
        page.mode = pb.AlarmProviderMode.ValueType(self.worker.provider)
        if start + self.page < len(self._cut):
            page.next_after = str(start + self.page)

    def _acknowledge_alarm_by_name(self, command: pb.AcknowledgeAlarmByNameCommand, reply: pb.MxCommandReply) -> None:
        self._acknowledge(command, reply.acknowledge_alarm)

    def _acknowledge_alarms_by_name(self, command: pb.AcknowledgeAlarmsByNameCommand, reply: pb.MxCommandReply) -> None:
        for alarm in command.alarms:
            self._acknowledge(alarm, reply.acknowledge_alarms_by_name.results.add())

    def _acknowledge(self, command: pb.AcknowledgeAlarmByNameCommand, result: Any) -> None:
        self.on_acknowledge()
        result.native_status = self.native_status
        if self.native_status or self.is_deaf:
            return
        number = self._number(command.provider_name, command.group_name, command.alarm_name)
        event = "dismiss" if command.dismiss else "ack"
        if (event, self.alarm(number).state) in MACHINE:
            self.happen(number, event)

    def _shelve_alarm(self, command: pb.ShelveAlarmCommand, reply: pb.MxCommandReply) -> None:
        reply.shelve_alarm.native_status = self.native_status
        if not self.native_status:
            number = self._number(command.provider_name, command.group_name, command.alarm_name)
            self.happen(number, "shelve" if command.duration.ToNanoseconds() else "unshelve")

    def _number(self, provider: str, group: str, name: str) -> int:
        key = f"{provider}!{group}.{name}".casefold()
        return next(n for n, alarm in enumerate(self.plant.alarms) if alarm.source.key == key)


def _event(number: int, report: Report | None, provider: Provider, reason: int) -> pb.MxEvent:
    if report is None:
        changed = pb.OnAlarmProviderModeChangedEvent(
            mode=pb.AlarmProviderMode.ValueType(provider),
            reason="scripted",
            reason_code=pb.AlarmProviderReason.ValueType(reason),
        )
        return pb.MxEvent(
            family=pb.MX_EVENT_FAMILY_ON_ALARM_PROVIDER_MODE_CHANGED,
            worker_sequence=number,
            on_alarm_provider_mode_changed=changed,
        )
    data = transition_bytes(Change(0, Kind(report.kind), Origin.LIVE, report.alarm, None, True))
    return pb.MxEvent(
        family=pb.MX_EVENT_FAMILY_ON_ALARM_TRANSITION,
        worker_sequence=number,
        on_alarm_transition=pb.OnAlarmTransitionEvent.FromString(data),
    )
