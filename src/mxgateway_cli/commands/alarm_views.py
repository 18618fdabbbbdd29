"""Alarms as they come and go: a live table or lines."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from mxgateway import (
    AlarmChange,
    AlarmFeed,
    AlarmFeedState,
    AlarmGap,
    AlarmProviderChanged,
    GatewayClient,
)
from mxgateway_cli.alarm_board import AlarmBoard, is_hidden, marks
from mxgateway_cli.alarm_options import chosen_alarms
from mxgateway_cli.alarm_text import alarm_table, time_text
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.failures import CommandFailure
from mxgateway_cli.following import background_task
from mxgateway_cli.interrupts import graceful_end
from mxgateway_cli.output import emit, is_terminal, note, one_line, proto_dict
from mxgateway_contract.installing import install_command

if TYPE_CHECKING:
    from mxgateway import Alarm, AlarmEvent

_REDRAW = 0.25


@click.command()
@chosen_alarms
@click.option("--hidden", is_flag=True, help="Also alarms that are shelved or silenced.")
@click.option("--once", is_flag=True, help="Print the list as it is now, and end.")
@click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="End after this many seconds.")
@click.option("--max-events", type=click.IntRange(min=1), help="End after this many changes.")
@click.option("--no-reconnect", is_flag=True, help="End with exit code 1 when the connection is lost.")
@click.option("--utc", is_flag=True, help="Times in UTC, in place of this machine's zone.")
@connected(long_running=True)
def alarms(
    connection: Connection,
    chosen: dict[str, Any],
    hidden: bool,
    once: bool,
    duration: float | None,
    max_events: int | None,
    no_reconnect: bool,
    utc: bool,
) -> None:
    """Shows the alarms as they come and go: a live table on a terminal, a line for each change elsewhere.

    The table has the unacknowledged first, then the most urgent, then the oldest; UNACK_RTN is over but still wants an
    acknowledgement. With --json there is one JSON object a line, and with --once one document. Ctrl-C and --duration
    are an ordinary end. When the connection breaks it is opened again where it was, and what cannot be known is said.

    \b
    Examples:
      mxgw-py alarms
      mxgw-py alarms --area Line1 --priority 1-250 --once
      mxgw-py alarms --json --duration 60 | tee alarms.jsonl
    """
    view = _View(connection.output_json, max_events, shows_hidden=hidden, is_utc=utc, is_once=once)

    async def body(client: GatewayClient) -> None:
        feed = client.alarms.watch(**chosen, reconnect=not no_reconnect)
        with graceful_end():
            async with asyncio.timeout(duration), feed:
                await view.run(feed)

    connection.run(body)


class _View:
    """What a run of `alarms` shows."""

    def __init__(
        self, output_json: bool, max_events: int | None, *, shows_hidden: bool, is_utc: bool, is_once: bool
    ) -> None:
        self._json = output_json
        self._max_events = max_events
        self._is_utc = is_utc
        self._is_once = is_once
        self._board = AlarmBoard(shows_hidden=shows_hidden)
        self._is_new = True
        self._live = is_terminal() and not output_json and max_events is None and not is_once

    async def run(self, feed: AlarmFeed) -> None:
        if self._is_once:
            self._print_list(feed)
            return
        with self._table() as table:
            if table is None:
                async with background_task(self._tell_turns(feed, note)):
                    await self._lines(feed)
                return
            async with (
                background_task(self._draw(table, feed)),
                background_task(self._tell_turns(feed, table.tell)),
            ):
                async for event in feed:
                    self._is_new = True
                    if isinstance(event, AlarmChange):
                        self._board.note(event, time.monotonic())
                    elif (text := _told(event)) is not None:
                        table.tell(text)

    def _table(self) -> Any:
        if self._live:
            try:
                from mxgateway_cli.alarm_live_table import AlarmLiveTable
            except ImportError:
                note(f"install rich for the live table: {install_command('cli')}")
            else:
                return AlarmLiveTable("alarms, Ctrl-C ends")
        return nullcontext(None)

    def _refresh(self, feed: AlarmFeed) -> None:
        board = self._board
        board.state, board.provider = feed.state, feed.provider
        broken = feed.last_interruption if feed.state is AlarmFeedState.RECONNECTING else None
        board.problem = f"reconnecting: {broken}" if broken is not None else ""
        if self._is_new:
            self._is_new = False
            board.replace(feed.active.values())

    async def _draw(self, table: Any, feed: AlarmFeed) -> None:
        def show() -> None:
            self._refresh(feed)
            table.update(self._board, time.monotonic(), datetime.now(UTC))

        try:
            while True:
                show()
                await asyncio.sleep(_REDRAW)
        finally:
            show()

    async def _tell_turns(self, feed: AlarmFeed, tell: Callable[[str], None]) -> None:
        is_broken = False
        async for state in feed.state_changes():
            if state is AlarmFeedState.RECONNECTING:
                tell(_stamped(f"reconnecting: {feed.last_interruption}"))
                is_broken = True
            elif is_broken:
                is_broken = False
                tell(_stamped("connected again: what was missed follows"))

    def _print_list(self, feed: AlarmFeed) -> None:
        self._refresh(feed)
        rows = self._board.rows()
        provider = feed.provider
        if feed.state is AlarmFeedState.CONNECTING:
            # No list is not an empty one.
            raise CommandFailure(f"the gateway has no list of the alarms yet: {self._board.why or 'try again'}")
        if self._json:
            document = {
                "state": feed.state.value,
                "provider": None if provider is None else _provider_document(provider),
                "position": None if feed.position is None else str(feed.position),
                "alarms": [_document(alarm) for alarm in rows],
            }
            emit(document, True, "")
            return
        lines = alarm_table(rows, is_utc=self._is_utc)
        for badge in self._board.badges:
            note(f"{badge}: {self._board.why}" if self._board.why else badge)
        emit(None, False, lines)

    async def _lines(self, feed: AlarmFeed) -> None:
        self._refresh(feed)
        for alarm in self._board.rows():
            self._say({"kind": "ACTIVE", "alarm": _document(alarm)}, lambda: self._line("ACTIVE", alarm))  # noqa: B023 - said within this turn
        changes = 0
        async for event in feed:
            if not isinstance(event, AlarmChange):
                self._say(_event_document(event), lambda: None)
                if not self._json and (text := _told(event)) is not None:
                    note(text)
                continue
            if is_hidden(event.alarm) and not (self._board.shows_hidden or _was_shown(event)):
                continue
            self._say(
                {
                    "kind": event.kind.name,
                    "alarm": _document(event.alarm),
                    "sequence": event.sequence,
                    "origin": event.origin.name,
                },
                lambda: self._line(event.kind.name, event.alarm),  # noqa: B023 - said within this turn
            )
            changes += 1
            if changes == self._max_events:
                return

    def _say(self, document: dict[str, Any] | None, line: Callable[[], str | None]) -> None:
        text = None if self._json and document is None else json.dumps(document) if self._json else line()
        if text is not None:
            click.echo(text)
            sys.stdout.flush()

    def _line(self, kind: str, alarm: Alarm) -> str:
        state = " ".join([alarm.state.name, *marks(alarm)])
        when = time_text(alarm.changed, is_utc=self._is_utc)
        parts = (when, kind, state, str(alarm.priority), alarm.reference, alarm.description)
        return "\t".join(one_line(part.replace("\t", " ")) for part in parts)


def _was_shown(change: AlarmChange) -> bool:
    return change.previous is not None and not is_hidden(change.previous)


def _document(alarm: Alarm) -> dict[str, Any]:
    return proto_dict(alarm.raw) if alarm.raw is not None else {"alarmFullReference": alarm.reference}


def _provider_document(provider: AlarmProviderChanged) -> dict[str, Any]:
    return {
        "degraded": provider.degraded,
        "forced": provider.forced,
        "uncertain": provider.uncertain,
        "reason": provider.reason,
    }


def _event_document(event: AlarmEvent) -> dict[str, Any] | None:
    if isinstance(event, AlarmGap):
        return {"gap": {"reason": event.reason, "lost": event.lost}}
    if isinstance(event, AlarmProviderChanged):
        return {"provider": _provider_document(event)}
    return {"synced": {"count": event.count}} if not isinstance(event, AlarmChange) else None


def _told(event: AlarmEvent) -> str | None:
    """An event that is no change, for people; None when there is nothing to say."""
    if isinstance(event, AlarmGap):
        lost = f", {event.lost} changes" if event.lost else ""
        return _stamped(f"gap ({event.reason}{lost}): what it came to follows as changes that were found by comparing")
    if isinstance(event, AlarmProviderChanged):
        if event.uncertain:
            return _stamped(f"nobody tells the alarms now, the list is the last known: {event.reason}")
        return _stamped(f"degraded, told by watched attributes: {event.reason}") if event.degraded else None
    return None


def _stamped(text: str) -> str:
    return one_line(f"{datetime.now(UTC).isoformat(timespec='seconds').replace('+00:00', 'Z')} {text}")
