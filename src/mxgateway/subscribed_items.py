"""The items of a subscription in its session, kept equal to the tags that are wanted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn, TypeVar

from mxgateway.commands import checked
from mxgateway.contract import MAX_BULK_ITEMS
from mxgateway.errors import MxAccessError, MxGatewayCommandError
from mxgateway.reconnecting import is_transient
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from mxgateway.session_port import SessionPort

_logger = logging.getLogger(__name__)

T = TypeVar("T")


class SubscribedItems:
    """What is wanted, what is there, and the commands that make one of the other.

    One task at a time runs commands: whoever sets a session up, and `keep` from then on. `want` and `unwant` may be
    called at any time.
    """

    def __init__(self, tags: Iterable[str], supervisory: bool) -> None:
        self._tags: dict[str, None] = dict.fromkeys(checked_tags(tags))
        self._supervisory = supervisory
        self._failures: dict[str, str] = {}
        self._server_handle = 0
        self._is_set_up = False
        # Known from AddItem on, because a first value may come before Advise is answered; complete from Advise on.
        self._tag_of: dict[int, str] = {}
        self._advised: set[str] = set()
        self._unwanted: set[int] = set()
        self._asked = 0
        self._done = 0
        self._to_do = asyncio.Event()

    @property
    def tags(self) -> tuple[str, ...]:
        """The references that are wanted, each once."""
        return tuple(self._tags)

    @property
    def failures(self) -> dict[str, str]:
        """Wanted tags that were refused, with the reason."""
        return dict(self._failures)

    @property
    def advised(self) -> list[str]:
        """The tags whose changes come."""
        return [tag for tag in self._tags if tag in self._advised]

    def __contains__(self, tag: str) -> bool:
        return tag in self._tags

    def tag_of(self, event: pb.MxEvent) -> str | None:
        """The wanted tag that the event belongs to."""
        return self._tag_of.get(event.item_handle) if event.server_handle == self._server_handle else None

    # ------------------------------------------------------------------------------------------------------- wishes

    def want(self, tags: Iterable[str]) -> int:
        """Wants further tags; one that was refused is tried again. The number is for `is_done`."""
        for tag in tags:
            self._failures.pop(tag, None)
            self._tags.setdefault(tag)
        return self._ask()

    def unwant(self, tags: Iterable[str]) -> int:
        """Wants these tags no more: from now on no event belongs to them. The number is for `is_done`."""
        gone = set(tags) & self._tags.keys()
        for tag in gone:
            del self._tags[tag]
            self._failures.pop(tag, None)
        self._advised -= gone
        for handle in [handle for handle, tag in self._tag_of.items() if tag in gone]:
            self._discard(handle)
        return self._ask()

    def is_done(self, asked: int) -> bool:
        """Whether the session has what was wanted by then."""
        return self._done >= asked

    def _ask(self) -> int:
        self._asked += 1
        self._to_do.set()
        return self._asked

    # ----------------------------------------------------------------------------------------------------- commands

    async def subscribe(self, session: SessionPort) -> None:
        """Registers in a session that has nothing of this yet, and subscribes the tags.

        Raises:
            MxGatewayError: they cannot be subscribed at all. A single tag that is refused stands in `failures`.
        """
        self._is_set_up = False
        self._server_handle = await session.register("subscription")
        self._tag_of.clear()
        self._advised.clear()
        self._unwanted.clear()
        self._failures.clear()
        for chunk in _chunks(self.tags):
            if self._supervisory:
                await self._add(session, chunk)
                continue
            # Nobody looks at events yet, so one call does both.
            results = await session.subscribe_bulk(self._server_handle, chunk)
            for tag, result in zip(chunk, results, strict=True):
                if self._take(tag, result) is not None:
                    self._advised.add(tag)
        self._is_set_up = True

    async def keep(self, session: SessionPort, on_done: Callable[[], Awaitable[None]]) -> NoReturn:
        """Carries out what is wanted in the session, again and again.

        Raises:
            MxGatewayError: the session or the connection failed.
        """
        # What was asked for while there was no connection, and what the last interruption left half done.
        self._to_do.set()
        while True:
            await self._to_do.wait()
            self._to_do.clear()
            asked = self._asked
            await self._remove_unwanted(session)
            for chunk in _chunks([t for t in self._tags if t not in self._advised and t not in self._failures]):
                await self._add_each_if_need_be(session, chunk)
            self._done = asked
            await on_done()

    async def read(self, session: SessionPort) -> dict[str, pb.BulkReadResult]:
        """What the tags are now, by tag. Raises MxGatewayError."""
        results: dict[str, pb.BulkReadResult] = {}
        for chunk in _chunks(self.advised):
            results.update(zip(chunk, await session.read_bulk(self._server_handle, chunk), strict=True))
        return results

    async def remove_all(self, session: SessionPort) -> None:
        """Un-advises and removes the items, and unregisters. Raises MxGatewayError."""
        if not self._is_set_up and not self._tag_of:
            return
        self._unwanted.update(self._tag_of)
        await self._remove_unwanted(session)
        await session.unregister(self._server_handle)

    async def _add_each_if_need_be(self, session: SessionPort, tags: Sequence[str]) -> None:
        try:
            await self._add(session, tags)
        except MxGatewayCommandError as error:
            if is_transient(error):
                raise
            # Refused as a whole; only one by one shows whose fault it is.
            if len(tags) > 1:
                for tag in tags:
                    await self._add_each_if_need_be(session, (tag,))
            else:
                self._refuse(tags[0], error.message)

    async def _add(self, session: SessionPort, tags: Sequence[str]) -> None:
        added = await session.add_item_bulk(self._server_handle, tags)
        taken = [self._take(tag, result) for tag, result in zip(tags, added, strict=True)]
        handles = [handle for handle in taken if handle is not None]
        try:
            refusals = await self._advise(session, handles)
        except BaseException:
            # Whether they are advised is unknown: they go, and others come in their place.
            for handle in handles:
                self._discard(handle)
            raise
        for handle in handles:
            tag = self._tag_of.get(handle)
            if tag is None:
                continue
            if handle in refusals:
                self._discard(handle)
                self._refuse(tag, refusals[handle])
            else:
                self._advised.add(tag)

    async def _advise(self, session: SessionPort, handles: Sequence[int]) -> dict[int, str]:
        """Advises items; those that were refused, with the reason."""
        refusals: dict[int, str] = {}
        if not self._supervisory:
            results = await session.advise_item_bulk(self._server_handle, handles) if handles else []
            for handle, result in zip(handles, results, strict=True):
                if not result.was_successful:
                    refusals[handle] = result.error_message or "refused"
            return refusals
        for handle in handles:
            try:
                await session.advise_supervisory(self._server_handle, handle)
            except MxAccessError as error:
                refusals[handle] = error.message
        return refusals

    async def _remove_unwanted(self, session: SessionPort) -> None:
        for handles in _chunks(sorted(self._unwanted)):
            try:
                results = await session.unsubscribe_bulk(self._server_handle, handles)
                # An item that is not advised is not removed by that.
                left = [each for each, result in zip(handles, results, strict=True) if not result.was_successful]
                if left:
                    await session.remove_item_bulk(self._server_handle, left)
            except MxGatewayCommandError as error:
                if is_transient(error):
                    raise
                _logger.info("items of a subscription could not be removed: %s", error)
            self._unwanted.difference_update(handles)

    def _take(self, tag: str, result: pb.SubscribeResult) -> int | None:
        """Notes a new item; its handle, unless the tag was refused or is wanted no more."""
        if not result.was_successful:
            self._refuse(tag, result.error_message or "refused")
            return None
        if tag not in self._tags:
            self._discard(result.item_handle)
            return None
        self._tag_of[result.item_handle] = tag
        return result.item_handle

    def _discard(self, handle: int) -> None:
        self._tag_of.pop(handle, None)
        self._unwanted.add(handle)
        self._to_do.set()

    def _refuse(self, tag: str, reason: str) -> None:
        if tag in self._tags:
            self._failures[tag] = reason


def checked_tags(tags: Iterable[str]) -> list[str]:
    """References, as the contract takes them.

    Raises:
        TypeError: one string in place of a list, or something else than strings within it.
        ValueError: a text that cannot be sent.
    """
    if isinstance(tags, str):
        raise TypeError("tags is one string; give a list of references")
    wanted = list(tags)
    checked(pb.SubscribeBulkCommand, tag_addresses=wanted)
    return wanted


def _chunks(entries: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(entries), MAX_BULK_ITEMS):
        yield entries[start : start + MAX_BULK_ITEMS]
