"""The plant behind a gateway: one session, kept up, with everything that is watched subscribed in it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn

from mxgateway import (
    MAX_BULK_ITEMS,
    ClientOptions,
    GalaxyRepositoryClient,
    GatewayClient,
    MxAccessError,
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayTimeoutError,
    Session,
)
from mxgateway.house import redact
from mxgateway_cli.tui.plant import Branch, Link, Listener, Outcome
from mxgateway_cli.tui.words import failures
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_logger = logging.getLogger(__name__)

CLIENT_NAME = "mxgw-py tui"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds before a new attempt to connect; doubled after each failure."""
WRITE_LIMIT = 15.0
"""Seconds that a write may take until its OnWriteComplete."""


class _Live:
    """What belongs to one session."""

    def __init__(self, session: Session, server_handle: int) -> None:
        self.session = session
        self.server_handle = server_handle
        self.handles: dict[str, int] = {}
        self.tags: dict[int, str] = {}
        # Writes of an item complete in their order, so a late completion never passes for that of a later write.
        self.writes: dict[int, deque[asyncio.Future[pb.MxEvent]]] = {}


class GatewayPlant:
    """A Plant over the client library.

    After any failure of the connection or the session it opens a new session and subscribes everything anew: values
    of the time between are lost, the present ones come at once.
    """

    def __init__(
        self,
        options: ClientOptions,
        *,
        read_only: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        write_limit: float = WRITE_LIMIT,
    ) -> None:
        self._options = options
        self._read_only = read_only
        self._sleep = sleep
        self._write_limit = write_limit
        # Key: the reference in lower case, as MXAccess compares them.
        self._wanted: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._live: _Live | None = None
        # The session of a lost connection that could not be closed: its worker would live until its lease ends.
        self._left_open = ""
        self._galaxy: GalaxyRepositoryClient | None = None

    @property
    def endpoint(self) -> str:
        return self._options.endpoint

    @property
    def read_only(self) -> bool:
        return self._read_only

    def watch(self, tag: str) -> None:
        self._wanted.setdefault(tag.lower(), tag)
        self._changed.set()

    def unwatch(self, tag: str) -> None:
        self._wanted.pop(tag.lower(), None)
        self._changed.set()

    # --------------------------------------------------------------------------------------------------- connection

    async def run(self, listener: Listener) -> None:
        link, pause = Link.CONNECTING, FIRST_PAUSE
        listener.link_changed(link, "")
        try:
            while True:
                problem = ""
                was_connected = False

                def connected(session: Session) -> None:
                    nonlocal was_connected
                    was_connected = True
                    listener.link_changed(Link.CONNECTED, session.session_id)

                try:
                    await self._serve(listener, connected)
                except* (MxGatewayError, OSError, ValueError) as group:
                    problem = redact(str(first_cause(group)), self._options.api_key)
                if was_connected:
                    link, pause = Link.RECONNECTING, FIRST_PAUSE
                listener.link_changed(link, problem)
                await self._sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            if self._galaxy is not None:
                await self._galaxy.close()
                self._galaxy = None

    async def _serve(self, listener: Listener, connected: Callable[[Session], None]) -> None:
        async with await GatewayClient.connect(self._options) as client:
            await self._close_former(client)
            session = await client.open_session(client_session_name=CLIENT_NAME)
            try:
                async with session:
                    await self._use(session, listener, connected)
            finally:
                self._left_open = "" if session.closed else session.session_id

    async def _close_former(self, client: GatewayClient) -> None:
        former, self._left_open = self._left_open, ""
        if former:
            try:
                await client.attach_session(former).close()
            except MxGatewayError as error:
                # It is gone already, or ends with its lease.
                _logger.info("the session of the lost connection could not be closed: %s", error)

    async def _use(self, session: Session, listener: Listener, connected: Callable[[Session], None]) -> None:
        live = _Live(session, await session.register(CLIENT_NAME))
        self._live = live
        self._changed.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(live, listener, lambda: connected(session)))
                tasks.create_task(self._keep_subscribed(live, listener))
        finally:
            self._live = None
            for waiting in live.writes.values():
                for write in waiting:
                    if not write.done():
                        write.set_exception(MxGatewayConnectionError("the connection was lost during the write"))

    async def _read(self, live: _Live, listener: Listener, opened: Callable[[], None]) -> NoReturn:
        async with live.session.stream_events() as stream:
            opened()
            async for batch in stream.batches():
                changes = []
                for event in batch:
                    if event.HasField("replay_gap"):
                        listener.events_lost(event.replay_gap.dropped_events)
                    elif event.family == pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE:
                        _complete(live, event)
                    elif event.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE and event.item_handle in live.tags:
                        changes.append((live.tags[event.item_handle], event))
                if changes:
                    listener.values_came(changes)
        raise MxGatewayConnectionError("the gateway has ended the event stream")

    async def _keep_subscribed(self, live: _Live, listener: Listener) -> NoReturn:
        refused: set[str] = set()
        while True:
            await self._changed.wait()
            self._changed.clear()
            refused &= self._wanted.keys()
            gone = [key for key in live.handles if key not in self._wanted]
            if gone:
                handles = [live.handles.pop(key) for key in gone]
                for handle in handles:
                    live.tags.pop(handle, None)
                for start in range(0, len(handles), MAX_BULK_ITEMS):
                    await live.session.unsubscribe_bulk(live.server_handle, handles[start : start + MAX_BULK_ITEMS])
            fresh = [tag for key, tag in self._wanted.items() if key not in live.handles and key not in refused]
            for start in range(0, len(fresh), MAX_BULK_ITEMS):
                part = fresh[start : start + MAX_BULK_ITEMS]
                for tag, result in zip(part, await self._subscribe(live, part), strict=True):
                    if not result.was_successful:
                        refused.add(tag.lower())
                        listener.tag_refused(tag, result.error_message or "MXAccess refused the reference")

    async def _subscribe(self, live: _Live, tags: list[str]) -> list[pb.SubscribeResult]:
        # Items first, advise second: a first value may come before the reply, and has to find its tag.
        added = await live.session.add_item_bulk(live.server_handle, tags)
        handles = []
        for tag, result in zip(tags, added, strict=True):
            if result.was_successful:
                live.handles[tag.lower()] = result.item_handle
                live.tags[result.item_handle] = tag
                handles.append(result.item_handle)
        if not handles:
            return added
        advised = {
            result.item_handle: result for result in await live.session.advise_item_bulk(live.server_handle, handles)
        }
        return [advised.get(result.item_handle, result) if result.was_successful else result for result in added]

    # ------------------------------------------------------------------------------------------------------- writes

    async def write(self, tag: str, value: pb.MxValue) -> Outcome:
        if self._read_only:
            return Outcome(False, "this is read-only mode; nothing was sent")
        live = self._live
        handle = None if live is None else live.handles.get(tag.lower())
        if live is None or handle is None:
            return Outcome(False, "there is no connection; nothing was sent")
        completion: asyncio.Future[pb.MxEvent] = asyncio.get_running_loop().create_future()
        writes = live.writes.setdefault(handle, deque())
        writes.append(completion)
        try:
            async with asyncio.timeout(self._write_limit):
                try:
                    await live.session.write(live.server_handle, handle, value)
                except MxAccessError as error:
                    writes.remove(completion)
                    return Outcome(False, f"MXAccess refused the write: {failures(error.statuses) or error}")
                except (MxGatewayTimeoutError, MxGatewayConnectionError) as error:
                    return Outcome(None, f"outcome unknown, the write may still take effect: {error}")
                except MxGatewayError as error:
                    writes.remove(completion)
                    return Outcome(False, f"the gateway refused the write: {error}")
                event = await completion
        except MxGatewayConnectionError as error:
            return Outcome(None, f"outcome unknown, the write may still take effect: {error}")
        except TimeoutError:
            return Outcome(
                None, f"outcome unknown: OnWriteComplete did not come within {self._write_limit:g} s; watch the value"
            )
        if problem := failures(event.statuses):
            return Outcome(False, f"MXAccess refused the write: {problem}")
        return Outcome(True, "written; MXAccess has confirmed it")

    # ------------------------------------------------------------------------------------------------------- browse

    async def browse(self) -> Sequence[Branch]:
        return await self._repository().browse()

    async def search(self, text: str, limit: int) -> tuple[list[galaxy_pb.GalaxyObject], bool]:
        found: list[galaxy_pb.GalaxyObject] = []
        async for each in self._repository().iter_hierarchy(tag_name_glob=f"*{text}*", page_size=limit + 1):
            if len(found) == limit:
                return found, True
            found.append(each)
        return found, False

    def _repository(self) -> GalaxyRepositoryClient:
        if self._galaxy is None:
            self._galaxy = GalaxyRepositoryClient(self._options)
        return self._galaxy


def _complete(live: _Live, event: pb.MxEvent) -> None:
    # A pending completion announces another one.
    if any(status.category == pb.MX_STATUS_CATEGORY_PENDING for status in event.statuses):
        return
    waiting = live.writes.get(event.item_handle)
    if waiting:
        write = waiting.popleft()
        if not write.done():
            write.set_result(event)


def first_cause(group: BaseExceptionGroup[Exception]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
