"""The clients of a storm: each with a session of its own, a way to the gateway of its own, and something to do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field
from typing import Any

import grpc

from chaos.call_oracle import Ending
from chaos.event_oracle import Losses, SessionEvents, StreamEvents
from chaos.judge import Judge, describe, digest, ending_of
from chaos.plan import CALL
from chaos.proxy import TcpProxy
from chaos.write_oracle import Register
from mxgateway import (
    ClientOptions,
    GatewayClient,
    MxAccessError,
    MxGatewayError,
    MxGatewayResourceError,
    MxGatewaySessionError,
    MxGatewayWorkerError,
    Session,
)
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.generated.mxaccess_gateway_pb2_grpc import MxAccessGatewayStub

OPEN = 20.0
CLOSE = 12.0
_RETRY = 0.1

# gRPC would take megabytes on behalf of a reader that is slow; here what is not read stays with the gateway.
_NARROW_CHANNEL = (
    ("grpc.http2.lookahead_bytes", 16 * 1024),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.keepalive_time_ms", 5000),
    ("grpc.keepalive_timeout_ms", 2000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.use_local_subchannel_pool", 1),
)

_LOSSES = {
    pb.BACKPRESSURE_POLICY_UNSPECIFIED: Losses.NONE,
    pb.BACKPRESSURE_POLICY_FAIL_FAST: Losses.NONE,
    pb.BACKPRESSURE_POLICY_DISCONNECT_SUBSCRIBER: Losses.NONE,
    pb.BACKPRESSURE_POLICY_DROP_OLDEST: Losses.OLDEST,
    pb.BACKPRESSURE_POLICY_CONFLATE: Losses.REPLACED,
}
# These say that the session is gone, or of no use; after all others the same session goes on.
_SESSION_IS_OVER = (MxGatewaySessionError, MxGatewayWorkerError)


@dataclass(frozen=True, slots=True)
class Role:
    """What an actor does.

    Attributes:
        tags: what it advises.
        policy: backpressure policy of its streams; the session's own stays fail_fast.
        streams: how many it reads at once.
        read_pause: seconds between two messages of a slow reader, which takes few events at a time; below 0 it never
            reads at all.
        writes: whether it writes its own set point over and over.
        call_pause: seconds between two calls.
    """

    name: str
    tags: tuple[str, ...]
    policy: pb.BackpressurePolicy.ValueType = pb.BACKPRESSURE_POLICY_UNSPECIFIED
    streams: int = 1
    read_pause: float = 0.0
    writes: bool = False
    call_pause: float = 0.05


def _tags(template: str, width: int, count: int) -> tuple[str, ...]:
    return tuple(f"{template}_{n:0{width}d}.Value" for n in range(1, count + 1))


ROLES: dict[str, Role] = {
    "reader": Role("reader", _tags("Tick10", 4, 20)),
    "dropper": Role("dropper", _tags("Tick10", 4, 20), pb.BACKPRESSURE_POLICY_DROP_OLDEST, read_pause=0.1),
    "writer": Role("writer", (), writes=True),
    "idle": Role("idle", _tags("Quiet", 3, 20), call_pause=0.5),
    "conflater": Role("conflater", _tags("Tick10", 4, 20), pb.BACKPRESSURE_POLICY_CONFLATE, read_pause=0.1),
    "twin": Role("twin", _tags("Tick100", 4, 50), streams=2),
    "subscriber": Role("subscriber", _tags("Tick100", 4, 50)),
    "deaf": Role("deaf", _tags("Tick10", 4, 20), pb.BACKPRESSURE_POLICY_DROP_OLDEST, read_pause=-1.0),
    "flood": Role("flood", ("Flood_01.Value",), call_pause=0.2),
}


class SessionOverError(Exception):
    """The actor's session is of no use any more."""


@dataclass(slots=True)
class Counters:
    """What an actor did in all its sessions."""

    sessions: int = 0
    events: int = 0
    dropped: int = 0
    gaps: int = 0
    streams: int = 0
    resumed: int = 0
    writes_confirmed: int = 0
    writes_uncertain: int = 0


@dataclass(slots=True)
class _Life:
    """One session and what goes with it."""

    session: Session
    events: SessionEvents
    worker_pid: int
    server: int = 0
    items: dict[str, int] = field(default_factory=dict)
    streams: list[StreamEvents] = field(default_factory=list)
    completions: asyncio.Queue[bool] = field(default_factory=asyncio.Queue)


