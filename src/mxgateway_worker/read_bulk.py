"""ReadBulk: the last values of advised items, and for all other tags a short look that leaves no trace.

All tags without a cached value are advised first and awaited together, so that a read costs its slowest tag, not the
sum of them. The result is written as bytes: reads are the commands that are called most.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mxgateway_contract.status import Category, MxStatus
from mxgateway_contract.varints import int_varint
from mxgateway_protocol.clock import Clock
from mxgateway_protocol.contract import MAX_FRAME_BYTES
from mxgateway_protocol.errors import BackendLostError, MxComError
from mxgateway_protocol.events import EventEncoder
from mxgateway_protocol.variants import Variant
from mxgateway_protocol.wire import delimited, key, timestamp
from mxgateway_worker.bulk import describe
from mxgateway_worker.calls import LimitReachedError, SessionCalls
from mxgateway_worker.executor import Executor
from mxgateway_worker.items import CachedRead, TrackedItem
from mxgateway_worker.replies import too_long
from mxgateway_worker.sink import SessionSink

logger = logging.getLogger(__name__)

# Of long values the copy would cost more than writing it again.
_LONGEST_KEPT = 64 * 1024
_RESULT = key(1, 2)
_SERVER = key(1, 0)
_TAG = key(2, 2)
_ITEM = key(3, 0)
_SUCCESSFUL = key(4, 0) + b"\x01"
_VALUE = key(6, 2)
_SUCCESSFUL_CACHED_VALUE = _SUCCESSFUL + key(5, 0) + b"\x01" + _VALUE
_QUALITY = key(7, 0)
_SOURCE_TIMESTAMP = key(8, 2)
_STATUS = key(9, 2)
_ERROR = key(10, 2)


class _FirstValue:
    """A temporary item on its way to a first value."""

    __slots__ = ("answer", "failure", "item")

    def __init__(self) -> None:
        self.item: TrackedItem | None = None
        self.answer: tuple[Variant, int, int, Sequence[MxStatus]] | None = None
        self.failure = ""

    def take(self, value: Variant, quality: int, timestamp_ns: int, statuses: Sequence[MxStatus]) -> None:
        # Pending means that the answer is still to come.
        if self.answer is None and not (statuses and statuses[0].category == Category.PENDING):
            self.answer = (value, quality, timestamp_ns, tuple(statuses))

    @property
    def is_done(self) -> bool:
        return self.answer is not None or bool(self.failure)


class BulkReader:
    """Carries out ReadBulk for one session.

    Args:
        longest: bytes that a reply may have.
    """

    def __init__(
        self, calls: SessionCalls, sink: SessionSink, executor: Executor, clock: Clock, longest: int = MAX_FRAME_BYTES
    ) -> None:
        self._longest = longest
        self._calls = calls
        self._sink = sink
        self._items = sink.items
        self._executor = executor
        self._clock = clock

    def read(self, server_handle: int, tags: Sequence[str], timeout: float, expires: float | None) -> bytes:
        """A serialised BulkReadReply, with one result for each tag in order.

        Args:
            timeout: seconds for tags that have no cached value.
            expires: monotonic time at which the caller stops waiting; ends the wait early.

        Raises:
            BackendLostError: the backend is gone.
            LimitReachedError: the values are more than a reply may have; it is found out before they are put together.
        """
        results: list[bytes | None] = []
        room = self._longest
        awaited: dict[str, _FirstValue] = {}
        cached = self._items.cached
        for tag in tags:
            item = cached(server_handle, tag)
            if item is not None:
                result = _cached_result(tag, item)
                results.append(result)
                room -= len(result)
                if room < 0:
                    raise self._too_long(room)
                continue
            results.append(None)
            awaited.setdefault(tag.casefold(), _FirstValue())
        if awaited:
            self._await_first_values(server_handle, tags, awaited, timeout, expires)
            self._add_first_values(server_handle, tags, results, awaited, timeout, room)
        return b"".join(result for result in results if result is not None)

    def _add_first_values(
        self,
        server_handle: int,
        tags: Sequence[str],
        results: list[bytes | None],
        awaited: dict[str, _FirstValue],
        timeout: float,
        room: int,
    ) -> None:
        encoder = self._sink.encoder
        for place, tag in enumerate(tags):
            if results[place] is None:
                first = awaited[tag.casefold()]
                result = delimited(_RESULT, _result(server_handle, tag, first, timeout, encoder))
                results[place] = result
                room -= len(result)
                if room < 0:
                    raise self._too_long(room)

    def _too_long(self, room: int) -> LimitReachedError:
        return LimitReachedError(too_long(self._longest - room, self._longest, at_least=True))

    def _await_first_values(
        self,
        server_handle: int,
        tags: Sequence[str],
        awaited: dict[str, _FirstValue],
        timeout: float,
        expires: float | None,
    ) -> None:
        deadline = self._clock.monotonic() + timeout
        if expires is not None:
            deadline = min(deadline, expires)
        try:
            for tag in tags:
                first = awaited.get(tag.casefold())
                if first is not None and first.item is None and not first.failure:
                    self._begin(server_handle, tag, first)
            waiting = [first for first in awaited.values() if not first.is_done]

            def all_done() -> bool:
                while waiting and waiting[-1].is_done:
                    waiting.pop()
                return not waiting

            self._executor.pump_until(all_done, deadline)
        finally:
            for first in awaited.values():
                if first.item is not None:
                    self._end(first.item)

    def _begin(self, server_handle: int, tag: str, first: _FirstValue) -> None:
        try:
            handle = self._calls.backend.add_item(server_handle, tag)
            first.item = item = self._sink.track(server_handle, handle, "")
            item.answer = first.take
            self._calls.backend.advise(server_handle, handle)
        except (BackendLostError, MemoryError):
            raise
        except MxComError as error:
            first.failure = describe(error)
        except Exception as error:
            logger.exception("reading a tag failed unexpectedly")
            first.failure = f"{type(error).__name__}: {describe(error)}"

    def _end(self, item: TrackedItem) -> None:
        """Un-advises and removes a temporary item, and lets its late events go nowhere."""
        for call in (self._calls.backend.un_advise, self._calls.backend.remove_item):
            try:
                call(item.server_handle, item.item_handle)
            except (BackendLostError, MemoryError):
                raise
            except Exception as error:  # noqa: BLE001 - the read has its answer whatever this says
                logger.warning("a temporary item cannot be taken away reason=%s", describe(error))
        self._items.discard(item.server_handle, item.item_handle)
        self._items.retire(item.key)


def _cached_result(tag: str, item: TrackedItem) -> bytes:
    """The whole field of an item's last data change; an item that has not changed since gives the same bytes again."""
    read = item.read
    if (
        read is not None
        and read[1] is item.value_field
        and read[2] is item.source_field
        and read[3] == item.quality
        and read[4] is item.statuses
        and read[0] == tag
    ):
        return read[5]
    if read is not None and read.tag == tag:
        head = read.head
    else:
        server, handle = int_varint(item.server_handle), int_varint(item.item_handle)
        head = b"".join((_SERVER, server, delimited(_TAG, tag.encode()), _ITEM, handle))
    if read is not None and read.statuses is item.statuses:
        status_field = read.status_field
    else:
        status_field = _statuses(item.statuses)
    if item.has_value:
        # The pieces of the last event hold the same messages under other field numbers.
        value, source = item.value_field[1:], item.source_field[1:]
        quality = _QUALITY + int_varint(item.quality)
        result = b"".join((head, _SUCCESSFUL_CACHED_VALUE, value, quality, _SOURCE_TIMESTAMP, source, status_field))
    else:
        result = head + _failed(item.quality, item.statuses)
    field = delimited(_RESULT, result)
    if len(field) > _LONGEST_KEPT:
        return field
    item.read = CachedRead(
        tag=tag,
        value_field=item.value_field,
        source_field=item.source_field,
        quality=item.quality,
        statuses=item.statuses,
        result=field,
        head=head,
        status_field=status_field,
    )
    return field


