"""Tags that somebody watches in the dashboard: a session of his key's own, and the latest of each tag.

The commands pass the gate as those over gRPC do, so the key's limits hold tag by tag. Nothing is ever written. The
session takes no place of a client's; where its worker ends, the list says so and waits longer each time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.quality import quality_name
from mxgateway_protocol.clock import Clock
from mxgateway_server.access.authenticator import Caller
from mxgateway_server.access.callers import CallInfo
from mxgateway_server.access.scopes import Scope
from mxgateway_server.commands.gate import CommandGate
from mxgateway_server.dashboard.calls import Call
from mxgateway_server.dashboard.values import Shown, shown_value
from mxgateway_server.errors import (
    GatewayError,
    InvalidRequestError,
    SessionClosedError,
    SessionFaultedError,
    WorkerError,
)
from mxgateway_server.events.delivery import Waker, deliveries
from mxgateway_server.logs import get_logger
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.sessions.options import OpenOptions
from mxgateway_server.sessions.session import Session
from mxgateway_server.sessions.state import CloseReason

logger = get_logger(__name__)

MAX_TAGS = 50
IDLE_SECONDS = 30.0
CHECK_SECONDS = 5.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""How long a list whose worker has ended waits before it gets another; twice as long each time."""
WELL_SECONDS = 60.0
"""A list that has lived so long begins anew with the first pause."""
_NAME = "dashboard watch list"
_MAX_EVENTS, _MAX_BYTES = 2000, 1024 * 1024


@dataclass(slots=True)
class _Tag:
    error: str = ""
    handle: int = 0
    value: Shown | None = None
    quality: int = 0
    source_ns: int = 0
    changes: int = 0
    low: float | None = None
    high: float | None = None

    def take(self, event: pb.MxEvent) -> None:
        self.value = shown_value(event.value)
        self.quality, self.source_ns = event.quality, event.source_timestamp.ToNanoseconds()
        self.changes += 1
        number = self.value.number
        if number is not None:
            self.low = number if self.low is None else min(self.low, number)
            self.high = number if self.high is None else max(self.high, number)

    def row(self, tag: str) -> dict[str, Any]:
        value = self.value
        told = {
            "tag": tag,
            "error": self.error,
            "value": None if value is None else value.text,
            "number": None if value is None else value.number,
            "type": "" if value is None else value.kind,
            "quality": self.quality,
            "qualityWord": "" if value is None else quality_name(self.quality),
            "sourceMs": self.source_ns // 1_000_000 or None,
            "changes": self.changes,
            # What was between two looks shows in the plot as a band, so that no spike is lost.
            "low": self.low if self.low is not None or value is None else value.number,
            "high": self.high if self.high is not None or value is None else value.number,
        }
        self.low = self.high = None
        return told


@dataclass(slots=True)
class _Pause:
    """A key's list has no worker until then."""

    error: GatewayError
    seconds: float
    until: float


@dataclass(slots=True)
class _Watch:
    caller: Caller
    session: Session
    server: int
    opened_at: float
    asked_at: float
    tags: dict[str, _Tag] = field(default_factory=dict)
    handles: dict[int, _Tag] = field(default_factory=dict)
    early: dict[int, pb.MxEvent] = field(default_factory=dict)
    error: GatewayError | None = None


