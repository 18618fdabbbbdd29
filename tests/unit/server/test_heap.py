"""What large requests took is given back when they are over, and nothing is done without one."""

from __future__ import annotations

import pytest

from mxgateway_server import heap
from mxgateway_server.heap import MemoryKeeper, trim, use_few_arenas


async def test_memory_is_given_back_once_after_each_time_with_a_large_request(monkeypatch: pytest.MonkeyPatch) -> None:
    trims: list[int] = []
    large = 0

    def count() -> bool:
        trims.append(large)
        return True

    monkeypatch.setattr(heap, "trim", count)
    keeper = MemoryKeeper(lambda: large)
    await keeper.look()
    large = 3
    await keeper.look()
    await keeper.look()
    large = 4
    await keeper.look()
    assert trims == [3, 4]


def test_where_the_library_is_another_nothing_is_asked_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "_library", lambda: None)
    assert not trim()
    assert not use_few_arenas()


def test_what_the_operator_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "8")
    assert not use_few_arenas()
