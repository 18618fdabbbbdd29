"""A gateway whose alarm worker is scripted, and the bare server beside it: the same bytes to the same streams.

Usage: python -m benches.alarm_server STATE_DIR GALAXY ALARMS | --floor; the first line that it prints has the port, and
for each line on its standard input it prints one with what it found.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import psutil

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.batches import join_events
from mxgateway_server.alarms.link import AlarmLink
from mxgateway_server.app import Gateway
from mxgateway_server.config.sources import load
from mxgateway_server.errors import GatewayError, WorkerExitedError
from mxgateway_server.events.chunks import EventChunk
from mxgateway_server.logs import configure

STEP = 0.005
"""Seconds between two reports of the scripted worker, as often as a real one flushes."""
METHOD = "/mxaccess_gateway.v1.MxAccessGateway/StreamAlarmBatches"
AREAS = 10
_FLOOR_STEP = 0.02
_PAGE = 2000
_OK = pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK)
_CYCLE = (
    (pb.ALARM_TRANSITION_KIND_ACKNOWLEDGE, pb.ALARM_STATE_ACK_ALM),
    (pb.ALARM_TRANSITION_KIND_CLEAR, pb.ALARM_STATE_ACK_RTN),
    (pb.ALARM_TRANSITION_KIND_RAISE, pb.ALARM_STATE_UNACK_ALM),
)
"""What happens to each alarm in turn."""


def facts(number: int) -> dict[str, Any]:
    """The facts of one alarm, about 300 bytes in all."""
    area = f"Area_{number % AREAS}"
    return {
        "alarm_full_reference": f"Galaxy!{area}.Machine_{number:05}.Pressure.Hi",
        "source_object_reference": f"Machine_{number:05}.Pressure.Hi",
        "alarm_type_name": "VALUE",
        "severity": 1 + number % 999,
        "category": area,
        "description": "the pressure of the machine is above its high limit",
        "provider_name": "Galaxy",
        "group_name": area,
        "alarm_name": f"Machine_{number:05}.Pressure.Hi",
        "alarm_class": "VALUE",
        "area_path": [area],
        "mode": pb.ALARM_MODE_ENABLED,
    }


def guid(number: int, turn: int) -> str:
    """Of the occurrence that this turn belongs to: it begins with the raise, the last of a cycle."""
    return f"{number:08x}-0000-0000-0000-{(turn + 1) // len(_CYCLE) % 2:012x}"


def transition(number: int, turn: int, now_ns: int) -> pb.MxEvent:
    """The change of an alarm in this turn of its cycle."""
    kind, state = _CYCLE[turn % len(_CYCLE)]
    event = pb.OnAlarmTransitionEvent(transition_kind=kind, state=state, **facts(number))
    event.alarm_guid = guid(number, turn)
    event.transition_timestamp.FromNanoseconds(now_ns)
    return pb.MxEvent(family=pb.MX_EVENT_FAMILY_ON_ALARM_TRANSITION, on_alarm_transition=event)


class Source:
    """Changes one after the other, serialised before anything is measured; the first of each step is stamped."""

    def __init__(self, alarms: int) -> None:
        self._alarms = alarms
        self._ready: list[bytes] = []
        self.sent = 0

    def next(self, count: int) -> bytes:
        """The next changes as the elements of a batch."""
        if not self._ready:
            # Not before it is needed: it would count as the gateway's memory.
            self._ready = [
                transition(number, turn, 1_750_000_000_000_000_000).SerializeToString()
                for turn in range(2 * len(_CYCLE))
                for number in range(self._alarms)
            ]
        place = self.sent % len(self._ready)
        taken = self._ready[place : place + count]
        taken += self._ready[: count - len(taken)]
        turn, number = divmod(place, self._alarms)
        taken[0] = transition(number, turn, time.time_ns()).SerializeToString()
        self.sent += count
        return join_events(taken)


class ScriptedWorker:
    """An AlarmLink without a process: a list, its pages, and changes at a rate."""

    def __init__(self, alarms: int) -> None:
        self.source = Source(alarms)
        self._alarms = alarms
        self._on_events: Callable[[EventChunk], None] | None = None
        self._on_fault: Callable[[GatewayError], None] | None = None
        self._sequence = 0
        self._cut = (0, 0)
        self.history_lost: Callable[[], int] = lambda: 0

    async def open(self, on_events: Callable[[EventChunk], None], on_fault: Callable[[GatewayError], None]) -> None:
        self._on_events, self._on_fault = on_events, on_fault
        self._sequence = 0

    async def call(self, command: pb.MxCommand, timeout: float) -> pb.MxCommandReply:
        if self._on_events is None:
            raise WorkerExitedError("it is gone", exit_code=None)
        reply = pb.MxCommandReply(kind=command.kind, protocol_status=_OK)
        if command.WhichOneof("payload") == "query_active_alarms":
            query, page = command.query_active_alarms, reply.query_active_alarms
            start = int(query.after_reference or 0)
            if not start:
                self._cut = (self.source.sent, self._sequence)
            # Made as they are asked for: a whole list beside the gateway's would count as the gateway's memory.
            limit = query.limit or _PAGE
            page.snapshots.extend(self._present(self._cut[0], start, start + limit))
            page.total, page.cut_token, page.as_of_worker_sequence = self._alarms, "cut", self._cut[1]
            page.mode = pb.ALARM_PROVIDER_MODE_ALARMMGR
            if start + limit < self._alarms:
                page.next_after = str(start + limit)
        return reply

    def _present(self, sent: int, first: int, last: int) -> list[pb.ActiveAlarmSnapshot]:
        turn, reached = divmod(sent, self._alarms)
        found = []
        for number in range(first, min(last, self._alarms)):
            done = turn + (number < reached)
            state = _CYCLE[(done - 1) % len(_CYCLE)][1]
            if state == pb.ALARM_STATE_ACK_RTN:
                continue
            alarm = pb.ActiveAlarmSnapshot(state=state, **facts(number))
            alarm.alarm_guid = guid(number, done - 1)
            alarm.original_raise_timestamp.FromNanoseconds(1_750_000_000_000_000_000)
            alarm.last_transition_timestamp.FromNanoseconds(1_750_000_000_000_000_000)
            found.append(alarm)
        return found

    def check(self) -> None: ...

    async def close(self) -> None:
        self._on_events = self._on_fault = None

    @property
    def worker_pid(self) -> int:
        return 0

    @property
    def session_id(self) -> str:
        return "session-" + "a" * 32

    def tell(self, count: int) -> None:
        """So many changes happen."""
        data = self.source.next(count)
        if self._on_events is not None:
            first, self._sequence = self._sequence + 1, self._sequence + count
            self._on_events(EventChunk(first_sequence=first, count=count, data=data, received_ns=time.time_ns()))

    def die(self) -> None:
        """The worker's process ends."""
        assert self._on_fault is not None
        self._on_fault(WorkerExitedError("the worker process ended (signal 9)", exit_code=-9))

    def switch(self, mode: int, reason: int) -> None:
        """Another provider speaks."""
        assert self._on_events is not None
        self._sequence += 1
        event = pb.MxEvent(
            family=pb.MX_EVENT_FAMILY_ON_ALARM_PROVIDER_MODE_CHANGED,
            on_alarm_provider_mode_changed=pb.OnAlarmProviderModeChangedEvent(
                mode=pb.AlarmProviderMode.ValueType(mode), reason_code=pb.AlarmProviderReason.ValueType(reason)
            ),
        )
        data = join_events([event.SerializeToString()])
        chunk = EventChunk(first_sequence=self._sequence, count=1, data=data, received_ns=time.time_ns())
        self._on_events(chunk)


