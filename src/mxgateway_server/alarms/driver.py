"""Drives the monitor: its worker, its clock, and the streams that wait for news."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import Any, TypeAlias

from google.protobuf.message import DecodeError

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_protocol.clock import Clock
from mxgateway_server.alarms.decoding import AlarmDecoder, ListPages, speaker_of
from mxgateway_server.alarms.galaxy_view import AlarmGalaxy, WatchList
from mxgateway_server.alarms.link import AlarmLink
from mxgateway_server.alarms.model import Change, Report
from mxgateway_server.alarms.monitor import Action, AlarmMonitor, AskSnapshot, Close, Open, Resubscribe
from mxgateway_server.alarms.publishing import Publisher
from mxgateway_server.alarms.subscribing import page_of_list, problem_of, reason_of_refusal, subscription
from mxgateway_server.alarms.telling import Reach, Reason
from mxgateway_server.config.alarm_sections import AlarmSettings
from mxgateway_server.errors import (
    AlarmsUnavailableError,
    EventQueueOverflowError,
    GatewayError,
    WorkerError,
    WorkerExitedError,
    WorkerFaultedError,
)
from mxgateway_server.events.chunks import EventChunk
from mxgateway_server.logs import get_logger
from mxgateway_server.parts import work_until

logger = get_logger(__name__)

_Event: TypeAlias = Report | pb.OnAlarmProviderModeChangedEvent

TICK_SECONDS = 0.25
COMMAND_SECONDS = 30.0
SUBSCRIBE_SECONDS = 60.0
MOST_WAITING_EVENTS = 200_000
"""Events that may wait for the monitor; more mean that it cannot follow, and it begins anew with a list."""
_TOGETHER = 200
_WARNED_STATES = 50
_KILLED = -9


class AlarmDriver:
    """The monitor at work.

    Args:
        link: its worker.
        galaxy: what is known of the plant beside its alarms.
        on_new_galaxy: called when that has changed.
    """

    def __init__(
        self,
        monitor: AlarmMonitor,
        link: AlarmLink,
        galaxy: AlarmGalaxy,
        settings: AlarmSettings,
        clock: Clock,
        on_new_galaxy: Callable[[], None] = lambda: None,
    ) -> None:
        self.monitor = monitor
        self.publisher = Publisher(clock, self._newest)
        self.watched = WatchList([], 0)
        self.poll = pb.AlarmPollReport()
        self._link = link
        self._galaxy = galaxy
        self._settings = settings
        self._clock = clock
        self._decoder = AlarmDecoder(galaxy.area_path)
        self._edition = 0
        self._on_new_galaxy = on_new_galaxy
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._chunks: deque[EventChunk] = deque()
        self._waiting = 0
        self._run = 0
        self._group: asyncio.TaskGroup | None = None
        self._warned: set[str] = set()
        self._told_left_out = 0
        self._uses_manager = True
        self._closing: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------------------------------------------------- life

    async def run(self) -> None:
        """Keeps the list until `stop`."""
        try:
            await work_until(self._stop, self._work())
        finally:
            await self._link.close()

    async def stop(self) -> None:
        self._stop.set()

    async def _work(self) -> None:
        # Areas belong to what alarms are told apart by: a list from before the Galaxy was read would change with it.
        await self._galaxy.settled()
        if self._galaxy.edition != self._edition:
            # Who came before that was judged by a Galaxy of which nothing was known.
            self._take_galaxy()
        async with asyncio.TaskGroup() as group:
            self._group = group
            while True:
                await self._guarded(self._round(), self._run)
                try:
                    async with asyncio.timeout(TICK_SECONDS):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    async def _round(self) -> None:
        await self._take_events()
        self._look_at_galaxy()
        self._link.check()
        shown = self.monitor.shows_list
        changes, actions = self.monitor.tick(*self._now())
        if changes or actions:
            self._decided(changes, actions)
        elif self.monitor.shows_list and not shown:
            self.publisher.news()

    # ------------------------------------------------------------------------------------------------ what others ask

    @property
    def worker_pid(self) -> int:
        return self._link.worker_pid

    @property
    def session_id(self) -> str:
        return self._link.session_id

    @property
    def areas_known(self) -> bool:
        """Whether filters know the areas inside areas."""
        return self._galaxy.edition > 0

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Begins a task that ends with the monitor at the latest; it handles its own failures.

        Raises:
            AlarmsUnavailableError: the monitor does not run.
        """
        if self._group is None or self._stop.is_set():
            work.close()
            raise AlarmsUnavailableError("the alarm monitor does not run now; try again", retry_after=5.0)
        self._group.create_task(work)

    async def call(self, command: pb.MxCommand, timeout: float) -> pb.MxCommandReply:
        """Has the worker carry out a command that a caller asked for.

        Raises:
            AlarmsUnavailableError: there is no provider now.
            GatewayError: the worker could not answer.
        """
        self.require_provider()
        return await self._link.call(command, timeout)

    def require_provider(self) -> None:
        """Refuses what only a provider can do.

        Raises:
            AlarmsUnavailableError: there is none now.
        """
        status = self.monitor.status
        if not self.monitor.has_list or not status.provider:
            text = status.text or status.reason.name.lower().replace("_", " ")
            raise AlarmsUnavailableError(
                f"the alarm monitor has no provider now ({status.state.name}: {text}); try again", retry_after=1.0
            )

    # ----------------------------------------------------------------------------------------------------------- events

    def _newest(self) -> Reach:
        return Reach(self.monitor.book.log.newest, self.monitor.notes.newest)

    def _on_events(self, run: int) -> Callable[[EventChunk], None]:
        def take(chunk: EventChunk) -> None:
            if run != self._run:
                return
            self._waiting += chunk.count
            if self._waiting > MOST_WAITING_EVENTS:
                self._lost(run, Reason.EVENTS_LOST, f"{self._waiting} events wait for the monitor")
                return
            self._chunks.append(chunk)
            self._wake.set()

        return take

    def _on_fault(self, run: int) -> Callable[[GatewayError], None]:
        def take(error: GatewayError) -> None:
            is_overflow = isinstance(error, EventQueueOverflowError) or (
                isinstance(error, WorkerFaultedError) and "OVERFLOW" in str(error).upper()
            )
            reason = Reason.EVENTS_LOST if is_overflow else Reason.WORKER_LOST
            self._lost(run, reason, str(error), is_from_outside=_was_killed(error))

        return take

    def _lost(
        self, run: int, reason: Reason, text: str, hresult: int | None = None, *, is_from_outside: bool = False
    ) -> None:
        if run != self._run:
            return
        logger.warning("alarm_worker_lost", reason=reason.name.lower(), error=text)
        now, now_ns = self._now()
        self._do([], self.monitor.lost(reason, text, now, now_ns, hresult, is_from_outside=is_from_outside))

    async def _take_events(self) -> None:
        self._wake.clear()
        while self._chunks:
            chunk = self._chunks.popleft()
            self._waiting -= chunk.count
            run = self._run
            try:
                for reports in _portions(self._decoded(chunk)):
                    self._take_reports(reports)
                    if run != self._run:
                        return
                    # Streams and calls have their turn in the middle of a storm.
                    await asyncio.sleep(0)
            except (DecodeError, ValueError, IndexError) as error:
                self._lost(run, Reason.EVENTS_LOST, f"the worker's events cannot be read: {type(error).__name__}")
                return

    def _decoded(self, chunk: EventChunk) -> Iterator[tuple[int, _Event | None]]:
        # All of a chunk in one go: three times as fast as one event after the other.
        for number, event in enumerate(pb.MxEventBatch.FromString(chunk.data).events, chunk.first_sequence):
            body = event.WhichOneof("body")
            if body == "on_alarm_transition":
                report = self._decoder.report(event.on_alarm_transition)
                if report.alarm.raw_state:
                    self._warn_of_state(report.alarm.raw_state)
                yield number, report
            elif body == "on_alarm_provider_mode_changed":
                yield number, event.on_alarm_provider_mode_changed
            else:
                yield number, None

    def _take_reports(self, reports: Sequence[tuple[int, _Event | None]]) -> None:
        plain: list[tuple[int, Report | None]] = []
        for number, told in reports:
            if not isinstance(told, pb.OnAlarmProviderModeChangedEvent):
                plain.append((number, told))
                continue
            plain.append((number, None))
            self._decided(*self.monitor.reported(plain, *self._now()))
            plain = []
            speaker = speaker_of(told)
            logger.warning(
                "alarm_provider_changed",
                provider=speaker.provider.name.lower(),
                reason=speaker.reason.name.lower(),
                error=speaker.text,
                hresult=speaker.hresult,
            )
            self._do([], self.monitor.switched(speaker, self._clock.unix_ns()))
        if plain:
            self._decided(*self.monitor.reported(plain, *self._now()))

    def _warn_of_state(self, text: str) -> None:
        if text not in self._warned and len(self._warned) < _WARNED_STATES:
            self._warned.add(text)
            logger.warning("alarm_state_unknown", state=text[:100])

    # ---------------------------------------------------------------------------------------------------------- actions

    def _decided(self, changes: list[Change], actions: list[Action]) -> None:
        """What the monitor has come to by itself; that it gives a worker up is told."""
        for action in actions:
            if isinstance(action, Close):
                logger.warning("alarm_worker_lost", reason=action.reason.name.lower(), error=self.monitor.status.text)
        self._do(changes, actions)

    def _do(self, changes: list[Change], actions: list[Action]) -> None:
        """What the monitor asks for; and streams learn that there is news."""
        self.publisher.news(len(changes))
        group = self._group
        if group is None:
            return
        for action in actions:
            if isinstance(action, Open):
                group.create_task(self._guarded(self._open(self._run), self._run))
            elif isinstance(action, Resubscribe):
                group.create_task(self._guarded(self._subscribe(self._run), self._run))
            elif isinstance(action, AskSnapshot):
                group.create_task(self._guarded(self._ask_list(self._run), self._run))
            else:
                self._run += 1
                self._chunks.clear()
                self._waiting = 0
                self._closing = group.create_task(self._link.close())

    async def _guarded(self, work: Coroutine[Any, Any, None], run: int) -> None:
        """Nothing that goes wrong here may end the gateway: the monitor begins anew."""
        try:
            await work
        except Exception as error:
            logger.exception("alarm_monitor_failed")
            self._lost(run, Reason.WORKER_LOST, f"unexpected: {type(error).__name__}")

    async def _open(self, run: int) -> None:
        if self._closing is not None:
            await self._closing
            self._closing = None
        try:
            await self._link.open(self._on_events(run), self._on_fault(run))
        except GatewayError as error:
            self._lost(run, Reason.WORKER_LOST, str(error))
            return
        except OSError as error:
            self._lost(run, Reason.WORKER_LOST, str(error))
            return
        logger.info("alarm_worker_ready", worker_pid=self._link.worker_pid)
        self.monitor.opened(*self._now())
        await self._subscribe(run)

    async def _subscribe(self, run: int) -> None:
        self.watched = await self._wanted()
        if run != self._run:
            return
        if self.watched.left_out and self.watched.left_out != self._told_left_out:
            self._told_left_out = self.watched.left_out
            logger.warning(
                "alarms_not_watched",
                count=self.watched.left_out,
                remedy="raise alarms.fallback.discovery.max_alarms, or exclude alarms",
            )
        self._judge_manager()
        command = subscription(self._settings, self.watched, uses_manager=self._uses_manager)
        try:
            reply = await self._link.call(command, SUBSCRIBE_SECONDS)
        except GatewayError as error:
            reason = Reason.WORKER_LOST if isinstance(error, WorkerError) else Reason.SUBSCRIBE_FAILED
            self._lost(run, reason, str(error), is_from_outside=_was_killed(error))
            return
        problem = problem_of(reply)
        if problem:
            hresult = reply.hresult if reply.HasField("hresult") else None
            self._lost(run, reason_of_refusal(reply), problem, hresult)
        elif run == self._run:
            self._do([], self.monitor.subscribed(self._clock.monotonic()))

    def _judge_manager(self) -> None:
        """Decides whether the alarm manager is used, and tells the operator when that is new."""
        used = self._uses_manager
        self._uses_manager = self.monitor.uses_manager(
            self._clock.monotonic(), has_attributes=bool(self.watched.targets)
        )
        if used and not self._uses_manager:
            logger.warning(
                "alarm_manager_avoided",
                error=self.monitor.trust.text,
                remedy="see the worker's last lines; alarms.fallback.mode = attributes leaves it alone for good",
            )
        elif self._uses_manager and not used:
            logger.info("alarm_manager_tried_again")

    async def _wanted(self) -> WatchList:
        """The alarms to watch now: those of a large Galaxy are found beside the loop."""
        return await asyncio.to_thread(self._galaxy.watch_list, self._settings)

    async def _ask_list(self, run: int) -> None:
        await self._renew_watch_list(run)
        pages = ListPages(self._decoder)
        after = cut_token = ""
        try:
            while True:
                reply = await self._link.call(page_of_list(after, cut_token), COMMAND_SECONDS)
                problem = problem_of(reply)
                if problem:
                    self._list_failed(run, problem)
                    return
                page = reply.query_active_alarms
                # One by one, so that a long list holds nobody up.
                pages.add(page)
                after, cut_token = page.next_after, page.cut_token
                if not after:
                    break
        except GatewayError as error:
            self._list_failed(run, str(error))
            return
        if run == self._run:
            self.poll = pages.poll
            self._decided(*self.monitor.snapshot(pages.snapshot(self.watched.keys), *self._now()))

    def _list_failed(self, run: int, problem: str) -> None:
        if run == self._run:
            logger.warning("alarm_list_failed", error=problem)
            self._decided([], self.monitor.snapshot_failed(problem, *self._now()))

    async def _renew_watch_list(self, run: int) -> None:
        """With each look at the list: what is deployed meanwhile is watched, too."""
        try:
            watched = await self._wanted()
        except Exception:
            # The Galaxy's answer, whatever is wrong with it, is no reason to lose alarms.
            logger.exception("alarm_watch_list_kept")
            return
        if run != self._run or watched is self.watched or watched.told == self.watched.told or not watched.targets:
            return
        try:
            command = subscription(self._settings, watched, uses_manager=self._uses_manager)
            reply = await self._link.call(command, SUBSCRIBE_SECONDS)
        except GatewayError as error:
            logger.warning("alarm_watch_list_kept", error=str(error))
            return
        if problem := problem_of(reply):
            logger.warning("alarm_watch_list_kept", error=problem)
        elif run == self._run:
            self.watched = watched

    def _look_at_galaxy(self) -> None:
        if self._galaxy.edition != self._edition:
            self._take_galaxy()
            self.monitor.reconcile_soon()

    def _take_galaxy(self) -> None:
        """Another Galaxy: areas, and what limited keys may see, are judged anew."""
        self._edition = self._galaxy.edition
        self._decoder.forget_areas()
        self._on_new_galaxy()
        self.monitor.feed.sight_changed()

    def _now(self) -> tuple[float, int]:
        return self._clock.monotonic(), self._clock.unix_ns()


def _was_killed(error: GatewayError) -> bool:
    """Whether somebody else ended the worker, so that nothing in it is to blame."""
    return isinstance(error, WorkerExitedError) and error.exit_code == _KILLED


def _portions(
    reports: Iterator[tuple[int, _Event | None]],
) -> Iterator[list[tuple[int, _Event | None]]]:
    portion = []
    for report in reports:
        portion.append(report)
        if len(portion) == _TOGETHER:
            yield portion
            portion = []
    if portion:
        yield portion
