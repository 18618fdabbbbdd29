"""Subscriptions that survive an interrupted connection, and never hide a gap."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from mxgateway.change_feed import ChangeFeed, SubscriptionState
from mxgateway.change_queue import ChangeQueue, OverflowPolicy
from mxgateway.confirmed_write import WriteOutcome, write_subscribed
from mxgateway.data_change import DataChange
from mxgateway.errors import MxGatewayError, MxGatewayTimeoutError
from mxgateway.owned_task import OwnedTask
from mxgateway.subscribed_items import SubscribedItems, checked_tags

if TYPE_CHECKING:
    from mxgateway.change_feed import SessionOpener
    from mxgateway.values import MxPython
    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_logger = logging.getLogger(__name__)

ChangeHandler: TypeAlias = Callable[[DataChange], Awaitable[None] | None]
"""Called with each change, in order; may be a coroutine function."""


class Subscription:
    """Changes of some tags, as an async iterator or through a handler. Made by `Session.subscribe`.

    When the stream breaks it is opened again where it ended: missed changes are replayed (`replayed`). When the gateway
    does not have them any more, the current values are read (`recovered`) and the first one's `lost_before` tells how
    many events of the session were lost. Nothing is ever written but by `write`, and that never twice.
    """

    def __init__(
        self,
        open_session: SessionOpener,
        tags: Iterable[str],
        *,
        owns_sessions: bool,
        queue_size: int = 10_000,
        overflow: OverflowPolicy = OverflowPolicy.DROP_OLDEST,
        handler: ChangeHandler | None = None,
        supervisory: bool = False,
        reconnect: bool = True,
        patient: bool = False,
        on_closed: Callable[[Subscription], None] = lambda _: None,
    ) -> None:
        self._items = SubscribedItems(tags, supervisory)
        self._queue = ChangeQueue(queue_size, overflow)
        self._queue.make_room(len(self._items.tags))
        self._queue.is_filling = True
        self._feed = ChangeFeed(
            open_session,
            self._items,
            self._queue,
            owns_sessions=owns_sessions,
            reconnects=reconnect,
            is_patient=patient,
            on_ended=lambda: on_closed(self),
        )
        self._is_patient = patient
        self._handler = handler
        self._pump = OwnedTask()
        self._handling = OwnedTask()

    def __repr__(self) -> str:
        failures = self.failures
        refused = f", {len(failures)} refused" if failures else ""
        return f"<Subscription of {len(self.tags)} tags, {self.state.value}{refused}>"

    # ---------------------------------------------------------------------------------------------------- observing

    @property
    def tags(self) -> tuple[str, ...]:
        """The references, each once; those that were refused are among them."""
        return self._items.tags

    @property
    def state(self) -> SubscriptionState:
        """Where the subscription stands now."""
        return self._feed.state

    @property
    def session_id(self) -> str:
        """The session that it lives in now; empty while there is none. The gateway's logs name it, too."""
        return self._feed.session.session_id if self._feed.session is not None else ""

    @property
    def is_simulated(self) -> bool:
        """Whether the values are a simulator's, not a plant's, as the session says that it lives in now."""
        return self._feed.session is not None and self._feed.session.is_simulated

    @property
    def error(self) -> MxGatewayError | None:
        """What ended the subscription; None while it runs and after an ordinary end."""
        return self._feed.error

    @property
    def failures(self) -> dict[str, str]:
        """Tags that could not be subscribed, with the reason.

        MXAccess takes any reference, so one that does not exist stands here only from its first value on, and that has
        `is_good` False; it goes from here when a value without a failure comes.
        """
        return {**self._feed.reader.unresolved, **self._items.failures}

    @property
    def gaps(self) -> int:
        """How often changes were lost between plant and queue."""
        return self._feed.reader.gaps

    @property
    def lost(self) -> int:
        """Events of the session that are known to be lost on their way from the gateway.

        What changed between the end of one session and the next one is not known, and not in it: see `new_sessions`.
        """
        return self._feed.reader.lost

    @property
    def interruptions(self) -> int:
        """How often the stream broke."""
        return self._feed.interruptions

    @property
    def last_interruption(self) -> MxGatewayError | None:
        """Why the stream broke last, or why it could not be opened (again) since; None before the first time."""
        return self._feed.last_interruption

    @property
    def new_sessions(self) -> int:
        """How often the session was lost and a new one was opened; each time is one of `gaps`."""
        return self._feed.new_sessions

    @property
    def dropped(self) -> int:
        """Changes that the overflow policy dropped."""
        return self._queue.dropped

    @property
    def waiting(self) -> int:
        """Changes in the queue now."""
        return len(self._queue)

    async def states(self) -> AsyncIterator[SubscriptionState]:
        """The state now and each later one, until CLOSED."""
        seen: SubscriptionState | None = None
        while seen is not SubscriptionState.CLOSED:
            seen = await self._feed.wait_for_turn(seen)
            yield seen

    # ---------------------------------------------------------------------------------------------------- consuming

    async def start(self) -> None:
        """Subscribes the tags. Called by `async with` and by the first iteration; idempotent.

        A patient subscription returns at once, and `state` tells when the tags are subscribed.

        Raises:
            MxGatewayError: the tags cannot be subscribed at all. A single tag that is refused stands in `failures`.
        """
        self._pump.check_loop()
        if self.state is not SubscriptionState.STARTING:
            return
        if not self._pump.is_running:
            self._pump.start(self._feed.run(), "subscription")
            if self._handler is not None:
                self._handling.start(self._call_handler(self._handler), "subscription handler")
        if self._is_patient:
            return
        try:
            await self._feed.wait_until(lambda: self.state is not SubscriptionState.STARTING)
        except BaseException:
            # Whoever gives up waiting leaves no subscription behind that nobody knows of.
            await self.aclose()
            raise
        if self.error is not None and not self._queue:
            raise self.error

    async def next_change(self, timeout: float | None = None) -> DataChange:
        """The next change.

        Args:
            timeout: seconds to wait; None for ever.

        Raises:
            MxGatewayTimeoutError: nothing changed in time.
            MxGatewayError: the subscription has failed for good; changes that were queued come first.
            StopAsyncIteration: the subscription was closed.
        """
        await self.start()
        try:
            async with asyncio.timeout(timeout):
                await self._wait_for_change()
        except TimeoutError as error:
            if isinstance(error, MxGatewayError):
                raise
            raise MxGatewayTimeoutError(f"no tag changed within {timeout:g} s", retryable=True) from error
        return await self._next()

    async def batches(self) -> AsyncIterator[list[DataChange]]:
        """All changes that wait, as one list at a time: the cheapest way to take very many.

        Raises:
            MxGatewayError: the subscription has failed for good; changes that were queued come first.
        """
        await self.start()
        while await self._wait_for_change():
            yield self._queue.take_all()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> DataChange:
        await self.start()
        return await self._next()

    async def _next(self) -> DataChange:
        while True:
            change = self._queue.take()
            if change is not None:
                return change
            if not await self._wait_for_change():
                raise StopAsyncIteration

    async def _wait_for_change(self) -> bool:
        """Waits until a change is there; False when none comes any more. Raises the error that ended it."""
        if not self._queue and self.state is not SubscriptionState.CLOSED:
            await self._feed.wait_until(lambda: bool(self._queue) or self.state is SubscriptionState.CLOSED)
        if not self._queue and self.error is not None:
            raise self.error
        return bool(self._queue)

    async def wait_closed(self) -> None:
        """Waits until the subscription has ended: for programs whose handler does the work.

        Raises:
            MxGatewayError: it has failed for good.
        """
        await self.start()
        await self._feed.wait_until(lambda: self.state is SubscriptionState.CLOSED)
        if self.error is not None:
            raise self.error

    # ------------------------------------------------------------------------------------------------- changing tags

    async def add(self, tags: Iterable[str]) -> None:
        """Subscribes further tags, while the subscription runs or before it starts.

        A tag that is there already stays as it is; one that was refused is tried again. The set outlives
        interruptions: while the stream is interrupted this returns at once, and the tags are subscribed when it is
        there again.

        Args:
            tags: references. Those that are refused stand in `failures` when this returns.

        Raises:
            TypeError: one string in place of a list, or something else than strings in it.
            MxGatewayError: the subscription has ended.
        """
        wanted = checked_tags(tags)
        self._feed.check_open()
        asked = self._items.want(wanted)
        self._queue.make_room(len(self._items.tags))
        await self._carried_out(asked)

    async def remove(self, tags: Iterable[str]) -> None:
        """Ends the subscription of some tags: their items are un-advised and removed.

        From the call on no change of these tags is delivered any more, also none that waits in the queue. A
        `lost_before` of theirs passes to the next change, since it counts events of the whole session. Tags that are
        not subscribed are left out. While the stream is interrupted this returns at once, and the items are removed
        when it is there again.

        Args:
            tags: references, spelt as they were subscribed.

        Raises:
            TypeError: one string in place of a list, or something else than strings in it.
            MxGatewayError: the subscription has ended.
        """
        gone = checked_tags(tags)
        self._feed.check_open()
        asked = self._items.unwant(gone)
        self._queue.discard(gone)
        self._feed.reader.forget(gone)
        await self._carried_out(asked)

    async def _carried_out(self, asked: int) -> None:
        """Waits until the session has what was asked for, or is interrupted: then the reconnect does it."""
        await self._feed.wait_until(lambda: not self._feed.is_serving or self._items.is_done(asked))
        if not self._items.is_done(asked):
            self._feed.check_open()

    # ------------------------------------------------------------------------------------------------------- writing

    async def write(
        self,
        tag: str,
        value: MxPython | Callable[[pb.MxEvent], MxPython],
        *,
        user_id: int = 0,
        verifier_id: int | None = None,
        timeout: float = 15.0,
    ) -> WriteOutcome:
        """Writes to a subscribed tag and waits for its OnWriteComplete, which comes on the same stream.

        Faster than `Session.write_and_confirm`, which adds and advises an item for each write. A write is sent once: an
        interruption of the stream is waited out, since the completion is replayed then, but nothing is sent again.

        Args:
            tag: one of `tags`.
            value: what to write, see `to_mx_value`; or a function of the present value (as an OnDataChange) that
                returns it.
            user_id: from `authenticate_user` of this subscription's session; 0 is no user.
            verifier_id: makes it a secured write (WriteSecured); the operator's own id again for one signature.
            timeout: seconds for all of it.

        Raises:
            ValueError: the tag is not subscribed, or was refused.
            MxAccessError: the tag has no value, or MXAccess refused or failed the write.
            MxGatewayConnectionError: the stream is interrupted now; nothing was sent.
            MxGatewayTimeoutError: no value, or no completion, in time. After the write was sent its outcome is unknown.
            MxGatewayTransportError: session or events were lost during the write; its outcome is unknown.
            MxGatewayError: the gateway failed, or the subscription has ended.
        """
        await self.start()
        self._feed.check_open()
        return await write_subscribed(self._feed, tag, value, user_id=user_id, verifier_id=verifier_id, timeout=timeout)

    # -------------------------------------------------------------------------------------------------------- ending

    async def aclose(self) -> None:
        """Ends the subscription: un-advises and removes its items as far as the gateway answers. Idempotent."""
        if self.state is SubscriptionState.CLOSED:
            return
        self._feed.is_closing = True
        await self._pump.stop()
        await self._handling.stop()
        await self._feed.end(None)

    async def __aenter__(self) -> Subscription:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _call_handler(self, handler: ChangeHandler) -> None:
        try:
            while True:
                change = await self._next()
                try:
                    outcome: Any = handler(change)
                    if inspect.isawaitable(outcome):
                        await outcome
                except Exception:
                    # One change that the handler cannot digest must not keep the others from it.
                    _logger.exception("the handler of a subscription failed on %s", change.tag)
        except StopAsyncIteration:
            return
        except MxGatewayError as error:
            # A handler is told changes only, so this is the place where its owner can learn of the end.
            _logger.error("a subscription has ended: %s", error)  # noqa: TRY400