class FloorServer:
    """Streams of prepared batches, the same bytes to each: what fanning out costs without a gateway."""

    def __init__(self) -> None:
        self._streams: set[asyncio.Queue[bytes]] = set()

    async def stream(self, _request: bytes, context: Any) -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._streams.add(queue)
        try:
            await context.send_initial_metadata(())
            while True:
                yield await queue.get()
        finally:
            self._streams.discard(queue)

    def handler(self) -> grpc.GenericRpcHandler:
        service, method = METHOD.strip("/").split("/")
        return grpc.method_handlers_generic_handler(
            service, {method: grpc.unary_stream_rpc_method_handler(self.stream)}
        )

    def tell(self, batch: bytes) -> None:
        for queue in self._streams:
            queue.put_nowait(batch)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def at_rate(
    rate: int,
    seconds: float,
    step: float,
    tell: Callable[[int], None],
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> dict[str, Any]:
    """So many changes a second for so long; what this process needed for it."""
    per_step = max(1, round(rate * step))
    begin, cpu, told = clock(), _cpu(), 0
    while (now := clock()) - begin < seconds:
        while told < rate * (now - begin):
            tell(per_step)
            told += per_step
        await sleep(step)
    elapsed = clock() - begin
    return {"told": told, "perSecond": round(told / elapsed), "cores": round((_cpu() - cpu) / elapsed, 3)}


async def _lines() -> AsyncIterator[dict[str, Any]]:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield json.loads(line)


def _say(**found: Any) -> None:
    print(json.dumps(found), flush=True)


async def serve_floor() -> None:
    """The bare server until the end of its input."""
    floor, source = FloorServer(), Source(2000)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((floor.handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    _say(port=port)

    def tell(count: int) -> None:
        source.sent += count
        floor.tell(prepared[count])

    prepared: dict[int, bytes] = {}
    async for asked in _lines():
        if "rate" not in asked:
            _say(rssMiB=round(_rss() / 2**20, 2))
            continue
        count = max(1, round(asked["rate"] * _FLOOR_STEP))
        events = [transition(n % 2000, 0, time.time_ns()).on_alarm_transition for n in range(count)]
        batch = pb.AlarmFeedBatch(messages=[pb.AlarmFeedMessage(transition=each) for each in events])
        prepared[count] = batch.SerializeToString()
        _say(**await at_rate(asked["rate"], asked["seconds"], _FLOOR_STEP, tell))
    await server.stop(0)


async def serve(state_dir: Path, galaxy: str, alarms: int) -> None:
    """The gateway until the end of its input."""
    worker = ScriptedWorker(alarms)

    class Scripted(Gateway):
        def _alarm_link(self, *_: object) -> AlarmLink:
            return worker

    flags = {
        "state_dir": str(state_dir),
        "listen": "",
        "listen_plaintext": "127.0.0.1:0",
        "galaxy.connection_string": galaxy,
        "worker.pool_size": 0,
        "alarms.enabled": True,
        "alarms.default_area": "Plant",
        "alarms.streams.per_key": 256,
        "logging.level": "error",
    }
    configure("error", stream=sys.stderr)
    gateway = Scripted(load(None, flags))

    started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(gateway.run(started.set_result))
        await asyncio.wait((task, started), return_when=asyncio.FIRST_COMPLETED)
        (address,) = (each.address for each in started.result().endpoints if not each.is_tls)
        status = started.result().status

        def history_lost() -> int:
            alarms = status().alarms
            return 0 if alarms is None else alarms.history_lost

        worker.history_lost = history_lost
        # As `mxgateway serve` does.
        gc.collect()
        gc.freeze()
        _say(port=int(address.rpartition(":")[2]))
        with contextlib.suppress(asyncio.CancelledError):
            async for asked in _lines():
                _say(**await _do(worker, asked))
        gateway.request_stop()
        await task


async def _do(worker: ScriptedWorker, asked: dict[str, Any]) -> dict[str, Any]:
    if "rate" in asked:
        return await at_rate(asked["rate"], asked["seconds"], STEP, worker.tell)
    if "tell" in asked:
        worker.tell(int(asked["tell"]))
    elif "die" in asked:
        worker.die()
    elif "switch" in asked:
        worker.switch(int(asked["switch"]), int(asked["reason"]))
    return {
        "rssMiB": round(_rss() / 2**20, 2),
        "cpu": _cpu(),
        "at": time.time_ns(),
        "historyLost": worker.history_lost(),
    }


def _rss() -> int:
    """Bytes of this process's memory that are in use: what was freed is given back before."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    if sys.argv[1] == "--floor":
        asyncio.run(serve_floor())
    else:
        asyncio.run(serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
