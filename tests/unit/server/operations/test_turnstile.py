"""Strangers' greetings and requests in turns with everything else."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from mxgateway_server.operations.turnstile import A_TURN, MOST_WAITING, Turnstile


async def _turns(turnstile: Turnstile) -> int:
    """Turns of the loop until nobody is in line."""
    turns = 0
    while len(turnstile):
        turns += 1
        await asyncio.sleep(0)
    return turns


async def test_a_few_go_through_in_each_turn_of_the_loop_and_none_out_of_its_order() -> None:
    turnstile, turns = Turnstile(), 0
    done: list[tuple[int, int]] = []

    def work(number: int) -> None:
        done.append((number, turns))

    at_once = [turnstile.enter(partial(work, number), "a", is_first=False) for number in range(3 * A_TURN)]
    assert at_once == [True] * A_TURN + [False] * 2 * A_TURN
    while len(turnstile):
        turns += 1
        await asyncio.sleep(0)
    assert [number for number, _ in done] == list(range(3 * A_TURN))
    assert max(sum(turn == each for _, turn in done) for each in range(turns + 1)) == A_TURN
    # Who comes alone does not wait.
    await asyncio.sleep(0)
    assert turnstile.enter(lambda: None, "a", is_first=False)


async def test_of_first_things_the_youngest_goes_first_and_who_was_answered_before_waits_no_longer_for_it() -> None:
    turnstile = Turnstile()
    done: list[str] = []
    for _ in range(A_TURN):
        turnstile.enter(lambda: None, "a", is_first=True)
    for number in range(3):
        assert not turnstile.enter(partial(done.append, f"first {number}"), "a", is_first=True)
        assert not turnstile.enter(partial(done.append, f"later {number}"), "a", is_first=False)
    await _turns(turnstile)
    assert done == ["first 2", "later 0", "first 1", "later 1", "first 0", "later 2"]


async def test_a_greeting_waits_its_turn_and_who_gives_up_leaves_the_line() -> None:
    turnstile = Turnstile()
    done: list[str] = []
    # Alone it does not wait.
    await turnstile.passed("a")

    async def greet(name: str) -> None:
        await turnstile.passed("a")
        done.append(name)

    async with asyncio.TaskGroup() as group:
        for number in range(A_TURN):
            assert turnstile.enter(lambda: None, "a", is_first=True) == (number < A_TURN - 1)
        tasks = [group.create_task(greet(each)) for each in ("old", "gives up", "young")]
        tasks[1].cancel()
    assert sorted(done) == ["old", "young"]
    assert not len(turnstile)
    assert tasks[1].cancelled()


async def test_who_gives_up_in_line_takes_nobody_s_turn() -> None:
    turnstile = Turnstile()
    done: list[str] = []

    async def stand(name: str) -> None:
        await turnstile.passed("a")
        done.append(name)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(stand(str(number))) for number in range(4 * A_TURN)]
        await asyncio.sleep(0)
        assert len(turnstile) == 3 * A_TURN
        for each in tasks[A_TURN:-1]:
            each.cancel()
    assert done == [*map(str, range(A_TURN)), str(4 * A_TURN - 1)]
    assert not len(turnstile)


@pytest.mark.parametrize("count", [1, A_TURN, 50])
async def test_nobody_starves(count: int) -> None:
    turnstile = Turnstile()
    done: list[tuple[str, int]] = []
    for number in range(count):
        turnstile.enter(partial(done.append, ("first", number)), "a", is_first=True)
        turnstile.enter(partial(done.append, ("later", number)), "a", is_first=False)
    assert await _turns(turnstile) <= 2 * count // A_TURN + 1
    assert sorted(done) == sorted((line, number) for line in ("first", "later") for number in range(count))


async def test_a_flood_of_one_address_keeps_nobody_of_another_waiting() -> None:
    turnstile = Turnstile()
    done: list[str] = []
    for is_first in (True, False):
        for number in range(20):
            turnstile.enter(partial(done.append, f"flood {number} {is_first}"), "a", is_first=is_first)
    for is_first in (True, False):
        turnstile.enter(partial(done.append, f"b {is_first}"), "b", is_first=is_first)
        turnstile.enter(partial(done.append, f"b, younger {is_first}"), "b", is_first=is_first)
    # Younger ones of the flood come on.
    turnstile.enter(partial(done.append, "flood 20 True"), "a", is_first=True)
    await _turns(turnstile)
    first = [each for each in done if each.endswith("True")]
    later = [each for each in done if each.endswith("False")]
    assert first[A_TURN : A_TURN + 3] == ["b, younger True", "b True", "flood 20 True"]
    # Of the second line, which nobody passed at once, one of each address after the other.
    assert later[:5] == ["flood 0 False", "b False", "flood 1 False", "b, younger False", "flood 2 False"]
    assert len(done) == 45


async def test_an_address_that_nobody_waits_of_any_more_is_forgotten() -> None:
    turnstile = Turnstile()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(turnstile.passed(f"address {number}")) for number in range(10)]
        await asyncio.sleep(0)
        for each in waiting[A_TURN:]:
            each.cancel()
    assert not len(turnstile)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert turnstile.enter(lambda: None, "a", is_first=True)


async def test_who_would_wait_long_waits_outside_until_the_line_is_short() -> None:
    turnstile = Turnstile()
    await turnstile.soon()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(turnstile.passed("a")) for _ in range(MOST_WAITING + 3 * A_TURN)]
        await asyncio.sleep(0)
        assert len(turnstile) > MOST_WAITING
        await turnstile.soon()
        assert MOST_WAITING - A_TURN < len(turnstile) <= MOST_WAITING
        # So do those in line that give up.
        waiting += [group.create_task(turnstile.passed("a")) for _ in range(4 * A_TURN)]
        await asyncio.sleep(0)
        outside = group.create_task(turnstile.soon())
        for each in waiting:
            each.cancel()
        async with asyncio.timeout(10):
            await outside
    assert not len(turnstile)


async def test_a_work_that_fails_stops_neither_the_line_nor_those_outside() -> None:
    turnstile = Turnstile()
    done: list[int] = []
    told: list[str] = []

    def fail() -> None:
        raise RuntimeError("this one fails")

    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(str(context["exception"])))
    for number in range(MOST_WAITING + 2 * A_TURN):
        turnstile.enter(partial(done.append, number), "a", is_first=True)
    for _ in range(A_TURN):
        turnstile.enter(fail, "a", is_first=True)
    async with asyncio.timeout(10):
        await turnstile.soon()
        await _turns(turnstile)
    assert sorted(done) == list(range(MOST_WAITING + 2 * A_TURN))
    assert told == ["this one fails"] * A_TURN
