"""The alarms behind a gateway: one feed, kept up by the library, and what is asked of the plant about them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from mxgateway import (
    AckOutcome,
    Alarm,
    AlarmChange,
    AlarmFeed,
    AlarmFeedState,
    AlarmProviderChanged,
    ClientOptions,
    GatewayClient,
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
    ShelveOutcome,
)
from mxgateway.house import redact
from mxgateway_cli.failures import first_cause
from mxgateway_cli.tui.plant import AlarmListener, Outcome

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds before another attempt after a refusal that the library does not wait out; doubled after each one."""
HISTORY = 20
"""Changes of one alarm that are shown."""

_ACK_WORDS = {
    AckOutcome.ACKNOWLEDGED: "acknowledged",
    AckOutcome.ACCEPTED: "the plant has taken it; the change was not seen yet",
    AckOutcome.ALREADY_ACKNOWLEDGED: "was acknowledged already",
    AckOutcome.NOT_FOUND: "is not in the list any more",
    AckOutcome.SUPERSEDED: "has come up again since you looked; this new occurrence is not acknowledged",
    AckOutcome.AMBIGUOUS: "the name fits several alarms",
    AckOutcome.DENIED: "this key may not acknowledge it",
    AckOutcome.REFUSED: "the plant refused it",
    AckOutcome.UNAVAILABLE: "the alarm provider went away meanwhile: outcome unknown, watch the list",
    AckOutcome.TIMED_OUT: "no answer in time: outcome unknown, watch the list",
}
_SHELVE_WORDS = {
    ShelveOutcome.DONE: "done",
    ShelveOutcome.ACCEPTED: "the plant has taken it; the change was not seen yet",
    ShelveOutcome.NOT_SHELVED: "was not shelved",
    ShelveOutcome.NOT_FOUND: "is not in the list any more",
    ShelveOutcome.SUPERSEDED: "has come up again since you looked; this new occurrence is not shelved",
    ShelveOutcome.AMBIGUOUS: "the name fits several alarms",
    ShelveOutcome.DENIED: "this key may not shelve it",
    ShelveOutcome.REFUSED: "the plant refused it",
    ShelveOutcome.UNAVAILABLE: "the alarm provider went away meanwhile: outcome unknown, watch the list",
    ShelveOutcome.TIMED_OUT: "no answer in time: outcome unknown, watch the list",
}
_UNKNOWN = ("UNAVAILABLE", "TIMED_OUT", "UNKNOWN")


class GatewayAlarms:
    """The PlantAlarms of a gateway.

    The feed waits out what may pass; what it ends for, such as alarms that are off, is tried again from here.
    """

    def __init__(
        self,
        options: ClientOptions,
        *,
        read_only: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._options = options
        self._read_only = read_only
        self._sleep = sleep
        self._client: GatewayClient | None = None
        self._feed: AlarmFeed | None = None
        self._last: Mapping[str, Alarm] = {}
        self._was_begun = False
        self._problem = ""
        self._revision = 0

    @property
    def alarms(self) -> Mapping[str, Alarm]:
        feed = self._feed
        return self._last if feed is None or feed.state is AlarmFeedState.CONNECTING else feed.active

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def state(self) -> AlarmFeedState:
        feed = self._feed
        if feed is not None and not (self._was_begun and feed.state is AlarmFeedState.CONNECTING):
            return feed.state
        return AlarmFeedState.RECONNECTING if self._was_begun else AlarmFeedState.CONNECTING

    @property
    def provider(self) -> AlarmProviderChanged | None:
        return None if self._feed is None else self._feed.provider

    @property
    def problem(self) -> str:
        feed = self._feed
        if feed is None:
            return self._problem
        if feed.state is AlarmFeedState.RECONNECTING and feed.last_interruption is not None:
            return self._redacted(feed.last_interruption)
        return ""

    async def run(self, listener: AlarmListener) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                async with GatewayClient(self._options) as self._client:
                    await self._follow(self._client, listener)
            except* (MxGatewayError, OSError, ValueError) as group:
                self._problem = self._redacted(first_cause(group))
            finally:
                if self._feed is not None:
                    pause = FIRST_PAUSE
                    self._last = self.alarms
                self._feed = self._client = None
                self._revision += 1
            await self._sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _follow(self, client: GatewayClient, listener: AlarmListener) -> None:
        async with client.alarms.watch(patient=True) as feed, asyncio.TaskGroup() as tasks:
            self._feed = feed
            self._was_begun = True
            turns = tasks.create_task(self._count_turns(feed))
            try:
                async for event in feed:
                    self._revision += 1
                    if isinstance(event, AlarmChange):
                        listener.alarm_changed(event)
            finally:
                turns.cancel()

    async def _count_turns(self, feed: AlarmFeed) -> None:
        async for _ in feed.state_changes():
            self._revision += 1

    # ----------------------------------------------------------------------------------------------------- operating

    async def acknowledge(self, alarms: Sequence[Alarm], comment: str, operator: str) -> list[Outcome]:
        async def ask(client: GatewayClient) -> list[Outcome]:
            if len(alarms) == 1:
                results = [await client.alarms.acknowledge(alarms[0], comment, operator=operator)]
            else:
                results = await client.alarms.acknowledge_many(alarms, comment, operator=operator)
            return [_outcome(each.ok, each.outcome.name, _ACK_WORDS.get(each.outcome), each.text) for each in results]

        return await self._act(len(alarms), ask)

    async def shelve(self, alarms: Sequence[Alarm], hours: float, reason: str, operator: str) -> list[Outcome]:
        async def ask(client: GatewayClient) -> list[Outcome]:
            if hours:
                results = await client.alarms.shelve(alarms, hours=hours, reason=reason, operator=operator)
            else:
                results = await client.alarms.unshelve(alarms, operator=operator)
            return [
                _outcome(each.ok, each.outcome.name, _SHELVE_WORDS.get(each.outcome), each.text) for each in results
            ]

        return await self._act(len(alarms), ask)

    async def history(self, alarm: Alarm) -> Sequence[AlarmChange]:
        if self._client is None:
            raise MxGatewayConnectionError("there is no connection")
        # A reference may hold what a glob takes for a wildcard; what else that finds is left out here.
        found = await self._client.alarms.history(references=[alarm.reference], limit=HISTORY)
        return [change for change in found if change.alarm.key == alarm.key]

    async def _act(self, count: int, ask: Callable[[GatewayClient], Awaitable[list[Outcome]]]) -> list[Outcome]:
        if self._read_only:
            return [Outcome(False, "this is read-only mode; nothing was sent")] * count
        if self._client is None:
            return [Outcome(False, "there is no connection; nothing was sent")] * count
        try:
            outcomes = await ask(self._client)
        except (MxGatewayTimeoutError, MxGatewayTransportError) as error:
            text = self._redacted(error)
            return [Outcome(None, f"outcome unknown, it may still take effect; watch the list: {text}")] * count
        except (MxGatewayError, ValueError) as error:
            return [Outcome(False, f"the gateway refused it: {self._redacted(error)}")] * count
        missing = Outcome(None, "the gateway said nothing of this one; watch the list")
        return [*outcomes, *[missing] * (count - len(outcomes))]

    def _redacted(self, error: BaseException) -> str:
        return redact(str(error), self._options.api_key)


def _outcome(succeeded: bool, name: str, words: str | None, text: str) -> Outcome:
    said = f": {text}" if text and not succeeded else ""
    return Outcome(None if name in _UNKNOWN else succeeded, (words or name.lower()) + said)
