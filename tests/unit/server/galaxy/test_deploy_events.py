"""News of deployments."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.galaxy_rows import DEPLOYED

from mxgateway_server.galaxy.deploy_events import DeployNotifier, EndOfNewsError, Subscription

LATER = DEPLOYED + timedelta(hours=1)


def heard(subscription: Subscription) -> list[int]:
    found = []
    while (news := subscription.take()) is not None:
        found.append(news.sequence)
    return found


def test_bootstrap_then_changes() -> None:
    """A subscriber hears the current deployment at once, then each new one."""
    notifier = DeployNotifier()
    notifier.deployed(DEPLOYED, 5, 50, 1)
    woken: list[int] = []
    subscription = notifier.subscribe(lambda: woken.append(1))
    assert heard(subscription) == [1]
    notifier.deployed(LATER, 6, 60, 2)
    assert heard(subscription) == [2]
    assert len(woken) == 2


def test_suppressed_bootstrap() -> None:
    """A deployment that the subscriber has seen is not told again, whether it is known before or after subscribing."""
    notifier = DeployNotifier()
    early = notifier.subscribe(lambda: None, DEPLOYED)
    notifier.deployed(DEPLOYED, 5, 50, 1)
    late = notifier.subscribe(lambda: None, DEPLOYED)
    stale = notifier.subscribe(lambda: None, LATER)
    assert (heard(early), heard(late), heard(stale)) == ([], [], [1])
    notifier.deployed(LATER, 5, 50, 2)
    notifier.deployed(DEPLOYED, 5, 50, 3)
    assert heard(early) == heard(late) == [2, 3]


def test_never_deployed_is_news() -> None:
    """A Galaxy without deploy time is told as such."""
    notifier = DeployNotifier()
    notifier.deployed(None, 0, 0, 1)
    subscription = notifier.subscribe(lambda: None)
    news = subscription.take()
    assert news is not None
    assert news.deploy_time is None


def test_slow_subscriber_loses_the_oldest() -> None:
    """A full buffer loses its oldest news, the sequence shows the gap, and others lose nothing."""
    notifier = DeployNotifier(buffer=3)
    slow, quick = notifier.subscribe(lambda: None), notifier.subscribe(lambda: None)
    told: list[int] = []
    for turn in range(6):
        notifier.deployed(DEPLOYED + timedelta(minutes=turn), 1, 1, turn)
        told += heard(quick)
    assert heard(slow) == [4, 5, 6]
    assert told == [1, 2, 3, 4, 5, 6]


def test_the_buffer_is_small_unless_set() -> None:
    """Sixteen pieces of news wait for a slow subscriber, as documented."""
    notifier = DeployNotifier()
    slow = notifier.subscribe(lambda: None)
    for turn in range(20):
        notifier.deployed(DEPLOYED + timedelta(minutes=turn), 1, 1, turn)
    assert heard(slow) == list(range(5, 21))


def test_first_end_wins() -> None:
    """The first reason for the end stays; news from before it is still heard, later news is not."""
    notifier = DeployNotifier()
    subscription = notifier.subscribe(lambda: None)
    notifier.deployed(DEPLOYED, 1, 1, 1)
    subscription.end("first")
    subscription.end("second")
    notifier.deployed(LATER, 1, 1, 2)
    assert subscription.take() is not None
    for _ in range(2):
        with pytest.raises(EndOfNewsError, match="first"):
            subscription.take()


def test_end_of_all() -> None:
    """Ending the notifier ends every subscription, and each that comes later."""
    notifier = DeployNotifier()
    subscription = notifier.subscribe(lambda: None)
    notifier.end("the gateway is stopping")
    for one in (subscription, notifier.subscribe(lambda: None)):
        with pytest.raises(EndOfNewsError, match="stopping"):
            one.take()
    notifier.unsubscribe(subscription)
    assert len(notifier) == 0
