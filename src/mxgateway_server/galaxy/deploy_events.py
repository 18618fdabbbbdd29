"""News of deployments for those who watch: what each subscriber still has to hear, without I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

SUBSCRIBER_BUFFER = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployNews:
    """One deployment as the gateway saw it; `sequence` is monotonic from the gateway's start."""

    sequence: int
    observed_ns: int
    deploy_time: datetime | None
    object_count: int
    attribute_count: int


class EndOfNewsError(Exception):
    """The subscription has ended; `reason` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Subscription:
    """What one watcher has not heard yet. When it is slow the oldest news is lost, and the sequence shows the gap.

    The first end wins: what is closed stays closed for the reason it was closed first. News from before the end is
    still heard.
    """

    def __init__(self, wake: Callable[[], None], buffer: int) -> None:
        self._wake = wake
        self._waiting: deque[DeployNews] = deque(maxlen=buffer)
        self._ended: str | None = None

    def take(self) -> DeployNews | None:
        """The oldest news, or None when there is none yet.

        Raises:
            EndOfNewsError: there is none and never will be.
        """
        if self._waiting:
            return self._waiting.popleft()
        if self._ended is not None:
            raise EndOfNewsError(self._ended)
        return None

    def offer(self, news: DeployNews) -> None:
        if self._ended is None:
            self._waiting.append(news)
            self._wake()

    def end(self, reason: str) -> None:
        if self._ended is None:
            self._ended = reason
            self._wake()


class DeployNotifier:
    """Tells every subscription the current deployment and each later one."""

    def __init__(self, buffer: int = SUBSCRIBER_BUFFER) -> None:
        self._buffer = buffer
        self._sequence = 0
        self._current: DeployNews | None = None
        self._subscriptions: dict[Subscription, datetime | None] = {}
        self._ended: str | None = None

    def __len__(self) -> int:
        return len(self._subscriptions)

    def deployed(
        self, deploy_time: datetime | None, object_count: int, attribute_count: int, observed_ns: int
    ) -> DeployNews:
        """A deployment came into service."""
        self._sequence += 1
        news = DeployNews(
            sequence=self._sequence,
            observed_ns=observed_ns,
            deploy_time=deploy_time,
            object_count=object_count,
            attribute_count=attribute_count,
        )
        bootstrap = self._current is None
        self._current = news
        for subscription, last_seen in self._subscriptions.items():
            if not (bootstrap and last_seen is not None and last_seen == deploy_time):
                subscription.offer(news)
        return news

    def subscribe(self, wake: Callable[[], None], last_seen: datetime | None = None) -> Subscription:
        """A subscription that holds the current deployment already, unless `last_seen` is its deploy time.

        `wake` is called whenever `take` has something to say.
        """
        subscription = Subscription(wake, self._buffer)
        if self._ended is not None:
            subscription.end(self._ended)
            return subscription
        self._subscriptions[subscription] = last_seen
        if self._current is not None and (last_seen is None or last_seen != self._current.deploy_time):
            subscription.offer(self._current)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.pop(subscription, None)

    def end(self, reason: str) -> None:
        """Ends every subscription, and each that comes later."""
        if self._ended is None:
            self._ended = reason
        for subscription in self._subscriptions:
            subscription.end(reason)
