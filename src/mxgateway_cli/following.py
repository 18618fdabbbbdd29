"""Following a subscription over interruptions: what is told of them, and what they cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mxgateway import MxGatewayError, Subscription, SubscriptionState
from mxgateway_cli.tag_check import is_unknown
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

if TYPE_CHECKING:
    from mxgateway import DataChange


_MOST_HINTS = 5


def wall_clock() -> datetime:
    """The time that messages begin with."""
    return datetime.now(UTC)


class Follower:
    """Tells what becomes of a subscription, a line for each turn, with its time: who reads it may have slept.

    Args:
        subscription: one that is started.
        tell: takes a line.
        now: the wall clock.
        hint: what was meant by a reference that leads nowhere, as a sentence; empty when nobody knows.
    """

    def __init__(
        self,
        subscription: Subscription,
        tell: Callable[[str], None],
        now: Callable[[], datetime] = wall_clock,
        hint: Callable[[str], Awaitable[str]] | None = None,
    ) -> None:
        self._subscription = subscription
        self._tell = tell
        self._now = now
        self._hint = hint
        self._unknown: dict[str, None] = {}
        self._to_hint: asyncio.Queue[str] = asyncio.Queue()
        self._told_failures: dict[str, str] = {}
        self._new_sessions = 0
        self._interrupted_at: datetime | None = None

    @contextmanager
    def telling(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Within it, lines go there: what is written beside a live table would tear it."""
        before, self._tell = self._tell, tell
        try:
            yield
        finally:
            self._tell = before

    @property
    def interruption(self) -> str:
        """Since when and why there is no connection; empty while there is one."""
        if self._subscription.state is not SubscriptionState.RECONNECTING or self._interrupted_at is None:
            return ""
        seconds = (self._now() - self._interrupted_at).total_seconds()
        return f"reconnecting for {seconds:.0f} s: {self._subscription.last_interruption}"

    @property
    def costs(self) -> dict[str, Any]:
        """The figures of a report; `complete` when nothing is missing, as far as anybody knows."""
        subscription = self._subscription
        lost = subscription.lost + subscription.dropped
        is_whole = not lost and not subscription.new_sessions and not subscription.failures
        return {
            "lost": lost,
            "interruptions": subscription.interruptions,
            "newSessions": subscription.new_sessions,
            "complete": is_whole and self._interrupted_at is None,
        }

    @property
    def cost_text(self) -> str:
        """The same in words; empty when there was nothing to tell."""
        costs = self.costs
        parts = []
        if costs["interruptions"]:
            parts.append(_counted(costs["interruptions"], "interruption"))
        if costs["newSessions"]:
            what = "what changed before them is" if costs["newSessions"] > 1 else "what changed before it is"
            parts.append(f"{_counted(costs['newSessions'], 'new session')} ({what} not known)")
        if costs["lost"] or costs["interruptions"]:
            parts.append(f"{_counted(costs['lost'], 'event')} lost")
        if self._interrupted_at is not None:
            parts.append(f"without a connection since {_stamp(self._interrupted_at)}")
        return ", ".join(parts)

    async def tell_turns(self) -> None:
        """Tells each turn until the subscription ends."""
        async for state in self._subscription.states():
            self.tell_refusals()
            if state is SubscriptionState.RECONNECTING:
                self._interrupted_at = self._now()
                self._say(f"reconnecting: {self._subscription.last_interruption}")
            elif state is SubscriptionState.RECOVERED and self._interrupted_at is not None:
                self._interrupted_at = None
                self._say(self._recovery())

    def tell_refusals(self) -> None:
        """Tells which tags were refused, each reason once."""
        failures = self._subscription.failures
        for tag, reason in failures.items():
            if self._told_failures.get(tag) != reason:
                self._tell(f"{tag}: {reason}")
        self._told_failures = failures

    def take(self, change: DataChange) -> None:
        """Tells what was lost before this change, and notes whether its tag exists."""
        if change.lost_before:
            self._say(f"{change.lost_before} events were lost")
        if not is_unknown(change.statuses):
            self._unknown.pop(change.tag, None)
        elif change.tag not in self._unknown:
            self._unknown[change.tag] = None
            if len(self._unknown) <= _MOST_HINTS:
                self._to_hint.put_nowait(change.tag)

    @property
    def are_all_unknown(self) -> bool:
        """Whether there is not one of the tags, as far as their last values say."""
        return bool(self._unknown) and len(self._unknown) == len(self._subscription.tags)

    async def tell_hints(self) -> None:
        """Tells what was meant by tags that do not exist, for as long as anybody knows."""
        while self._hint is not None:
            try:
                if text := await self._hint(await self._to_hint.get()):
                    self._tell(text)
            except MxGatewayError:
                # A key may read tags without reading the Galaxy.
                return

    def _recovery(self) -> str:
        before, self._new_sessions = self._new_sessions, self._subscription.new_sessions
        if self._new_sessions > before:
            return "connected again in a new session: what changed in between is not known, present values follow"
        return "connected again, the session goes on: what was missed follows"

    def _say(self, text: str) -> None:
        self._tell(f"{_stamp(self._now())} {text}")


@asynccontextmanager
async def background_task(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs the work beside the block, and ends it with the block; the first failure of either comes out as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work)
            yield
            task.cancel()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def event_of(change: DataChange) -> pb.MxEvent:
    """The change as an OnDataChange event, also when it was read again: then without sequence and worker's time."""
    raw = change.raw
    if isinstance(raw, pb.MxEvent):
        return raw
    return pb.MxEvent(
        family=pb.MX_EVENT_FAMILY_ON_DATA_CHANGE,
        server_handle=raw.server_handle,
        item_handle=raw.item_handle,
        value=raw.value,
        quality=raw.quality,
        source_timestamp=raw.source_timestamp if raw.HasField("source_timestamp") else None,
        statuses=raw.statuses,
        on_data_change=pb.OnDataChangeEvent(),
    )


def marks(change: DataChange) -> str:
    """What is special about the change, in words; empty for most."""
    parts = [name for name in ("replayed", "recovered") if getattr(change, name)]
    if change.lost_before:
        parts.append(f"{change.lost_before} lost before")
    return ", ".join(parts)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
