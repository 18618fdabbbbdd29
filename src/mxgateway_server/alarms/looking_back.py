"""The calls that look back: the history in pages, and the figures."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import grpc
import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import Clock
from mxgateway_server.access.callers import current_call
from mxgateway_server.alarms.driver import AlarmDriver
from mxgateway_server.alarms.encoding import transition_bytes
from mxgateway_server.alarms.figures.keeper import FigureKeeper
from mxgateway_server.alarms.figures.moments import Moment
from mxgateway_server.alarms.figures_reply import statistics_reply
from mxgateway_server.alarms.filters import MAX_PRIORITY, Sieve
from mxgateway_server.alarms.groups import Everything, Viewer
from mxgateway_server.alarms.history.file import Note
from mxgateway_server.alarms.history.reading import (
    MAX_PAGE,
    BadPageTokenError,
    HistoryReader,
    HistoryTooSlowError,
    Page,
    Question,
)
from mxgateway_server.alarms.history.writer import HistoryWriter
from mxgateway_server.alarms.model import Alarm, AlarmSource, Change, Kind
from mxgateway_server.alarms.requests import filter_of, seconds_of
from mxgateway_server.alarms.rights import AlarmRights
from mxgateway_server.commands.checks import check_correlation_id
from mxgateway_server.errors import AlarmQuestionTooWideError, AlarmsUnavailableError, InvalidRequestError
from mxgateway_server.headers import send_headers

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
ResultT = TypeVar("ResultT")

DEFAULT_PAGE = 500
DEFAULT_WINDOW = 86_400.0
MAX_TOP = 1000
_AT_ONCE = 2


class AlarmHistory:
    """The history for reading: after what was written, and never more than two questions at once."""

    def __init__(self, writer: HistoryWriter, reader: HistoryReader) -> None:
        self.writer = writer
        self._reader = reader
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def changes(self, after: int, until: int, most: int) -> Sequence[Change]:
        """Changes after this number, up to and including the other, in order; none when there is nothing left."""
        return await self._ask(lambda: self._reader.after(after, until, most))

    async def moments(self, after: int, until: int, most: int) -> Sequence[Moment]:
        """As much of those changes as figures are made of; see `changes`."""
        return await self._ask(lambda: self._reader.moments(after, until, most))

    async def notes(self, event: str, from_ns: int, most: int) -> Sequence[Note]:
        """The notes of an event from a time on, the oldest first.

        Raises:
            AlarmQuestionTooWideError, AlarmsUnavailableError
        """
        return await self._ask(lambda: self._reader.notes(from_ns, Question().until_ns, most, event=event))

    async def page(
        self, question: Question, takes_source: Callable[[AlarmSource], bool], takes: Callable[[Alarm], bool]
    ) -> Page:
        """One page of the answer.

        Raises:
            InvalidRequestError, AlarmQuestionTooWideError, AlarmsUnavailableError
        """
        return await self._ask(lambda: self._reader.page(question, takes_source, takes))

    async def beside(self, from_ns: int, until_ns: int) -> pb.AlarmHistoryPage:
        """What is missing, and what happened beside the changes."""
        losses = await self._ask(self._reader.losses)
        notes = await self._ask(lambda: self._reader.notes(from_ns, until_ns))
        page = pb.AlarmHistoryPage()
        for loss in losses:
            told = page.losses.add(from_sequence=loss.from_sequence, to_sequence=loss.to_sequence, reason=loss.reason)
            if loss.at_ns:
                told.at.FromNanoseconds(loss.at_ns)
        for note in notes:
            page.notes.add(
                sequence=note.sequence,
                event=note.event,
                alarm_full_reference=note.reference,
                key_id=note.key_id,
                text=note.text,
            ).at.FromNanoseconds(note.at_ns)
        return page

    async def _ask(self, question: Callable[[], ResultT]) -> ResultT:
        await self.writer.flush()
        try:
            async with self._turn:
                return await asyncio.to_thread(question)
        except BadPageTokenError as error:
            raise InvalidRequestError(str(error)) from error
        except HistoryTooSlowError as error:
            raise AlarmQuestionTooWideError(str(error)) from error
        except sqlite3.Error as error:
            raise AlarmsUnavailableError(f"the alarms' history cannot be read now: {error}") from error


class LookingBack:
    """Handlers of the calls.

    Args:
        history: None where none is kept.
    """

    def __init__(
        self,
        driver: AlarmDriver,
        rights: AlarmRights,
        history: AlarmHistory | None,
        figures: FigureKeeper,
        clock: Clock,
    ) -> None:
        self._driver = driver
        self._rights = rights
        self._history = history
        self._figures = figures
        self._clock = clock
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def query_alarm_history(self, request: pb.QueryAlarmHistoryRequest, context: Context) -> None:
        """Sends page after page until there is no more, or as many changes as were asked for."""
        check_correlation_id(request.client_correlation_id)
        if self._history is None:
            raise AlarmsUnavailableError("this gateway keeps no history of alarms (setting alarms.history.enabled)")
        viewer = self._rights.viewer(current_call().caller)
        sieve = Sieve(filter_of(request.filter))
        question = _question(request, f"{sieve.filter.number}:{viewer.number}")
        await send_headers(context)
        left = request.limit or math.inf
        first = True
        while left > 0:
            asked = _next(question, int(min(question.page, left)))
            page = await self._history.page(asked, _sources(sieve, viewer), _states(sieve, viewer))
            left -= len(page.changes)
            message = await self._page(page, question, viewer, has_beside=first)
            await context.write(message.SerializeToString())
            if not page.token:
                return
            first, question = False, _with_token(question, page.token)

    async def get_alarm_statistics(
        self, request: pb.GetAlarmStatisticsRequest, _context: Context
    ) -> pb.GetAlarmStatisticsReply:
        """The figures of a span of time."""
        check_correlation_id(request.client_correlation_id)
        unknown = [name for name in request.positions if name not in self._figures.positions]
        if unknown:
            raise InvalidRequestError(
                f"there is no operator's position {unknown[0]!r}; there are {', '.join(self._figures.positions)}"
            )
        if request.top > MAX_TOP:
            raise InvalidRequestError(f"top is {MAX_TOP} at most")
        window = seconds_of(request.window, "window") if request.HasField("window") else DEFAULT_WINDOW
        now = self._clock.unix_ns() / 1e9
        # The plant's clock may be ahead of this machine's.
        end = max(now, self._figures.newest + 1.0)
        if request.HasField("until_time"):
            end = _nanoseconds(request.until_time, "until_time") / 1e9
        sieve, viewer = Sieve(filter_of(request.filter)), self._rights.viewer(current_call().caller)
        takes = _sources(sieve, viewer)
        priorities = (
            sieve.filter.priority_min or 1,
            min(sieve.filter.priority_max or MAX_PRIORITY, viewer.least_urgent),
        )
        self._figures.advance(now)
        alarms = [
            alarm
            for alarm in self._driver.monitor.book.cut()
            if takes(alarm.source) and priorities[0] <= max(alarm.priority, 1) <= priorities[1]
        ]
        async with self._turn:
            report = await asyncio.to_thread(
                self._figures.frozen().report,
                alarms,
                begin=end - window,
                end=end,
                positions=tuple(request.positions),
                takes=takes,
                priorities=priorities,
                top=request.top,
            )
        reply = statistics_reply(report)
        reply.correlation_id = request.client_correlation_id
        reply.lost = 0 if self._history is None or viewer.number else self._history.writer.lost
        return reply

    def tell_bounds(self, reply: pb.GetAlarmMonitorStatusReply, viewer: Viewer) -> None:
        """What the history has, in the monitor's status; how much that is, to whoever may see all of it."""
        if self._history is None:
            return
        writer = self._history.writer
        bounds, told = writer.bounds, reply.history
        if not viewer.number:
            told.changes, told.bytes, told.lost = bounds.changes, bounds.file_bytes, writer.lost
        if bounds.changes:
            told.oldest.FromNanoseconds(bounds.oldest_ns)
            told.newest.FromNanoseconds(bounds.newest_ns)

    async def _page(self, page: Page, question: Question, viewer: Viewer, *, has_beside: bool) -> pb.AlarmHistoryPage:
        assert self._history is not None
        message = pb.AlarmHistoryPage()
        if has_beside:
            # Notes name alarms, so only who may see every alarm gets them.
            beside = await self._history.beside(question.from_ns, question.until_ns)
            message.losses.extend(beside.losses)
            if isinstance(viewer, Everything):
                message.notes.extend(beside.notes)
        for change in page.changes:
            message.changes.add().ParseFromString(transition_bytes(change))
        message.next_page_token = page.token
        log = self._driver.monitor.book.log
        message.oldest.epoch, message.oldest.sequence = log.epoch, self._history.writer.bounds.complete_after
        return message


