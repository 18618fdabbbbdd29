"""When streams are woken: at once after a silence, then together, and in a storm in larger batches."""

from __future__ import annotations

import asyncio

import pytest
from tests.support.clock import ManualClock

from mxgateway_server.alarms.publishing import BUSY_PAUSE_SECONDS, BUSY_RATE, PAUSE_SECONDS, Publisher
from mxgateway_server.alarms.telling import Reach


class Timers:
    """The waits that were asked for."""

    def __init__(self, publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits: list[float] = []
        self._publisher = publisher
        monkeypatch.setattr(asyncio.get_running_loop(), "call_later", self._later, raising=False)

    def _later(self, seconds: float, call: object) -> asyncio.Handle:
        self.waits.append(seconds)
        return asyncio.get_running_loop().call_soon(lambda: None)


@pytest.mark.parametrize(
    ("rate", "pause"),
    [(0.0, PAUSE_SECONDS), (BUSY_RATE / 2, PAUSE_SECONDS), (BUSY_RATE * 2, BUSY_PAUSE_SECONDS)],
)
async def test_the_pause_is_longer_in_a_storm(rate: float, pause: float, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, woken = ManualClock(), []
    publisher = Publisher(clock, lambda: Reach(0, 0))
    publisher.enter(lambda: woken.append(clock.monotonic()))
    timers = Timers(publisher, monkeypatch)
    publisher.news(1)
    assert len(woken) == 1, "at once after a silence"
    for _ in range(20):
        clock.advance(0.005)
        publisher.news(round(rate * 0.005))
        if clock.monotonic() - woken[-1] >= (timers.waits or [0.0])[-1]:
            publisher._wake()
    assert timers.waits[-1] == pytest.approx(pause - 0.005, abs=1e-6)
    # After it is over, the next is told as soon as ever.
    publisher.close()
    clock.advance(1.0)
    before = len(woken)
    publisher.news(1)
    assert len(woken) == before + 1


async def test_streams_go_as_far_as_there_was_news_when_they_were_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, newest, woken = ManualClock(), Reach(7, 1), []
    publisher = Publisher(clock, lambda: newest)
    publisher.enter(lambda: woken.append(publisher.reach))
    timers = Timers(publisher, monkeypatch)
    assert publisher.reach == (7, 1)
    newest = Reach(8, 1)
    publisher.news(1)
    newest = Reach(9, 2)
    publisher.news(1)
    assert (publisher.reach, len(timers.waits)) == ((8, 1), 1), "who looks meanwhile sees no further than the others"
    publisher._wake()
    assert woken == [(8, 1), (9, 2)]
