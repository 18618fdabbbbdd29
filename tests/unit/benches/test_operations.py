"""A scrape stays short however much goes on: labels are few, and no session has lines of its own."""

from __future__ import annotations

from benches.operations import busy_counters, busy_sessions, reading

from mxgateway_server.operations.metrics import render

MOST_LINES = 900


async def test_lines_are_few_and_do_not_grow_with_sessions() -> None:
    counters = busy_counters()
    few, many = (render(reading(busy_sessions(number), counters)).count(b"\n") for number in (1, 64))
    assert few == many
    assert many <= MOST_LINES
