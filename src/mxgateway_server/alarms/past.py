"""What is kept of the alarms' past, beside the list: the history in its file, and the figures."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mxgateway_protocol.clock import Clock
from mxgateway_server.alarms.book import AlarmBook
from mxgateway_server.alarms.feed import AlarmFeed
from mxgateway_server.alarms.figures.computing import FigureRules
from mxgateway_server.alarms.figures.floods import Flood
from mxgateway_server.alarms.figures.keeper import FigureKeeper
from mxgateway_server.alarms.figures.observed import Sight
from mxgateway_server.alarms.history.file import HistoryLimits, Kept, Note
from mxgateway_server.alarms.history.reading import HistoryReader
from mxgateway_server.alarms.history.writer import HistoryWriter
from mxgateway_server.alarms.looking_back import AlarmHistory
from mxgateway_server.alarms.model import Alarm, Change
from mxgateway_server.alarms.notes import NoteBoard
from mxgateway_server.alarms.telling import MonitorState, ProviderStatus, ToldFlood
from mxgateway_server.errors import GatewayError
from mxgateway_server.logs import get_logger
from mxgateway_server.parts import work_until

logger = get_logger(__name__)

TICK_SECONDS = 1.0
RESTORED_CHANGES = 500_000
_PORTION = 5000
_MOST_SIGHTS = 100_000
_PROVIDER, _STOPPED = "provider", "stopped"
_SIGHTS = {MonitorState.LIVE: Sight.GOOD, MonitorState.DEGRADED: Sight.DEGRADED}


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRules:
    """How much is kept, and where.

    Attributes:
        file: of the history; None for none.
        positions: name of an operator's position → the areas that it is responsible for.
    """

    file: Path | None
    limits: HistoryLimits = field(default_factory=HistoryLimits)
    figures: FigureRules = field(default_factory=FigureRules)
    positions: Mapping[str, Collection[str]] = field(default_factory=dict)


class AlarmPast:
    """Follows the list as it changes; an observer of the monitor.

    Args:
        list_now: the list of alarms as it is.
    """

    def __init__(self, rules: PastRules, list_now: Callable[[], Sequence[Alarm]], clock: Clock) -> None:
        self._clock = clock
        self._figure_rules = rules
        self.figures = FigureKeeper(rules.positions, rules.figures, clock.unix_ns() / 1e9)
        self.history: AlarmHistory | None = None
        if rules.file is not None:
            self.history = AlarmHistory(
                HistoryWriter(rules.file, rules.limits, list_now, clock), HistoryReader(rules.file)
            )
        self._stop = asyncio.Event()
        self._board: tuple[AlarmBook, AlarmFeed, NoteBoard] | None = None
        self._last = 0

    async def open(self) -> Kept:
        """What an earlier run left; a numbering of its own where nothing is kept, or what is kept cannot be used."""
        kept = None if self.history is None else await self.history.writer.open()
        found = kept or Kept(epoch=secrets.token_hex(16), last=0, alarms=())
        self._last = found.last
        return found

    def serve(self, book: AlarmBook, feed: AlarmFeed, notes: NoteBoard) -> None:
        """Whom floods are told, and which streams the history helps."""
        self._board = (book, feed, notes)
        self._tell_what_is_kept()

    async def restore(self) -> None:
        """Takes the newest changes of the history into the figures; before anything new comes."""
        history, last = self.history, self._last
        if history is None or not last:
            return
        reached = max(0, last - RESTORED_CHANGES)
        since: float | None = None
        newest = 0.0
        try:
            while moments := await history.moments(reached, last, _PORTION):
                reached = moments[-1].sequence
                since = since or moments[0].received
                newest = max(newest, moments[-1].received)
                self.figures.restore(moments, since)
            if since is not None:
                self.figures.restore_sights(
                    _sights(await history.notes(_PROVIDER, round(since * 1e9), _MOST_SIGHTS), newest)
                )
        except GatewayError as error:
            logger.warning("alarm_figures_not_restored", error=error)

    async def run(self) -> None:
        """Writes, and lets time pass for floods, until `stop`."""
        async with asyncio.TaskGroup() as group:
            if self.history is not None:
                group.create_task(self.history.writer.run())
            await work_until(self._stop, self._tick_on())
            if self.history is not None:
                self.history.writer.note(_PROVIDER, text=f"{_STOPPED}: the gateway ended")
                await self.history.writer.stop()

    async def stop(self) -> None:
        self._stop.set()

    # ----------------------------------------------------------------------------------------------------- the observer

    def adopted(self, alarms: Sequence[Alarm], sequence: int) -> None:
        """The first list is there."""
        if self.history is not None:
            self.history.writer.adopted(alarms, sequence)

    def changed(self, change: Change) -> None:
        """A change of the list."""
        if self.history is not None:
            self.history.writer.changed(change)
        floods = self.figures.changed(change)
        if floods:
            self._tell(floods)

    def status_changed(self, status: ProviderStatus) -> None:
        """Who tells the alarms, and whether he does."""
        self.figures.seen(status.since_ns / 1e9, _SIGHTS.get(status.state, Sight.BLIND))
        if self.history is not None:
            reason = status.text or status.reason.name.lower()
            self.history.writer.note(_PROVIDER, text=f"{status.state.name.lower()}: {reason}")

    # --------------------------------------------------------------------------------------------------------- details

    async def _tick_on(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._tell(self.figures.advance(self._clock.unix_ns() / 1e9))
            self._tell_what_is_kept()

    def _tell_what_is_kept(self) -> None:
        if self._board is not None and self.history is not None and not self.history.writer.problem:
            self._board[1].oldest_in_history = self.history.writer.bounds.complete_after

    def _tell(self, floods: Sequence[Flood]) -> None:
        for flood in floods:
            ended = 0 if flood.ended is None else round(flood.ended * 1e9)
            logger.warning(
                "alarm_flood", position=flood.position, has_ended=flood.ended is not None, alarms=flood.count
            )
            if self._board is not None:
                book, _, notes = self._board
                notes.add(book.log.newest, ToldFlood(flood.position, round(flood.began * 1e9), ended, flood.count))
            if self.history is not None:
                word = "began" if flood.ended is None else f"ended after {flood.count} alarms"
                self.history.writer.note("flood", text=f"{flood.position}: {word}")


def _sights(notes: Sequence[Note], newest: float) -> list[tuple[float, Sight]]:
    """Since when the plant was seen how well, from the notes of an earlier run.

    Args:
        newest: when the last change came, for a run that ended without a word.
    """
    known = {state.name.lower(): sight for state, sight in _SIGHTS.items()}
    found = [(note.at_ns / 1e9, known.get(note.text.partition(":")[0], Sight.BLIND)) for note in notes]
    if not notes or not notes[-1].text.startswith(_STOPPED):
        found.append((max(newest, found[-1][0] if found else 0.0), Sight.BLIND))
    return found
