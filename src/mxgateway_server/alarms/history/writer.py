"""Writes the history behind a queue: the feed of alarms never waits for the disk, and what is lost is told."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from mxgateway_protocol.clock import Clock
from mxgateway_server.alarms.history.file import Bounds, HistoryFile, HistoryLimits, Kept, Loss, Note
from mxgateway_server.alarms.history.schema import UnusableHistoryError
from mxgateway_server.alarms.model import Alarm, Change
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

MAX_WAITING = 50_000
MAX_TOGETHER = 1000
COMMIT_SECONDS = 0.25
PRUNE_SECONDS = 5.0
RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Adoption:
    alarms: Sequence[Alarm]


_Item: TypeAlias = Change | Note | Loss | _Adoption


@dataclass(slots=True)
class _Batch:
    """What is written in one transaction; an adoption stands alone."""

    changes: list[Change] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    adoption: _Adoption | None = None

    def __len__(self) -> int:
        return len(self.changes) + len(self.notes) + len(self.losses) + (self.adoption is not None)


class HistoryWriter:
    """Takes everything at once and writes it a moment later.

    Args:
        path: the file.
        limits: how much is kept.
        list_now: the list of alarms as it is, for the time after a loss.
        clock: time.

    Attributes:
        lost: changes that could not be written, since the start.
        problem: why nothing is written now; empty when all is well.
    """

    def __init__(
        self, path: Path, limits: HistoryLimits, list_now: Callable[[], Sequence[Alarm]], clock: Clock
    ) -> None:
        self._path = path
        self._limits = limits
        self._list_now = list_now
        self._clock = clock
        self._file: HistoryFile | None = None
        self._waiting: deque[_Item] = deque()
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._asking: list[asyncio.Future[None]] = []
        self._is_running = self._is_writing = False
        self._taken = 0
        self._gap: tuple[int, int] | None = None
        self._pruned_at = clock.monotonic()
        self._last = 0
        self.lost = 0
        self.problem = ""
        self.bounds = Bounds(oldest_ns=0, newest_ns=0, changes=0, file_bytes=0, complete_after=0)
        """What is in the file, as of the last commit."""

    async def open(self) -> Kept | None:
        """Opens the file; what an earlier run left, or None when the history cannot be used: then it is off."""
        try:
            return await asyncio.to_thread(self._open)
        except (UnusableHistoryError, OSError, sqlite3.Error) as error:
            self._fails(error)
            return None

    # ------------------------------------------------------------------------------------------ the list as it changes

    @property
    def waiting(self) -> int:
        """Changes and notes that are not written yet."""
        return len(self._waiting)

    def adopted(self, alarms: Sequence[Alarm], sequence: int) -> None:
        """The list is this now, whatever was known before."""
        self._last = sequence
        self._put(_Adoption(list(alarms)))

    def changed(self, change: Change) -> None:
        """A change of the list."""
        self._last = change.sequence
        if self._file is None or len(self._waiting) >= MAX_WAITING:
            first, _ = self._gap or (change.sequence, 0)
            self._gap = (first, change.sequence)
            self.lost += 1
            return
        if self._gap is not None:
            self._end_gap("more changes came than could be written")
        self._put(change)

    def note(self, event: str, *, reference: str = "", key_id: str = "", text: str = "") -> None:
        """Something that happened beside the changes; dropped when too much waits."""
        if self._file is not None and len(self._waiting) < MAX_WAITING:
            at = self._clock.unix_ns()
            self._put(Note(sequence=self._last, at_ns=at, event=event, reference=reference, key_id=key_id, text=text))

    # --------------------------------------------------------------------------------------------------------- writing

    async def run(self) -> None:
        """Writes until `stop`, and then what still waits.

        Nobody else writes, and no transaction is left in the middle: a second one beside it would fail, and lose what
        it was given.
        """
        self._is_running = True
        try:
            while not self._stop.is_set():
                await self._wake.wait()
                if len(self._waiting) < MAX_TOGETHER:
                    await self._pause(COMMIT_SECONDS)
                if not await self._write_what_waits():
                    await self._pause(RETRY_SECONDS)
            while self._file is not None and self._waiting and await self._write():
                pass
            if self._gap is not None and self._file is not None:
                self._end_gap("more changes came than could be written")
                await self._write()
        finally:
            self._is_running = False
            self._answer(self._asking)
        if self._file is not None:
            file, self._file = self._file, None
            await asyncio.to_thread(file.close)

    async def stop(self) -> None:
        self._stop.set()
        self._wake.set()
        self._hurry.set()

    async def flush(self) -> None:
        """Has what waits now written, as far as it can be; for whoever asks right after."""
        if not self._is_running or not (self._waiting or self._is_writing):
            return
        done = asyncio.get_running_loop().create_future()
        self._asking.append(done)
        self._wake.set()
        self._hurry.set()
        await done

    async def _pause(self, seconds: float) -> None:
        """Lets time pass, unless somebody asks or it is to end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()

    async def _write_what_waits(self) -> bool:
        """Writes what waits now; False when nothing could be written."""
        asking, self._asking = self._asking, []
        if not self._stop.is_set():
            self._hurry.clear()
        left, is_good = len(self._waiting), True
        self._is_writing = True
        try:
            while left > 0 and self._waiting and is_good:
                before = self._taken
                is_good = await self._write()
                left -= self._taken - before
        finally:
            self._is_writing = False
            self._answer(asking)
        if not self._waiting and not self._asking and not self._stop.is_set():
            self._wake.clear()
        return is_good

    @staticmethod
    def _answer(asking: Sequence[asyncio.Future[None]]) -> None:
        for each in asking:
            if not each.done():
                each.set_result(None)

    async def _write(self) -> bool:
        """One transaction; False when nothing could be written."""
        batch = self._next()
        self._taken += len(batch)
        if not len(batch):
            return True
        try:
            if self._file is None:
                await asyncio.to_thread(self._open)
            assert self._file is not None
            self.bounds = await asyncio.to_thread(self._store, self._file, batch)
        except (UnusableHistoryError, OSError, sqlite3.Error) as error:
            self._lose(batch)
            self._fails(error)
            return False
        if self.problem:
            self.problem = ""
            logger.info("alarm_history_recovered", lost=self.lost)
        return True

    def _store(self, file: HistoryFile, batch: _Batch) -> Bounds:
        if batch.adoption is not None:
            file.adopt(batch.adoption.alarms)
        else:
            file.append(batch.changes, batch.notes, batch.losses)
        now = self._clock.monotonic()
        if now - self._pruned_at >= PRUNE_SECONDS and not file.prune(self._clock.unix_ns()):
            self._pruned_at = now
        return file.bounds()

    def _open(self) -> Kept:
        file = HistoryFile(self._path, self._limits)
        kept = file.kept()
        self.bounds = file.bounds()
        self._file = file
        self._last = kept.last
        return kept

    def _next(self) -> _Batch:
        batch = _Batch()
        while self._waiting and len(batch) < MAX_TOGETHER:
            item = self._waiting[0]
            if isinstance(item, _Adoption):
                # What was before it goes first, and it goes alone.
                if not len(batch):
                    batch.adoption = item
                    self._waiting.popleft()
                break
            self._waiting.popleft()
            if isinstance(item, Change):
                batch.changes.append(item)
            elif isinstance(item, Note):
                batch.notes.append(item)
            else:
                batch.losses.append(item)
        return batch

    def _put(self, item: _Item) -> None:
        self._waiting.append(item)
        self._wake.set()

    def _end_gap(self, reason: str) -> None:
        assert self._gap is not None
        first, last = self._gap
        self._gap = None
        self._put(Loss(first, last, self._clock.unix_ns(), reason))
        self._put(_Adoption(list(self._list_now())))

    def _lose(self, batch: _Batch) -> None:
        """A batch that could not be written; losses of before stay to be told."""
        numbers = [change.sequence for change in batch.changes]
        losses = list(batch.losses)
        if numbers:
            self.lost += len(numbers)
            losses.append(Loss(numbers[0], numbers[-1], self._clock.unix_ns(), "the history could not be written"))
        self._waiting.extendleft(reversed(_joined(losses)))
        if numbers or batch.adoption is not None:
            # Whatever becomes of the rest, the list has to be taken anew in the end; once is enough, however long the
            # disk fails.
            self._waiting = deque(item for item in self._waiting if not isinstance(item, _Adoption))
            self._put(_Adoption(list(self._list_now())))

    def _fails(self, error: Exception) -> None:
        problem = str(error)
        if problem != self.problem:
            logger.warning(
                "alarm_history_failed",
                file=str(self._path),
                error=error,
                remedy="make room on the disk, or give the gateway's account the right to write there",
            )
        self.problem = problem


def _joined(losses: Sequence[Loss]) -> list[Loss]:
    """Losses that follow on each other for the same reason as one."""
    found: list[Loss] = []
    for loss in losses:
        last = found[-1] if found else None
        if last is not None and last.to_sequence + 1 == loss.from_sequence and last.reason == loss.reason:
            found[-1] = Loss(last.from_sequence, loss.to_sequence, last.at_ns, last.reason)
        else:
            found.append(loss)
    return found