class WatchDesk:
    """The watch lists of all keys; a part of the gateway.

    Args:
        wanted: how its sessions are opened.
    """

    def __init__(self, sessions: SessionManager, gate: CommandGate, clock: Clock, wanted: OpenOptions) -> None:
        self._sessions = sessions
        self._gate = gate
        self._clock = clock
        self._wanted = replace(wanted, name=_NAME, policy=pb.BACKPRESSURE_POLICY_CONFLATE, is_kept=True, is_apart=True)
        self._watches: dict[str, _Watch] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._pauses: dict[str, _Pause] = {}
        self._group: asyncio.TaskGroup | None = None
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Reads events, and closes what nobody looks at any more, until `stop`."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            while not self._stop.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(CHECK_SECONDS):
                        await self._stop.wait()
                now = self._clock.monotonic()
                for key_id, watch in list(self._watches.items()):
                    if self._stop.is_set() or now - watch.asked_at > IDLE_SECONDS:
                        del self._watches[key_id]
                        # Its reader ends with its session.
                        await self._close(watch)
                for key_id, pause in list(self._pauses.items()):
                    if now - pause.until > WELL_SECONDS:
                        del self._pauses[key_id]
            self._group = None

    async def stop(self) -> None:
        self._stop.set()

    async def watch(self, call: Call, tags: Sequence[str]) -> list[dict[str, Any]]:
        """From now on these tags are watched for the key, and no others; tells what is known of each.

        Raises:
            InvalidRequestError: they are too many.
            GatewayError: no session can be opened for them.
        """
        wanted = list(dict.fromkeys(tags))
        if len(wanted) > MAX_TAGS or any(not tag or len(tag) > 500 for tag in wanted):
            raise InvalidRequestError(f"tags: at most {MAX_TAGS}, each with a name")
        key_id = call.who.key_id
        async with self._locks.setdefault(key_id, asyncio.Lock()):
            watch = self._watches.get(key_id)
            if watch is not None and (watch.error is not None or _reader(call.who) != watch.caller):
                # Its worker has ended, or the key may see other tags than before.
                del self._watches[key_id]
                if watch.error is not None:
                    self._pause(key_id, watch.error, watch.opened_at)
                await self._close(watch)
                watch = None
            if watch is None:
                if not wanted:
                    return []
                watch = self._watches[key_id] = await self._opened(call)
            watch.asked_at = self._clock.monotonic()
            await self._subscribe(watch, call, wanted)
        return self.values(call.who)

    def values(self, caller: Caller) -> list[dict[str, Any]]:
        """What is known of each tag that the key watches."""
        watch = self._watches.get(caller.key_id)
        if watch is None:
            return []
        watch.asked_at = self._clock.monotonic()
        problem = {} if watch.error is None else {"error": str(watch.error)}
        return [tag.row(name) | problem for name, tag in watch.tags.items()]

    async def _opened(self, call: Call) -> _Watch:
        key_id, now = call.who.key_id, self._clock.monotonic()
        pause = self._pauses.get(key_id)
        if pause is not None and now < pause.until:
            raise pause.error
        try:
            return await self._open(call)
        except GatewayError as error:
            self._pause(key_id, error, now)
            raise

    def _pause(self, key_id: str, error: GatewayError, since: float) -> None:
        """Leaves workers that end alone for a while; whatever else it was may be over already."""
        if not isinstance(error, WorkerError | SessionFaultedError):
            return
        now = self._clock.monotonic()
        before = self._pauses.get(key_id)
        seconds = FIRST_PAUSE
        if before is not None and now - since < WELL_SECONDS:
            seconds = min(2 * before.seconds, LONGEST_PAUSE)
        self._pauses[key_id] = _Pause(error, seconds, now + seconds)

    async def _open(self, call: Call) -> _Watch:
        caller = _reader(call.who)
        session = await self._sessions.open(caller, self._wanted)
        try:
            command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_REGISTER)
            command.register.client_name = "dashboard"
            reply = await self._command(session, caller, call, command)
            now = self._clock.monotonic()
            watch = _Watch(caller, session, reply.register.server_handle, now, now)
            assert self._group is not None
            self._group.create_task(self._read(watch), name="dashboard-watch")
        except BaseException:
            await self._sessions.close(session, CloseReason.CLIENT)
            raise
        return watch

    async def _subscribe(self, watch: _Watch, call: Call, wanted: list[str]) -> None:
        gone = [name for name in watch.tags if name not in wanted]
        handles = [tag.handle for tag in map(watch.tags.pop, gone) if tag.handle]
        if handles:
            command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_UNSUBSCRIBE_BULK)
            command.unsubscribe_bulk.server_handle = watch.server
            command.unsubscribe_bulk.item_handles.extend(handles)
            await self._command(watch.session, watch.caller, call, command)
            for handle in handles:
                watch.handles.pop(handle, None)
        new = [name for name in wanted if name not in watch.tags]
        if new:
            command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_SUBSCRIBE_BULK)
            command.subscribe_bulk.server_handle = watch.server
            command.subscribe_bulk.tag_addresses.extend(new)
            reply = await self._command(watch.session, watch.caller, call, command)
            for name, result in zip(new, reply.subscribe_bulk.results, strict=True):
                tag = watch.tags[name] = _Tag(error="" if result.was_successful else result.error_message)
                if result.was_successful:
                    tag.handle = result.item_handle
                    watch.handles[result.item_handle] = tag
                    # Its first value may have come before the reply was read.
                    if (early := watch.early.pop(result.item_handle, None)) is not None:
                        tag.take(early)
            watch.early.clear()

    async def _command(self, session: Session, caller: Caller, call: Call, command: pb.MxCommand) -> pb.MxCommandReply:
        info = CallInfo(
            caller=caller, address=call.address, method="dashboard watch", correlation_id=call.correlation_id
        )
        checked = self._gate.check(command, info, session.session_id, "")
        admitted = self._gate.admit(session, checked, info, session.command_timeout)
        session.flush()
        # What goes wrong is raised by `complete`, which cleans up first.
        with contextlib.suppress(GatewayError):
            await admitted.future
        return pb.MxCommandReply.FromString(self._gate.complete(session, admitted, info))

    async def _read(self, watch: _Watch) -> None:
        waker = Waker()
        subscriber = watch.session.hub.join(0, pb.BACKPRESSURE_POLICY_CONFLATE, waker)
        watch.session.record.attach(self._clock.monotonic(), "")
        try:
            async for delivery in deliveries(subscriber, waker, _MAX_EVENTS, _MAX_BYTES):
                for chunk in delivery.chunks:
                    for data in chunk.events():
                        event = pb.MxEvent.FromString(data)
                        tag = watch.handles.get(event.item_handle)
                        if event.family != pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
                            continue
                        if tag is not None:
                            tag.take(event)
                        elif len(watch.early) < MAX_TAGS:
                            watch.early[event.item_handle] = event
            watch.error = SessionClosedError("the session of this list was closed")
        except GatewayError as error:
            watch.error = error
        finally:
            watch.session.hub.leave(subscriber)
            watch.session.record.detach(self._clock.monotonic())

    async def _close(self, watch: _Watch) -> None:
        try:
            await self._sessions.close(watch.session, CloseReason.CLIENT)
        except GatewayError as error:
            logger.warning("watch_list_not_closed", session_id=watch.session.session_id, error=error)


def _reader(caller: Caller) -> Caller:
    """The key with the rights to read that a watch list needs, within its limits, and no others."""
    return replace(caller, scopes=frozenset({Scope.SESSION_OPEN, Scope.INVOKE_READ}))