class Actor:
    """One client. `run` lasts until `stop` is set; then the session is settled, judged and closed.

    Attributes:
        proxy: its way to the gateway.
        session_id: of the session that is at work now; empty while there is none.
    """

    def __init__(self, role: Role, name: str, proxy: TcpProxy, api_key: str, judge: Judge, register: Register) -> None:
        self.role = role
        self.name = name
        self.proxy = proxy
        self.register = register
        self.counters = Counters()
        self.session_id = ""
        self.worker_pid = 0
        self.stop = asyncio.Event()
        self._api_key = api_key
        self._judge = judge
        self._broken: set[str] = set()
        self._values = itertools.count(1)
        self._tags = role.tags or (register.tag,)

    async def run(self) -> None:
        """Lives session after session."""
        while not self.stop.is_set():
            try:
                await self._connected()
            except MxGatewayError:
                # Judged where it happened.
                self._broken.add("calls")
            except SessionOverError:
                pass
            await self._pause(_RETRY)

    async def _connected(self) -> None:
        options = ClientOptions(
            endpoint=self.proxy.address,
            api_key=self._api_key,
            plaintext=True,
            connect_timeout=CALL,
            call_timeout=CALL,
            shutdown_timeout=CLOSE,
            keepalive_time=5.0,
            keepalive_timeout=2.0,
        )
        async with contextlib.AsyncExitStack() as stack:
            if self.role.read_pause:
                channel = await stack.enter_async_context(
                    grpc.aio.insecure_channel(options.endpoint, options=_NARROW_CHANNEL)
                )
                client = GatewayClient(options, stub=MxAccessGatewayStub(channel))
            else:
                client = await self._call("connect", GatewayClient.connect(options))
            await stack.enter_async_context(client)
            while not self.stop.is_set():
                await self._one_session(client)
                await self._pause(_RETRY)

    async def _one_session(self, client: GatewayClient) -> None:
        life = await self._open(client)
        try:
            async with asyncio.TaskGroup() as group:
                readers = [group.create_task(self._read(client, life, n)) for n in range(self.role.streams)]
                await self._work(life)
                await self._settle(life)
                for reader in readers:
                    reader.cancel()
        except* SessionOverError:
            pass
        finally:
            self.session_id, self.worker_pid = "", 0
            life.events.finish(self._judge.now)
            self.counters.events += life.events.events
            self.counters.dropped += life.events.dropped
            self.counters.gaps += life.events.gaps
            if not self._judge_is_done():
                await self._close(life.session)

    def _judge_is_done(self) -> bool:
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    async def _open(self, client: GatewayClient) -> _Life:
        request = pb.OpenSessionRequest(client_session_name=self.name, client_correlation_id=self.name)
        reply = await self._call("OpenSession", client.open_session_raw(request, timeout=OPEN), OPEN)
        session = client.attach_session(reply.session_id, capabilities=tuple(reply.capabilities))
        self.counters.sessions += 1
        events = SessionEvents(self.name, self._judge.journal)
        life = _Life(session, events, reply.worker_process_id)
        self._note(f"session {reply.session_id}, worker {reply.worker_process_id}")
        try:
            life.server = await self._call("Register", session.register(self.name))
            events.adds_items(self._judge.now)
            results = await self._call("SubscribeBulk", session.subscribe_bulk(life.server, self._tags))
        except BaseException:
            await self._close(session)
            raise
        for result in results:
            life.items[result.tag_address] = result.item_handle
            if not result.was_successful:
                self._violation("bulk", f"SubscribeBulk {result.tag_address}: {result.error_message}")
        self.session_id, self.worker_pid = reply.session_id, reply.worker_process_id
        return life

    async def _close(self, session: Session) -> None:
        try:
            await self._call("CloseSession", session.close(), CLOSE)
        except MxGatewayError:
            # Judged; the lease ends what could not be closed.
            return

    # ------------------------------------------------------------------------------------------------------ calls

    async def _work(self, life: _Life) -> None:
        while not self.stop.is_set():
            try:
                # First of all a new session looks at what the one before has left.
                await self._compare(life)
                if self.role.writes:
                    await self._write(life)
                await self._ping(life)
            except _SESSION_IS_OVER as error:
                raise SessionOverError from error
            except MxGatewayError:
                self._broken.add("calls")
            else:
                self._mended("calls")
            await self._pause(self.role.call_pause)

    async def _ping(self, life: _Life) -> None:
        text = f"{self.name} {self._judge.now:.6f}"
        answer = await self._call("Ping", life.session.ping(text))
        if answer != text:
            self._violation("reply", f"Ping answered {answer!r} to {text!r}")

    async def _compare(self, life: _Life) -> None:
        """Reads its tags, and looks whether the set point is what it may be."""
        tags = self._tags[:6]
        results = await self._call("ReadBulk", life.session.read_bulk(life.server, tags, timeout_ms=1000))
        if [result.tag_address for result in results] != list(tags):
            self._violation("reply", f"ReadBulk of {tags} answered {[r.tag_address for r in results]}")
        if self.role.writes and results[0].was_successful and results[0].value.WhichOneof("kind") == "int32_value":
            self.register.read(results[0].value.int32_value, self._judge.now)

    async def _write(self, life: _Life) -> None:
        """One write, from the call to its completion; what stays unknown ends the session.

        Completions carry no correlation, so a late one would be taken for a later write's.
        """
        value = next(self._values)
        item = life.items[self.register.tag]
        self.register.sent(value)
        try:
            await self._call(f"Write {value}", life.session.write(life.server, item, value))
            async with asyncio.timeout(CALL):
                completed = await life.completions.get()
        except MxAccessError:
            self.register.refuse(value)
            raise
        except (MxGatewayError, TimeoutError) as error:
            self.register.unknown(value)
            self.counters.writes_uncertain += 1
            self._note(f"write of {value} unknown: {describe(error)}")
            if isinstance(error, TimeoutError) and not isinstance(error, MxGatewayError):
                self._judge.calls.broke(
                    self.name, f"completion of Write {value}", self._judge.now, Ending.TYPED, "none"
                )
            raise SessionOverError from error
        if completed:
            self.counters.writes_confirmed += 1
            self.register.confirm(value, self._judge.now)
        else:
            self.register.refuse(value)
            self._broke(f"Write {value}", Ending.TYPED, "a failed completion")

    # ----------------------------------------------------------------------------------------------------- events

    async def _read(self, client: GatewayClient, life: _Life, number: int) -> None:
        """Reads a stream, and goes on behind the last event whenever it breaks."""
        facet, last = f"stream {number}", 0
        while True:
            # A stream that broke before its first event begins anew from the beginning, as the first one does.
            trace = life.events.open_stream(last, _LOSSES[self.role.policy], self._judge.now, from_beginning=not last)
            life.streams.append(trace)
            self.counters.streams += 1
            self.counters.resumed += bool(last)
            try:
                if self.role.read_pause:
                    await self._read_slowly(client, life, trace, last)
                else:
                    await self._read_fast(life, trace, last, facet)
            except MxGatewayError as error:
                self._broke(facet, ending_of(error), describe(error))
                self._broken.add(facet)
                if isinstance(error, _SESSION_IS_OVER):
                    raise SessionOverError from error
                if isinstance(error, MxGatewayResourceError):
                    self._note("the stream was too slow")
            else:
                self._broke(facet, Ending.UNTYPED, "the end, without an error")
            life.streams.remove(trace)
            last = trace.last
            await asyncio.sleep(_RETRY)

    async def _read_fast(self, life: _Life, trace: StreamEvents, last: int, facet: str) -> None:
        async with life.session.stream_events(
            last, backpressure_policy=self.role.policy, from_beginning=not last
        ) as stream:
            # A stream that only waits is at work, too.
            self._broken.discard(facet)
            async for event in stream:
                self._take(life, trace, event)

    async def _read_slowly(self, client: GatewayClient, life: _Life, trace: StreamEvents, last: int) -> None:
        request = pb.StreamEventsRequest(
            session_id=life.session.session_id,
            after_worker_sequence=last,
            backpressure_policy=self.role.policy,
            max_batch_events=25,
            from_beginning=not last,
        )
        async with client.stream_event_batches_raw(request) as stream:
            if self.role.read_pause < 0:
                await asyncio.Event().wait()
            self._broken.clear()
            async for batch in stream:
                if batch.dropped_events:
                    trace.dropped(batch.dropped_events, self._judge.now)
                for event in batch.events:
                    self._take(life, trace, event)
                # In the end even a slow reader takes all that waits.
                await asyncio.sleep(0 if self.stop.is_set() else self.role.read_pause)

    def _take(self, life: _Life, trace: StreamEvents, event: Any) -> None:
        now = self._judge.now
        if event.HasField("replay_gap"):
            gap = event.replay_gap
            if gap.dropped_events:
                trace.dropped(gap.dropped_events, now)
            else:
                trace.gap(gap.requested_after_sequence, gap.oldest_available_sequence, now)
            return
        trace.event(event.worker_sequence, digest(event), now)
        if event.family == pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE:
            status = event.statuses[0] if event.statuses else None
            succeeded = status is None or (status.success != 0 and status.category == pb.MX_STATUS_CATEGORY_OK)
            life.completions.put_nowait(succeeded)

    # ------------------------------------------------------------------------------------------------- the very end

    async def _settle(self, life: _Life) -> None:
        """Un-advises everything, waits until no event comes any more, and judges what every stream has got."""
        try:
            handles = list(life.items.values())
            await self._call("UnAdviseItemBulk", life.session.unadvise_item_bulk(life.server, handles))
        except MxGatewayError:
            return
        if self.role.read_pause < 0:
            return
        seen, quiet = -1, 0
        while quiet < 5:
            quiet = quiet + 1 if life.events.events == seen else 0
            seen = life.events.events
            await asyncio.sleep(max(0.1, self.role.read_pause * 2))
        for trace in life.streams:
            trace.settled(self._judge.now)

    # ------------------------------------------------------------------------------------------------------- small

    async def _call(self, what: str, work: Any, timeout: float = CALL) -> Any:
        return await self._judge.call(self.name, what, timeout, work)

    def _broke(self, what: str, ending: Ending, detail: str) -> None:
        self._judge.calls.broke(self.name, what, self._judge.now, ending, detail)

    def _mended(self, facet: str) -> None:
        self._broken.discard(facet)
        if not self._broken:
            self._judge.calls.progress(self.name, self._judge.now)

    def _note(self, text: str) -> None:
        self._judge.journal.note(self.name, self._judge.now, text)

    def _violation(self, rule: str, text: str) -> None:
        self._judge.journal.violation(rule, self.name, self._judge.now, text)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            return
