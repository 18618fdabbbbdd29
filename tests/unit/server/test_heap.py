"""What large requests took is given back when they are over, and nothing is done without one."""

from __future__ import annotations

import math

import pytest

from mxgateway_server import heap
from mxgateway_server.heap import GROWTH, MemoryKeeper, trim, use_few_arenas

MIB = 2**20


async def test_memory_is_given_back_once_after_each_time_with_a_large_request(monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    large = 0

    def count() -> bool:
        trims.append(large)
        return True

    monkeypatch.setattr(heap, "trim", count)
    keeper = MemoryKeeper(lambda: large, lambda: 1.0)
    await keeper.look()
    large = 3
    await keeper.look()
    await keeper.look()
    large = 4
    await keeper.look()
    assert trims == [3, 4]


async def test_growth_alone_is_a_reason_and_what_is_left_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    resident, left = 100.0 * MIB, 0.0
    trims: list[float] = []

    def give_back() -> bool:
        nonlocal resident
        trims.append(resident)
        resident = max(left, 90.0 * MIB)
        return True

    monkeypatch.setattr(heap, "trim", give_back)
    keeper = MemoryKeeper(lambda: 0, lambda: resident)
    await keeper.look()
    resident += GROWTH
    await keeper.look()
    assert not trims, "it has not grown by more than the allowed"
    resident += 1
    await keeper.look()
    assert trims == [100 * MIB + GROWTH + 1]
    # Below what it was at first: growth counts from there.
    resident += GROWTH + 1
    await keeper.look()
    assert trims[1:] == [90 * MIB + GROWTH + 1]
    # What cannot be given back is not asked for again and again.
    resident = left = 400.0 * MIB
    for _ in range(3):
        await keeper.look()
    assert trims[2:] == [400 * MIB]
    # A process that has become smaller by itself grows from there.
    resident = 200.0 * MIB
    await keeper.look()
    resident += GROWTH + 1
    await keeper.look()
    assert trims[3:] == [200 * MIB + GROWTH + 1]


async def test_where_nobody_knows_the_size_only_requests_are_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    large = 0

    def count() -> bool:
        trims.append(large)
        return True

    monkeypatch.setattr(heap, "trim", count)
    keeper = MemoryKeeper(lambda: large, lambda: math.nan)
    await keeper.look()
    await keeper.look()
    large = 1
    await keeper.look()
    assert trims == [1]


def test_where_the_library_is_another_nothing_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_library", lambda: None)
    assert not trim()
    assert not use_few_arenas()


def test_what_the_operator_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "8")
    assert not use_few_arenas()
