"""Strangers' requests in turns with everything else."""

from __future__ import annotations

import asyncio

from mxgateway_server.operations.turnstile import A_TURN, Turnstile


async def test_a_few_go_through_in_each_turn_of_the_loop_and_none_out_of_its_order() -> None:
    turnstile, done, turns = Turnstile(), [], 0
    at_once = [turnstile.enter(lambda number=number: done.append((number, turns))) for number in range(3 * A_TURN)]
    assert at_once == [True] * A_TURN + [False] * 2 * A_TURN
    while len(turnstile):
        turns += 1
        await asyncio.sleep(0)
    assert [number for number, _ in done] == list(range(3 * A_TURN))
    assert max(sum(turn == each for _, turn in done) for each in range(turns + 1)) == A_TURN
    # Who comes alone does not wait.
    await asyncio.sleep(0)
    assert turnstile.enter(lambda: None)