def _sources(sieve: Sieve, viewer: Viewer) -> Callable[[AlarmSource], bool]:
    def takes(source: AlarmSource) -> bool:
        return sieve.takes_source(source) and viewer.sees_source(source)

    return takes


def _states(sieve: Sieve, viewer: Viewer) -> Callable[[Alarm], bool]:
    def takes(alarm: Alarm) -> bool:
        return sieve.takes(alarm) and viewer.sees(alarm)

    return takes


def _question(request: pb.QueryAlarmHistoryRequest, mark: str) -> Question:
    known = set(Kind)
    if not known.issuperset(request.kinds):
        raise InvalidRequestError("kinds has a kind of change that this gateway does not know")
    if request.page_size > MAX_PAGE:
        raise InvalidRequestError(f"page_size is {MAX_PAGE} at most")
    asked = Question(
        kinds=frozenset(Kind(kind) for kind in request.kinds),
        operator=request.operator,
        oldest_first=request.oldest_first,
        by_received=request.by_receive_time,
        page=request.page_size or DEFAULT_PAGE,
        token=request.page_token,
        mark=mark,
        from_ns=_nanoseconds(request.from_time, "from_time") if request.HasField("from_time") else 0,
        until_ns=_nanoseconds(request.until_time, "until_time")
        if request.HasField("until_time")
        else Question().until_ns,
    )
    if asked.from_ns > asked.until_ns:
        raise InvalidRequestError("from_time is after until_time")
    return asked


def _nanoseconds(stamp: Timestamp, name: str) -> int:
    found = stamp.seconds * 1_000_000_000 + stamp.nanos
    if not 0 <= found < 1 << 62:
        raise InvalidRequestError(f"{name} is no time of this calendar")
    return found


def _next(question: Question, page: int) -> Question:
    return _replaced(question, page=page)


def _with_token(question: Question, token: str) -> Question:
    return _replaced(question, token=token)


def _replaced(question: Question, **changed: Any) -> Question:
    return Question(**{name: changed.get(name, getattr(question, name)) for name in Question.__slots__})
