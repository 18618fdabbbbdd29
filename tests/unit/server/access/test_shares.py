"""What one key may take at a time: bodies in line, few after a large one, and one long piece of work."""

from __future__ import annotations

import asyncio

import pytest

from mxgateway_server.access import shares
from mxgateway_server.access.shares import FEWEST_BODIES, LARGE_BODY, MOST_BODIES, Share, Shares


async def entered(share: Share, number: int) -> list[asyncio.Task[None]]:
    """Tasks that ask for a place each, after each has had its turn."""
    tasks = [asyncio.create_task(share.enter()) for _ in range(number)]
    await asyncio.sleep(0)
    return tasks


async def ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def inside(tasks: list[asyncio.Task[None]]) -> int:
    return sum(task.done() and not task.cancelled() for task in tasks)


async def test_a_key_that_has_shown_nothing_gets_few_places_and_more_with_each_small_body() -> None:
    share = Share()
    first = await entered(share, 20)
    assert inside(first) == share.bodies == FEWEST_BODIES
    await ended(first)
    share = Share()
    for _ in range(MOST_BODIES):
        await share.enter()
        assert not share.seen(100)
        share.leave()
    tasks = await entered(share, MOST_BODIES + 5)
    assert inside(tasks) == MOST_BODIES
    await ended(tasks)


async def test_after_a_large_body_there_are_few_places_again_and_its_own_is_held() -> None:
    share = Share()
    for _ in range(MOST_BODIES):
        share.seen(1)
    await share.enter()
    assert share.seen(LARGE_BODY + 1)
    tasks = await entered(share, 20)
    assert inside(tasks) == FEWEST_BODIES - 1
    await ended(tasks)


async def test_places_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    share = Share(most=1)
    await share.enter()
    tasks = await entered(share, 3)
    for number in range(3):
        share.leave()
        await asyncio.sleep(0)
        assert [task.done() for task in tasks] == [index <= number for index in range(3)]


async def test_who_gives_up_loses_no_place_to_others() -> None:
    share = Share(most=1)
    await share.enter()
    waiting, handed, last = await entered(share, 3)
    waiting.cancel()
    share.leave()
    # The place is the second's by now, and it is given up before it was told.
    handed.cancel()
    await asyncio.gather(waiting, handed, return_exceptions=True)
    await last
    share.leave()
    assert share.is_idle


async def test_shares_of_idle_keys_are_forgotten_and_those_of_busy_ones_never(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "_MAX_IDLE", 4)
    all_of_them = Shares()
    busy = all_of_them.of("busy")
    await busy.enter()
    for number in range(50):
        all_of_them.of(f"key {number}")
    assert len(all_of_them) <= 4
    assert all_of_them.of("busy") is busy


async def test_a_share_is_busy_by_its_bodies_by_those_that_wait_and_by_its_turn() -> None:
    """Whoever is forgotten while he works would get a second turn beside the first."""
    share = Share(most=1)
    assert share.is_idle
    await share.enter()
    assert not share.is_idle
    share.leave()
    async with share.turn:
        assert not share.is_idle
    assert share.is_idle
