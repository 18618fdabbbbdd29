"""A reader who takes nothing for too long ends his own stream, and nobody else's cancelling is taken for that."""

from __future__ import annotations

import asyncio

import pytest

from mxgateway_server.alarms.patience import Patience
from mxgateway_server.errors import AlarmStreamLimitError

NEVER = asyncio.Event
LONG = 1000.0


async def test_a_message_that_nobody_takes_ends_the_work_and_the_task_goes_on() -> None:
    task = asyncio.current_task()
    assert task is not None

    async def send() -> None:
        with Patience(0.0) as patience:
            patience.begin()
            await NEVER().wait()

    with pytest.raises(AlarmStreamLimitError, match=r"for 0 s .*silent_reader_seconds"):
        await send()
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_who_sends_nothing_may_wait_and_each_message_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 50.0
    looks: list[float] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now, raising=False)
    with Patience(10.0) as patience:
        monkeypatch.setattr(
            asyncio.get_running_loop(),
            "call_at",
            lambda when, _: looks.append(when) or asyncio.get_running_loop().call_soon(lambda: None),
            raising=False,
        )
        for _ in range(3):
            now += 10.0
            patience._look()
        assert looks == [70.0, 80.0, 90.0], "nothing is on its way"
        patience.begin()
        now += 9.0
        patience._look()
        assert looks[-1] == 90.0, "at the end of this message's time"
        patience.end()
        patience.begin()
        now += 9.0
        patience._look()
        assert looks[-1] == 99.0, "of the next one's time"
        patience.end()
        await asyncio.sleep(0)
    assert not patience._is_over


def lose(patience: Patience) -> None:
    """Its message has taken too long by now."""
    patience.begin()
    patience._since = -LONG * LONG
    patience._look()


async def test_who_is_cancelled_by_others_is_cancelled() -> None:
    async def work(*, is_too_late: bool) -> None:
        with Patience(LONG) as patience:
            if is_too_late:
                lose(patience)
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            await NEVER().wait()

    for is_too_late in (False, True):
        task = asyncio.create_task(work(is_too_late=is_too_late))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_error_of_the_work_itself_stays_what_it_is() -> None:
    task = asyncio.current_task()
    assert task is not None

    def fail() -> None:
        with Patience(LONG) as patience:
            lose(patience)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fail()
    assert task.cancelling() == 0
    with pytest.raises(asyncio.CancelledError):
        # The cancelling that was asked for meets the next wait: asyncio takes no such wish back.
        await asyncio.sleep(0)