def _result(server_handle: int, tag: str, first: _FirstValue, timeout: float, encoder: EventEncoder) -> bytes:
    head = _SERVER + int_varint(server_handle) + delimited(_TAG, tag.encode())
    answer = first.answer
    if answer is None:
        reason = first.failure or f"no value within {timeout * 1000:g} ms"
        return head + delimited(_ERROR, reason.encode(errors="replace"))
    value, quality, timestamp_ns, statuses = answer
    if not statuses or not statuses[0].is_success:
        return head + _failed(quality, statuses)
    return b"".join(
        (
            head,
            _SUCCESSFUL,
            _VALUE,
            encoder.value_field(value)[1:],
            _QUALITY,
            int_varint(quality),
            delimited(_SOURCE_TIMESTAMP, timestamp(timestamp_ns)),
            _statuses(statuses),
        )
    )


def _failed(quality: int, statuses: Sequence[MxStatus]) -> bytes:
    reason = _refusal(statuses[0]) if statuses else "no status came with the value"
    return _QUALITY + int_varint(quality) + _statuses(statuses) + delimited(_ERROR, reason.encode())


def _refusal(status: MxStatus) -> str:
    return f"MXAccess refused the reference: {status.describe()}"


_status_cache: dict[tuple[MxStatus, ...], bytes] = {}


def _statuses(statuses: Sequence[MxStatus]) -> bytes:
    known = tuple(statuses)
    field = _status_cache.get(known)
    if field is None:
        field = b"".join(delimited(_STATUS, status.to_proto().SerializeToString()) for status in known)
        if len(_status_cache) < 4096:
            _status_cache[known] = field
    return field
