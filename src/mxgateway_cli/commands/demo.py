"""`mxgw-py demo`: a whole system on this machine, seen by an ordinary client."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mxgateway import GatewayClient, MxAccessError, Subscription, from_mx_value, to_mx_value
from mxgateway.testing import LocalGateway, LocalGatewayError
from mxgateway_cli import interrupts, profiles
from mxgateway_cli.connection import readable_failures
from mxgateway_cli.dashboard_link import dashboard_link
from mxgateway_cli.demo_plan import DemoPlan, plan
from mxgateway_cli.failures import CommandFailure
from mxgateway_cli.interrupts import graceful_end
from mxgateway_cli.moments import nanoseconds
from mxgateway_cli.output import emit, is_terminal, note
from mxgateway_cli.percentiles import summary
from mxgateway_cli.value_text import mx_text
from mxgateway_cli.watch_board import TagBoard
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.installing import install_command
from mxgateway_contract.private_files import write_private

if TYPE_CHECKING:
    from mxgateway_cli.live_table import LiveTable

_SCOPES = ("session:open", "session:close", "invoke:read", "invoke:write", "events:read", "metadata:read")
_ADMIN = "admin"
_REDRAW = 0.25
_WRITE_PERIOD = 10.0
_WRITE_LIMIT = 10.0
_MAX_LATENCIES = 200_000


@click.command()
@click.option("--duration", type=click.FloatRange(min=1), metavar="SECONDS", help="End by itself after this time.")
@click.option(
    "--tags", "tag_count", type=click.IntRange(1, 1000), default=100, show_default=True, help="Tags to watch."
)
@click.option("--galaxy", default="plant", show_default=True, help="Galaxy to build: plant, reference, or a file.")
@click.option("--json", "output_json", is_flag=True, help="One JSON object at the end in place of the table.")
@click.option("--dashboard", "opens", is_flag=True, help="Open the dashboard in a browser, signed in as administrator.")
def demo(duration: float | None, tag_count: int, galaxy: str, output_json: bool, opens: bool) -> None:
    """Shows live tags of a simulated plant: gateway, worker, TLS, key and Galaxy, all real and on this machine.

    Everything lives in a temporary folder and ends with the demo. The exit code is 0 only if all of it worked.

    \b
    Examples:
      mxgw-py demo
      mxgw-py demo --dashboard
      mxgw-py demo --duration 5 --json
    """
    if output_json and duration is None:
        duration = 10.0
    run = _Demo(duration, tag_count, galaxy, output_json, opens=opens)
    try:
        with readable_failures():
            interrupts.run(run.main())
    except LocalGatewayError as error:
        raise CommandFailure(str(error)) from error
    report = run.report()
    lines = (
        f"{report['objects']} objects, {report['tags']} tags, {report['events']} events "
        f"({report['eventsPerSecond']}/s), {report['qualityGood']} good, "
        f"set point {'written' if report['writeCompleted'] else 'NOT written'}, "
        f"{'everything ended cleanly' if report['cleanShutdown'] else 'NOT everything ended cleanly'}",
    )
    emit(report, output_json, lines)
    if run.problems:
        raise CommandFailure("; ".join(run.problems))


class _Demo:
    """One run, from the building of the Galaxy to the last process that ended."""

    def __init__(
        self, duration: float | None, tag_count: int, galaxy: str, output_json: bool, *, opens: bool = False
    ) -> None:
        self._opens = opens
        self._duration = duration
        self._tag_count = tag_count
        self._galaxy = galaxy
        self._json = output_json
        self._board = TagBoard(())
        self._plan = DemoPlan([], "", 0, 0)
        self._latencies: list[float] = []
        self._write_latency: float | None = None
        self._writes = 0
        self._completed = 0
        self._elapsed = 0.0
        self._start_seconds = 0.0
        self._clean = False
        self._table: LiveTable | None = None
        self._joining: list[str] = []
        self.problems: list[str] = []

    async def main(self) -> None:
        """Runs the demo. Ctrl-C, SIGTERM and the end of the terminal end it in order."""
        began = time.monotonic()
        scopes = (*_SCOPES, _ADMIN) if self._opens else _SCOPES
        async with LocalGateway.run(self._galaxy, scopes=scopes, progress=note, dashboard=True) as gateway:
            async with await gateway.connect() as client:
                note(f"connected to {gateway.endpoint} over TLS")
                async with await gateway.connect_galaxy() as galaxy:
                    self._plan = plan([each async for each in galaxy.iter_hierarchy()], self._tag_count)
                note(f"browsed {self._plan.objects} objects with {self._plan.attributes} attributes")
                with self._profile(gateway):
                    await self._tell_of_dashboard(gateway)
                    await self._watch(client, began)
            note("stopping the gateway")
        self._clean = gateway.exit_code == 0 and not gateway.state_dir.exists()
        self._judge(gateway.exit_code)

    async def _watch(self, client: GatewayClient, began: float) -> None:
        self._board = TagBoard(self._plan.tags)
        subscription = client.subscribe(self._plan.tags, client_session_name="demo", reconnect=False)
        try:
            with self._view() as self._table, graceful_end():
                await subscription.start()
                self._board.refuse(subscription.failures)
                self._start_seconds = time.monotonic() - began
                async with asyncio.timeout(self._duration), asyncio.TaskGroup() as group:
                    group.create_task(self._read(subscription))
                    if self._plan.set_point in self._board.rows:
                        group.create_task(self._write_set_point(subscription))
                    await self._draw()
        finally:
            self._elapsed = time.monotonic() - began - self._start_seconds
            await subscription.aclose()

    async def _read(self, subscription: Subscription) -> None:
        async for changes in subscription.batches():
            now, now_ns = time.monotonic(), time.time_ns()
            for change in changes:
                self._board.take(change, now)
                if isinstance(change.raw, pb.MxEvent) and len(self._latencies) < _MAX_LATENCIES:
                    self._latencies.append((now_ns - nanoseconds(change.raw.worker_timestamp)) / 1e6)

    async def _write_set_point(self, subscription: Subscription) -> None:
        """Moves the set point up and down."""
        tag, base, step = self._plan.set_point, None, 5
        sent, text = 0.0, ""

        def value(before: pb.MxEvent) -> Any:
            nonlocal base, sent, text
            base = from_mx_value(before.value) if base is None else base
            moved = base + step if isinstance(base, int | float) and not isinstance(base, bool) else base
            text, sent = f"{tag} = {mx_text(to_mx_value(moved))}", time.monotonic()
            self._say(f"write {text} …")
            return moved

        while True:
            self._writes += 1
            try:
                await subscription.write(tag, value, timeout=_WRITE_LIMIT)
            except MxAccessError as error:
                self.problems.append(f"OnWriteComplete of {tag} reports failure")
                self._say(f"write {text}: {error}")
            else:
                took = (time.monotonic() - sent) * 1000
                self._completed += 1
                self._write_latency = self._write_latency if self._write_latency is not None else took
                self._say(f"write {text}: OnWriteComplete after {took:.1f} ms")
            step = 0 if step else 5
            await asyncio.sleep(_WRITE_PERIOD)

    async def _draw(self) -> None:
        while True:
            await asyncio.sleep(_REDRAW if self._table is not None else 1.0)
            now = time.monotonic()
            if self._table is not None:
                self._table.update(self._board, now)
            elif not self._json:
                rate = sum(row.rate(now) for row in self._board.rows.values())
                click.echo(f"{len(self._board.rows)} tags, {self._board.good} good, {rate:.1f} changes/s")
                for row in list(self._board.rows.values())[:5]:
                    click.echo(f"  {row.tag:40} {row.text:>14} {row.quality_text}")

    @contextmanager
    def _view(self) -> Iterator[LiveTable | None]:
        """The live table on a terminal; plain lines elsewhere and without rich."""
        table: Any = nullcontext(None)
        if is_terminal() and not self._json:
            try:
                from mxgateway_cli.live_table import LiveTable

                table = LiveTable("SIMULATED live tags, Ctrl-C ends the demo", footer=[*self._joining, "", ""])
            except ImportError:
                note(f"install rich for the live table: {install_command('cli')}")
        with table as shown:
            yield shown

    def _say(self, text: str) -> None:
        if self._table is not None:
            self._table.footer[-2:] = [self._table.footer[-1], text]
        else:
            note(text)

    @contextmanager
    def _profile(self, gateway: LocalGateway) -> Iterator[None]:
        """A profile for a second terminal while the demo runs; the key is in a file that only its owner can read."""
        key_file = gateway.state_dir / "client-key"
        write_private(key_file, gateway.api_key + "\n")
        profile = profiles.Profile(endpoint=gateway.endpoint, ca_file=str(gateway.ca_file), api_key_file=str(key_file))
        try:
            name = profiles.save_temporary("demo", profile)
        except (click.UsageError, OSError):
            # The user's own file cannot be used: one beside the gateway's state does as well, with a longer name.
            path = profiles.save(profiles.DEFAULT_PROFILE, profile, gateway.state_dir / "client-profile.json")
            name = shlex.quote(str(path))
        # Short enough for one row of a terminal of 80 columns: a broken line cannot be copied.
        self._joining = [f"second terminal: {_program()} browse --profile {name}  (or watch, tui)"]
        note(self._joining[0])
        try:
            yield
        finally:
            with suppress(click.UsageError, OSError):
                profiles.forget(name, profile)

    async def _tell_of_dashboard(self, gateway: LocalGateway) -> None:
        """Where the dashboard is; opened with a link that signs in once, if that was asked for."""
        hint = "" if self._opens else "  (demo --dashboard opens it)"
        self._joining.append(f"dashboard: {gateway.dashboard_url}{hint}")
        note(self._joining[-1])
        if not self._opens:
            return
        try:
            link = await asyncio.to_thread(dashboard_link, gateway.dashboard_url, gateway.api_key)
            is_open = await asyncio.to_thread(webbrowser.open, link)
        except (OSError, ValueError, KeyError) as error:
            note(f"the dashboard cannot be opened: {error}")
            return
        if not is_open:
            # The link is worth a login, once, to whoever reads this terminal.
            note(f"no browser to open; this link lets in once, for two minutes: {link}")

    def _judge(self, exit_code: int | None) -> None:
        """What did not work; the exit code of the demo is 0 only when nothing is listed."""
        rows = self._board.rows.values()
        # Who ends the demo by hand may do so before each tag has its first value.
        in_full = self._duration is not None and self._elapsed >= self._duration * 0.9
        for wrong, text in (
            (not self._board.rows, "no tag was subscribed"),
            (in_full and self._board.waiting > 0, f"{self._board.waiting} tags never got a value"),
            (any(row.failure for row in rows), f"{sum(bool(row.failure) for row in rows)} tags failed"),
            (self._board.good == 0, "no tag is good"),
            (not self._plan.set_point, "the Galaxy has no set point to write"),
            (bool(self._plan.set_point) and not self._completed, "the set point's write did not complete"),
            (exit_code != 0, f"the gateway ended with code {exit_code}"),
            (not self._clean and exit_code == 0, "the temporary folder is still there"),
        ):
            if wrong:
                self.problems.append(text)

    def report(self) -> dict[str, Any]:
        """The run in figures. `qualityGood` is the number of tags whose last value is good."""
        return {
            "objects": self._plan.objects,
            "attributes": self._plan.attributes,
            "tags": len(self._board.rows),
            "events": self._board.events,
            "eventsPerSecond": round(self._board.events / self._elapsed, 1) if self._elapsed else 0.0,
            "qualityGood": self._board.good,
            "writeCompleted": self._completed > 0,
            "writeLatencyMs": round(self._write_latency, 3) if self._write_latency is not None else None,
            "latencyMs": asdict(summary(self._latencies)),
            "lostEvents": self._board.lost,
            "startSeconds": round(self._start_seconds, 3),
            "durationSeconds": round(self._elapsed, 3),
            "cleanShutdown": self._clean,
            "problems": self.problems,
        }


def _program() -> str:
    """How this program is called from another terminal."""
    if shutil.which("mxgw-py"):
        return "mxgw-py"
    script = Path(sys.executable).parent / "mxgw-py"
    if not script.exists():
        return f"{shlex.quote(sys.executable)} -m mxgateway_cli"
    relative = os.path.relpath(script)
    return shlex.quote(relative if not relative.startswith("..") else str(script))
