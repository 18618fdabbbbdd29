"""The plant behind a gateway: one subscription of everything that is watched, kept up by the library."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NoReturn

from mxgateway import (
    ClientOptions,
    GalaxyRepositoryClient,
    GatewayClient,
    MxAccessError,
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayNotFoundError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    Subscription,
    SubscriptionState,
)
from mxgateway.house import redact
from mxgateway_cli.failures import first_cause
from mxgateway_cli.near_tags import hint
from mxgateway_cli.tui.gateway_alarms import GatewayAlarms
from mxgateway_cli.tui.plant import Branch, Link, Listener, Outcome
from mxgateway_cli.tui.words import failures
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

CLIENT_NAME = "mxgw-py tui"
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds before another attempt after a refusal that the library does not wait out; doubled after each one."""
WRITE_LIMIT = 15.0
"""Seconds that a write may take until its OnWriteComplete."""

_STANDS = (SubscriptionState.CONNECTED, SubscriptionState.RECOVERED)


class GatewayPlant:
    """A Plant over the client library.

    A subscription outlives what may pass: a connection that is lost, a session, a restart. What it ends for, such as a
    key that the gateway does not know, is tried again from here, since somebody may be mending it.
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
        self._subscription: Subscription | None = None
        self._refused: dict[str, str] = {}
        self._was_connected = False
        self._is_simulated = False
        self._galaxy: GalaxyRepositoryClient | None = None
        self._alarms = GatewayAlarms(options, read_only=read_only, sleep=sleep)

    @property
    def alarms(self) -> GatewayAlarms:
        return self._alarms

    @property
    def endpoint(self) -> str:
        return self._options.endpoint

    @property
    def read_only(self) -> bool:
        return self._read_only

    @property
    def is_simulated(self) -> bool:
        return self._is_simulated

    @property
    def problem(self) -> str:
        problem = self._subscription.last_interruption if self._subscription is not None else None
        return redact(str(problem), self._options.api_key) if problem is not None else ""

    def watch(self, tag: str) -> None:
        self._wanted.setdefault(tag.lower(), tag)
        self._changed.set()

    def unwatch(self, tag: str) -> None:
        self._wanted.pop(tag.lower(), None)
        self._changed.set()

    # --------------------------------------------------------------------------------------------------- connection

    async def run(self, listener: Listener) -> None:
        pause = FIRST_PAUSE
        listener.link_changed(Link.CONNECTING, "")
        try:
            while True:
                self._was_connected = False
                problem = ""
                try:
                    async with GatewayClient(self._options) as client:
                        await self._follow(client, listener)
                except* (MxGatewayError, OSError, ValueError) as group:
                    problem = redact(str(first_cause(group)), self._options.api_key)
                if self._was_connected:
                    pause = FIRST_PAUSE
                listener.link_changed(Link.RECONNECTING if self._was_connected else Link.CONNECTING, problem)
                await self._sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            if self._galaxy is not None:
                await self._galaxy.close()
                self._galaxy = None

    async def _follow(self, client: GatewayClient, listener: Listener) -> None:
        """Serves one subscription until it ends for good."""
        tags = list(self._wanted.values())
        self._refused = {}
        self._changed.set()
        try:
            async with client.subscribe(tags, client_session_name=CLIENT_NAME, patient=True) as subscription:
                self._subscription = subscription
                async with asyncio.TaskGroup() as tasks:
                    turns = tasks.create_task(self._tell_turns(subscription, listener))
                    keeper = tasks.create_task(self._keep_subscribed(subscription, listener))
                    await _read(subscription, listener)
                    turns.cancel()
                    keeper.cancel()
        finally:
            self._subscription = None

    async def _tell_turns(self, subscription: Subscription, listener: Listener) -> None:
        async for state in subscription.states():
            self._tell_refusals(subscription, listener)
            if state in _STANDS:
                self._was_connected = True
                self._is_simulated = subscription.is_simulated
                listener.link_changed(Link.CONNECTED, subscription.session_id)
            elif state is SubscriptionState.RECONNECTING:
                listener.link_changed(Link.RECONNECTING, self.problem)

    async def _keep_subscribed(self, subscription: Subscription, listener: Listener) -> NoReturn:
        while True:
            await self._changed.wait()
            self._changed.clear()
            present = {tag.lower(): tag for tag in subscription.tags}
            if gone := [tag for key, tag in present.items() if key not in self._wanted]:
                await subscription.remove(gone)
            if fresh := [tag for key, tag in self._wanted.items() if key not in present]:
                await subscription.add(fresh)
            self._tell_refusals(subscription, listener)

    def _tell_refusals(self, subscription: Subscription, listener: Listener) -> None:
        refused, self._refused = self._refused, subscription.failures
        for tag, reason in self._refused.items():
            if refused.get(tag) != reason:
                listener.tag_refused(tag, reason)

    # ------------------------------------------------------------------------------------------------------- writes

    async def write(self, tag: str, value: pb.MxValue) -> Outcome:
        if self._read_only:
            return Outcome(False, "this is read-only mode; nothing was sent")
        subscription, known = self._subscription, self._wanted.get(tag.lower(), tag)
        if subscription is None or subscription.state not in _STANDS:
            return Outcome(False, "there is no connection; nothing was sent")
        try:
            await subscription.write(known, value, timeout=self._write_limit)
        except (MxGatewayError, ValueError) as error:
            return self._refusal(error)
        return Outcome(True, "written; MXAccess has confirmed it")

    def _refusal(self, error: Exception) -> Outcome:
        text = redact(str(error), self._options.api_key)
        if isinstance(error, MxAccessError):
            return Outcome(False, f"MXAccess refused the write: {failures(error.statuses) or text}")
        # Without a status of gRPC it is the library that says so, before anything was sent.
        if isinstance(error, MxGatewayConnectionError) and error.grpc_code is None:
            return Outcome(False, f"there is no connection; nothing was sent ({text})")
        if isinstance(error, MxGatewayTimeoutError | MxGatewayTransportError):
            return Outcome(None, f"outcome unknown, the write may still take effect; watch the value: {text}")
        return Outcome(False, f"the gateway refused the write: {text}")

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

    async def attributes(self, object_name: str) -> Sequence[galaxy_pb.GalaxyAttribute]:
        try:
            objects = [each async for each in self._repository().iter_hierarchy(root=object_name, max_depth=0)]
        except MxGatewayNotFoundError:
            return ()
        return [attribute for each in objects for attribute in each.attributes]

    async def hint(self, tag: str) -> str:
        return await hint(self._repository(), tag)

    def _repository(self) -> GalaxyRepositoryClient:
        if self._galaxy is None:
            self._galaxy = GalaxyRepositoryClient(self._options)
        return self._galaxy


async def _read(subscription: Subscription, listener: Listener) -> None:
    async for changes in subscription.batches():
        if lost := sum(change.lost_before for change in changes):
            listener.events_lost(lost)
        listener.values_came(changes)
