"""Watching and recording tags, over interruptions of the connection."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mxgateway import DataChange, GalaxyRepositoryClient, GatewayClient, Subscription
from mxgateway.house import time_text
from mxgateway_cli import tag_lists
from mxgateway_cli.commands.tags import glob_options, local_time_option, tag_arguments
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.failures import SilentFailure
from mxgateway_cli.following import Follower, background_task, event_of, marks
from mxgateway_cli.interrupts import graceful_end
from mxgateway_cli.near_tags import hint
from mxgateway_cli.output import emit, is_terminal, note, proto_dict
from mxgateway_cli.simulated import SIMULATED, tell_simulated
from mxgateway_cli.value_text import moment_text, mx_text
from mxgateway_cli.watch_board import Row, TagBoard
from mxgateway_contract.installing import install_command

if TYPE_CHECKING:
    from mxgateway_cli.recording import RecordedChanges, Recording

_REDRAW = 0.25


def _ends(command: Callable[..., Any]) -> Callable[..., Any]:
    """What ends a watch or a recording."""
    for option in (
        click.option(
            "--no-reconnect", is_flag=True, help="End with exit code 1 when the connection or the session is lost."
        ),
        click.option("--max-events", type=click.IntRange(min=1), help="End after this many changes."),
        click.option("--duration", type=click.FloatRange(min=0, min_open=True), help="End after this many seconds."),
    ):
        command = option(command)
    return command


async def _follow(
    client: GatewayClient,
    subscription: Subscription,
    duration: float | None,
    consume: Callable[[Follower], Awaitable[None]],
) -> Follower:
    """Starts the subscription, tells what becomes of it while it is consumed, and ends it.

    The time that is over, Ctrl-C and SIGTERM are an ordinary end; a start that fails is a failure.
    """
    async with GalaxyRepositoryClient(client.options) as galaxy:
        follower = Follower(subscription, note, hint=functools.partial(hint, galaxy))
        try:
            with graceful_end():
                await subscription.start()
                tell_simulated(subscription.is_simulated)
                follower.tell_refusals()
                async with (
                    asyncio.timeout(duration),
                    background_task(follower.tell_turns()),
                    background_task(follower.tell_hints()),
                ):
                    await consume(follower)
        finally:
            await subscription.aclose()
    return follower


@click.command()
@tag_arguments
@glob_options
@local_time_option
@_ends
@connected(long_running=True)
def watch(
    connection: Connection,
    names: tuple[str, ...],
    every: bool,
    limit: int,
    duration: float | None,
    max_events: int | None,
    no_reconnect: bool,
    local_time: bool,
) -> None:
    """Shows tags as they change: a live table on a terminal, a line for each change elsewhere.

    With --json there is one JSON object a line. Ctrl-C and --duration are an ordinary end. When the connection breaks
    it is opened again: stderr (or the table) says so, changes that come late, were read again, or follow lost ones are
    marked. The exit code is 1 when there is not one of the tags.

    \b
    Examples:
      mxgw-py watch TestMachine_001.TestChangingInt
      mxgw-py watch "Fermenter_*.Level" --duration 60 | tee levels.txt
    """
    tags = tag_lists.resolve_tags(connection, names, limit, every=every)
    view = _Watch(tags, connection.output_json, max_events, local_time)

    async def body(client: GatewayClient) -> bool:
        subscription = client.subscribe(tags, client_session_name="mxgw-py watch", reconnect=not no_reconnect)
        follower = await _follow(client, subscription, duration, lambda each: view.run(subscription, each))
        if (text := follower.cost_text) and not view.is_table:
            note(text)
        return follower.are_all_unknown

    if connection.run(body):
        raise SilentFailure


class _Watch:
    """What a run of `watch` shows."""

    def __init__(self, tags: list[str], output_json: bool, max_events: int | None, is_local: bool) -> None:
        self._is_local = is_local
        self._json = output_json
        self._max_events = max_events
        self._board = TagBoard(tags)
        self.is_table = False
        self._live = is_terminal() and not output_json and max_events is None

    async def run(self, subscription: Subscription, follower: Follower) -> None:
        with self._table() as table:
            self.is_table = table is not None
            if table is None:
                await self._lines(subscription, follower)
            else:
                with follower.telling(table.tell):
                    async with background_task(self._draw(table, subscription, follower)):
                        async for change in subscription:
                            follower.take(change)
                            self._board.take(change, time.monotonic())

    def _table(self) -> Any:
        if self._live:
            try:
                from mxgateway_cli.live_table import LiveTable
            except ImportError:
                note(f"install rich for the live table: {install_command('cli')}")
            else:
                return LiveTable("live tags, Ctrl-C ends")
        return nullcontext(None)

    async def _draw(self, table: Any, subscription: Subscription, follower: Follower) -> None:
        def show() -> None:
            interruption = follower.interruption
            self._board.refuse(subscription.failures)
            self._board.is_stale = bool(interruption)
            simulated = SIMULATED if subscription.is_simulated else ""
            table.footer[:] = [text for text in (simulated, interruption or follower.cost_text) if text]
            table.update(self._board, time.monotonic())

        try:
            while True:
                show()
                await asyncio.sleep(_REDRAW)
        finally:
            show()

    async def _lines(self, subscription: Subscription, follower: Follower) -> None:
        changes = 0
        async for change in subscription:
            follower.take(change)
            row = self._board.take(change, time.monotonic())
            click.echo(_json_line(change) if self._json else _text_line(change, row, self._is_local))
            sys.stdout.flush()
            changes += 1
            if changes == self._max_events:
                return


def _json_line(change: DataChange) -> str:
    came = {"replayed": change.replayed, "recovered": change.recovered, "lostBefore": change.lost_before}
    return json.dumps({"tag": change.tag, **proto_dict(event_of(change)), **came})


def _text_line(change: DataChange, row: Row, is_local: bool) -> str:
    stamp = change.raw.source_timestamp
    parts = [
        moment_text(stamp) if is_local else time_text(stamp),
        change.tag,
        mx_text(change.raw.value),
        row.quality_text,
    ]
    if special := marks(change):
        parts.append(special)
    return "\t".join(parts)


@click.command()
@tag_arguments
@glob_options
@click.option("--output", type=click.Path(dir_okay=False), required=True, help="File to write: .csv or .parquet.")
@_ends
@connected(long_running=True)
def record(
    connection: Connection,
    names: tuple[str, ...],
    every: bool,
    limit: int,
    output: str,
    duration: float | None,
    max_events: int | None,
    no_reconnect: bool,
) -> None:
    """Records changes into a file (tag, time, value, quality, type) that the replay backend can play.

    CSV is written as changes come; Parquet needs the extra `pandas` and is written at the end. When the connection
    breaks it is opened again, and no value stands in the file twice. The report says how many events were lost, how
    often the session had to be opened anew (what changed before that is not known), and whether the recording is
    complete.

    \b
    Example:
      mxgw-py record "Fermenter_*.Level" --output levels.csv --duration 3600
    """
    from mxgateway_cli.recording import RecordedChanges, open_recording

    tags = tag_lists.resolve_tags(connection, names, limit, every=every)

    async def body(client: GatewayClient) -> dict[str, Any]:
        with open_recording(Path(output)) as recording:
            changes = RecordedChanges(recording)
            subscription = client.subscribe(tags, client_session_name="mxgw-py record", reconnect=not no_reconnect)
            try:
                take = functools.partial(_record, subscription, recording, changes, max_events)
                follower = await _follow(client, subscription, duration, take)
            finally:
                if changes.recorded != max_events:
                    changes.finish()
            costs = follower.costs
            failed = follower.are_all_unknown
            return {"events": changes.recorded, **costs, "text": follower.cost_text, "failed": failed}

    report = connection.run(body)
    failed = report.pop("failed")
    text = f"{report['events']} changes of {len(tags)} tags in {output}"
    if costs := report.pop("text"):
        text += f"; {costs}"
    emit({"file": output, "tags": len(tags), **report}, connection.output_json, text)
    if failed:
        raise SilentFailure


async def _record(
    subscription: Subscription,
    recording: Recording,
    changes: RecordedChanges,
    max_events: int | None,
    follower: Follower,
) -> None:
    """Records changes until there are enough."""
    async for change in subscription:
        follower.take(change)
        changes.add(change)
        if not subscription.waiting:
            # A long recording of quiet tags is on the disk all the time.
            recording.flush()
        if changes.recorded == max_events:
            return
