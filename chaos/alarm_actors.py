"""Readers of alarms in a storm, each over a line of its own, and the plant whose alarms they read."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from datetime import datetime

from chaos.alarm_oracle import AlarmOracle, Told
from chaos.judge import Judge, describe
from chaos.proxy import TcpProxy
from mxgateway import (
    AlarmChange,
    AlarmEvent,
    AlarmFeed,
    AlarmFeedState,
    AlarmGap,
    AlarmPosition,
    AlarmsSynced,
    AlarmState,
    ClientOptions,
    GatewayClient,
    MxGatewayError,
)
from mxgateway.testing.plant import LocalPlant

_STEP = 0.25
ALARMS = tuple(f"{area}_{n:02}.Fault{k}" for area in ("North", "South") for n in range(1, 11) for k in (1, 2))

_NEXT = {"": ("on",), "UNACK_ALM": ("ack", "off"), "ACK_ALM": ("off",), "UNACK_RTN": ("ack", "on")}


def reference(alarm: str) -> str:
    """How the gateway's list names an alarm of the storm's Galaxy."""
    return f"Galaxy!{alarm.partition('_')[0]}.{alarm}"


class PlantOperator:
    """Raises, ends and acknowledges alarms; each rests long enough between two steps to be seen."""

    def __init__(self, plant: LocalPlant, oracle: AlarmOracle, judge: Judge, seed: int, rest: float) -> None:
        self._plant = plant
        self._oracle = oracle
        self._judge = judge
        self._chance = random.Random(seed)
        self._rest = rest
        self._free_at = dict.fromkeys(ALARMS, 0.0)
        self.steps = 0
        plant.settle = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Works until it is told to stop."""
        while not stop.is_set():
            free = [alarm for alarm, at in self._free_at.items() if at <= self._judge.now]
            if free:
                await self._step(self._chance.choice(free))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._chance.uniform(0.02, 0.15)):
                    await stop.wait()

    async def _step(self, alarm: str) -> None:
        state = self._oracle.state(reference(alarm))
        event = self._chance.choice(_NEXT[state])
        plant = self._plant
        work = {"on": plant.raise_alarm, "off": plant.clear_alarm, "ack": plant.acknowledge_alarm}[event]
        # It is known before it can be told.
        self._oracle.happened(reference(alarm), event, self._judge.now)
        await asyncio.to_thread(work, alarm)
        self._oracle.is_done(reference(alarm), self._judge.now)
        self._free_at[alarm] = self._judge.now + self._rest
        self.steps += 1


class AlarmReader:
    """One feed of the library: its list and its changes have to be right through everything.

    Args:
        area: only this area; empty for all.
        nap: longest seconds for which it takes nothing, now and then.
        restarts: whether it ends now and then, and another goes on after its position.
    """

    def __init__(
        self,
        name: str,
        proxy: TcpProxy,
        api_key: str,
        judge: Judge,
        oracle: AlarmOracle,
        began: float,
        *,
        area: str = "",
        nap: float = 0.0,
        restarts: bool = False,
        seed: int = 1,
    ) -> None:
        self.name = name
        self.proxy = proxy
        self.area = area
        self.stop = asyncio.Event()
        self.feed: AlarmFeed | None = None
        self.changes = self.gaps = self.feeds = 0
        self._options: Callable[[], ClientOptions] = lambda: ClientOptions(
            endpoint=proxy.address, api_key=api_key, plaintext=True, keepalive_time=5.0, keepalive_timeout=2.0
        )
        self._judge = judge
        self._oracle = oracle
        self._began = began
        self._nap = nap
        self._restarts = restarts
        self._chance = random.Random(seed)
        self._position: AlarmPosition | None = None

    @property
    def is_synced(self) -> bool:
        """Whether its list is the plant's now."""
        return self.feed is not None and self.feed.state is AlarmFeedState.SYNCED

    async def run(self) -> None:
        """Reads until it is told to stop."""
        areas = [self.area] if self.area else []
        while not self.stop.is_set():
            try:
                async with (
                    GatewayClient(self._options()) as client,
                    client.alarms.watch(areas=areas, after=self._position, patient=True) as self.feed,
                ):
                    self.feeds += 1
                    await self._follow(self.feed)
            except MxGatewayError as error:
                # A patient feed waits everything out that a storm brings.
                self._judge.journal.violation("alarm-feed", self.name, self._judge.now, describe(error))
                await asyncio.sleep(_STEP)
            finally:
                self.feed = None

    async def _follow(self, feed: AlarmFeed) -> None:
        is_first = self._position is None
        if is_first:
            self._oracle.marked(self.name)
        while not self.stop.is_set():
            try:
                event = await feed.next_event(_STEP)
            except TimeoutError as error:
                if isinstance(error, MxGatewayError):
                    raise
                # Nothing waits, so the place is that of the last change, and no change is told again.
                self._position = feed.position or self._position
                if self._restarts and self.is_synced and self._chance.random() < 0.1:
                    return
                continue
            self._judge_event(feed, event)
            if self._nap and self._chance.random() < 0.02:
                await asyncio.sleep(self._chance.uniform(0, self._nap))

    def _judge_event(self, feed: AlarmFeed, event: AlarmEvent) -> None:
        if isinstance(event, AlarmGap):
            self.gaps += 1
            self._judge.journal.note(self.name, self._judge.now, f"gap: {event.reason}")
            self._oracle.marked(self.name)
        elif isinstance(event, AlarmsSynced):
            # The list may have been cut later than what was told before it.
            self._oracle.marked(self.name)
        elif isinstance(event, AlarmChange):
            self.changes += 1
            alarm = event.alarm
            is_listed = alarm.state is not AlarmState.ACK_RTN and event.kind.name not in ("REMOVE", "DISMISS", "LEFT")
            told = Told(
                event.sequence,
                alarm.reference,
                event.kind.name,
                alarm.state.name if is_listed else "",
                None if alarm.raised is None else self._seconds(alarm.raised),
                event.origin.name == "LIVE",
            )
            self._judge.journal.note(self.name, self._judge.now, f"{told.sequence} {told.kind} {told.reference}")
            epoch = "" if feed.position is None else feed.position.epoch
            self._oracle.change(self.name, epoch, told, self._judge.now, gets_all=not self.area)

    def _seconds(self, moment: datetime) -> float:
        return moment.timestamp() - self._began
