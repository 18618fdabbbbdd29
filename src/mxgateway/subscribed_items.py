"""The items of a subscription in its session, kept equal to the tags that are wanted."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn, TypeAlias, TypeVar

from mxgateway.commands import checked
from mxgateway.errors import MxAccessError, MxGatewayCommandError
from mxgateway.reconnecting import is_transient
from mxgateway_contract.constants import CAPABILITY_CLIENT_HANDLES
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from mxgateway.session_port import SessionPort

_logger = logging.getLogger(__name__)

T = TypeVar("T")
_Adder: TypeAlias = "Callable[[SessionPort, Sequence[str]], Awaitable[None]]"

_MAX_CALLS = 100
"""Calls under way at a time where there is no call for many items."""


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
        self._is_registered = False
        # Whether no tag was subscribed in this session yet: then one call adds and advises.
        self._is_empty = True
        # Clear while a reply is under way that names new items which may already send.
        self._all_known = asyncio.Event()
        self._all_known.set()
        # Whether such a reply was lost: its items are there, and nobody knows their handles.
        self._may_have_orphans = False
        # Known from AddItem on, because a first value may come before Advise is answered; complete from Advise on.
        self._tag_of: dict[int, str] = {}
        # Where the gateway echoes numbers of ours, each item that is added has one of its own, never used again: its
        # events are known before the reply is there, and those of an item that had the handle before are not its own.
        self._is_numbering = False
        self._numbers = itertools.count(1)
        self._tag_by_number: dict[int, str] = {}
        self._number_of: dict[int, int] = {}
        self._version = 0
        self._advised: dict[str, int] = {}
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
    def is_complete(self) -> bool:
        """Whether the session has all that is wanted now."""
        return self._done == self._asked

    @property
    def advised(self) -> list[str]:
        """The tags whose changes come."""
        return [tag for tag in self._tags if tag in self._advised]

    def __contains__(self, tag: str) -> bool:
        return tag in self._tags

    @property
    def version(self) -> int:
        """Another one whenever an item, or a number, may have another tag than before, or none any more."""
        return self._version

    @property
    def is_numbering(self) -> bool:
        """Whether the gateway echoes numbers of ours as client handles."""
        return self._is_numbering

    def tag_of(self, event: pb.MxEvent) -> str | None:
        """The wanted tag that the event belongs to."""
        if event.server_handle != self._server_handle:
            return None
        number = event.client_handle
        if number:
            return self._tag_by_number.get(number)
        return self._tag_of.get(event.item_handle)

    def item_of(self, tag: str) -> tuple[int, int] | None:
        """Server handle and item handle of an advised tag."""
        handle = self._advised.get(tag)
        return None if handle is None else (self._server_handle, handle)

    def renew(self, handles: Iterable[int]) -> None:
        """These items go, and others come in their place."""
        for handle in handles:
            tag = self._tag_of.get(handle)
            if tag is not None:
                self._advised.pop(tag, None)
                self._discard(handle)

    def may_come_to_know(self, event: pb.MxEvent) -> bool:
        """Whether an item without a tag is to be named by a reply that is under way. One that nobody will name goes."""
        if event.server_handle != self._server_handle or event.item_handle in self._unwanted:
            return False
        if not self._all_known.is_set():
            return True
        if self._may_have_orphans and event.item_handle not in self._tag_of:
            self._discard(event.item_handle)
        return False

    # ------------------------------------------------------------------------------------------- what is wanted

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
            self._advised.pop(tag, None)
        for handle in [handle for handle, tag in self._tag_of.items() if tag in gone]:
            self._discard(handle)
        for number in [number for number, tag in self._tag_by_number.items() if tag in gone]:
            del self._tag_by_number[number]
        self._version += 1
        return self._ask()

    def is_done(self, asked: int) -> bool:
        """Whether the session has what was wanted by then."""
        return self._done >= asked

    def _ask(self) -> int:
        self._asked += 1
        self._to_do.set()
        return self._asked

    # ----------------------------------------------------------------------------------------------------- commands

    async def begin(self, session: SessionPort) -> None:
        """Registers in a session that has nothing of this yet. Raises MxGatewayError."""
        self._is_registered = False
        self._server_handle = await session.register("subscription")
        self._is_registered = self._is_empty = True
        self._may_have_orphans = False
        self._is_numbering = CAPABILITY_CLIENT_HANDLES in session.capabilities
        self._version += 1
        self._tag_of.clear()
        self._tag_by_number.clear()
        self._number_of.clear()
        self._advised.clear()
        self._unwanted.clear()
        self._failures.clear()
        self._done = -1

    async def keep(self, session: SessionPort, on_progress: Callable[[], None]) -> NoReturn:
        """Carries out what is wanted in the session, again and again, while somebody else reads the events.

        Args:
            session: the one that `begin` was given.
            on_progress: called when further items have become known, and when all is done that was wanted.

        Raises:
            MxGatewayError: the session or the connection failed. A single tag that is refused stands in `failures`.
        """
        # What was asked for while there was no connection, and what the last interruption left half done.
        self._to_do.set()
        while True:
            await self._to_do.wait()
            self._to_do.clear()
            asked = self._asked
            await self._remove_unwanted(session)
            add = self._subscribe if self._is_empty and not self._supervisory else self._add
            self._is_empty = False
            missing = [tag for tag in self._tags if tag not in self._advised and tag not in self._failures]
            most = session.max_bulk_items
            for number, chunk in enumerate(_chunks(missing, most), 1):
                await self._in_parts_if_need_be(add, session, chunk)
                if number * most < len(missing):
                    on_progress()
            self._done = asked
            on_progress()

    async def all_known(self) -> None:
        """Waits for the reply that names new items, if one is under way."""
        await self._all_known.wait()

    async def read(self, session: SessionPort) -> dict[str, pb.BulkReadResult]:
        """What the tags are now, by tag; those of a call that is under way are among them. Raises MxGatewayError."""
        await self.all_known()
        results: dict[str, pb.BulkReadResult] = {}
        for chunk in _chunks(self.advised, session.max_bulk_items):
            results.update(zip(chunk, await session.read_bulk(self._server_handle, chunk), strict=True))
        return results

    async def remove_all(self, session: SessionPort) -> None:
        """Un-advises and removes the items, and unregisters. Raises MxGatewayError."""
        if not self._is_registered:
            return
        self._unwanted.update(self._tag_of)
        await self._remove_unwanted(session)
        await session.unregister(self._server_handle)

    async def _in_parts_if_need_be(self, add: _Adder, session: SessionPort, tags: Sequence[str]) -> None:
        try:
            await add(session, tags)
        except MxGatewayCommandError as error:
            if is_transient(error):
                raise
            # Refused as a whole: halving finds out whose fault it is.
            if len(tags) > 1:
                half = len(tags) // 2
                await self._in_parts_if_need_be(add, session, tags[:half])
                await self._in_parts_if_need_be(add, session, tags[half:])
            else:
                self._refuse(tags[0], error.message)

    async def _subscribe(self, session: SessionPort, tags: Sequence[str]) -> None:
        # A tag that was removed again while earlier ones were added.
        tags = [tag for tag in tags if tag in self._tags]
        numbers = self._numbered(tags)
        self._all_known.clear()
        try:
            results = await session.subscribe_bulk(self._server_handle, tags, client_handles=numbers)
        except BaseException:
            self._may_have_orphans = True
            self._forget(numbers)
            raise
        finally:
            self._all_known.set()
        for tag, handle in zip(tags, self._take_all(tags, numbers, results), strict=True):
            if handle is not None:
                self._advised[tag] = handle

    def _numbered(self, tags: Sequence[str]) -> list[int]:
        """A new number for each tag, where the gateway takes them."""
        numbers = [next(self._numbers) for _ in tags] if self._is_numbering else []
        self._tag_by_number.update(zip(numbers, tags, strict=False))
        return numbers

    def _forget(self, numbers: Iterable[int]) -> None:
        self._version += 1
        for number in numbers:
            self._tag_by_number.pop(number, None)

    async def _add(self, session: SessionPort, tags: Sequence[str]) -> None:
        numbers = self._numbered(tags)
        try:
            added = await session.add_item_bulk(self._server_handle, tags, client_handles=numbers)
        except BaseException:
            self._forget(numbers)
            raise
        taken = self._take_all(tags, numbers, added)
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
                self._advised[tag] = handle

    async def _advise(self, session: SessionPort, handles: Sequence[int]) -> dict[int, str]:
        """Advises items; those that were refused, with the reason."""
        refusals: dict[int, str] = {}
        if not self._supervisory:
            results = await session.advise_item_bulk(self._server_handle, handles) if handles else []
            for handle, result in zip(handles, results, strict=True):
                if not result.was_successful:
                    refusals[handle] = result.error_message or "refused"
            return refusals
        for part in _chunks(handles, _MAX_CALLS):
            try:
                async with asyncio.TaskGroup() as group:
                    calls = [group.create_task(self._advise_supervisory(session, handle)) for handle in part]
            except ExceptionGroup as failed:
                raise failed.exceptions[0] from None
            refusals.update({handle: call.result() for handle, call in zip(part, calls, strict=True) if call.result()})
        return refusals

    async def _advise_supervisory(self, session: SessionPort, handle: int) -> str:
        """Advises one item; why it was refused, or nothing."""
        try:
            await session.advise_supervisory(self._server_handle, handle)
        except MxAccessError as error:
            return error.message
        return ""

    async def _remove_unwanted(self, session: SessionPort) -> None:
        for handles in _chunks(sorted(self._unwanted), session.max_bulk_items):
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

    def _take_all(
        self, tags: Sequence[str], numbers: Sequence[int], results: Sequence[pb.SubscribeResult]
    ) -> list[int | None]:
        """Notes new items; their handles, None for a tag that was refused or is wanted no more."""
        handles = []
        for index, (tag, result) in enumerate(zip(tags, results, strict=True)):
            handles.append(self._take(tag, numbers[index] if numbers else 0, result))
        return handles

    def _take(self, tag: str, number: int, result: pb.SubscribeResult) -> int | None:
        if not result.was_successful:
            self._forget((number,))
            self._refuse(tag, result.error_message or "refused")
            return None
        if tag not in self._tags:
            self._discard(result.item_handle)
            return None
        # It may be the handle of an item that went.
        self._version += 1
        self._tag_of[result.item_handle] = tag
        if number:
            # It may have been unwanted and wanted again meanwhile.
            self._tag_by_number[number] = tag
            self._number_of[result.item_handle] = number
        return result.item_handle

    def _discard(self, handle: int) -> None:
        self._version += 1
        self._tag_of.pop(handle, None)
        self._forget((self._number_of.pop(handle, 0),))
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
    # A subclass of str may compare and show itself as something else.
    return [str.__str__(tag) for tag in wanted]


def _chunks(entries: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(entries), size):
        yield entries[start : start + size]
