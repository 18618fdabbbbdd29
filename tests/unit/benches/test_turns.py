"""Client and floor take turns, so that what slows one slows the other; a floor answers line by line."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable

import pytest
from benches.clients.measured import Table
from benches.clients.subjects import Figures, Floor, flood, floor
from benches.clients.turns import TURNS, WARM, take
from conformance.processes import ProcessError, scripted_gateway

FLOOR = [sys.executable, "-m", "benches.clients.floor_python"]


def _way(name: str, did: list[tuple[str, int]]) -> Callable[[int], Awaitable[Figures]]:
    async def way(count: int) -> Figures:
        did.append((name, count))
        return Figures(float(len(did)), 2.0, None, 10)

    return way


async def test_what_is_compared_is_measured_by_turns_and_warm_before() -> None:
    did: list[tuple[str, int]] = []
    table = Table()
    ways = {("floor", "events"): _way("floor", did), ("client", "events"): _way("client", did)}
    await take(table, "go", ways, count=50, warm=5, warmup=0.0)
    assert did[: 2 * WARM] == [("floor", 5)] * WARM + [("client", 5)] * WARM
    assert did[2 * WARM :] == [("floor", 50), ("client", 50)] * TURNS
    by_floor, by_client = table.rows["go", "floor", "events"], table.rows["go", "client", "events"]
    assert [one - other for one, other in zip(by_client.runs, by_floor.runs, strict=True)] == [1.0] * TURNS
    assert by_client.cpu_micros == [2.0] * TURNS


async def test_a_floor_takes_a_stream_for_each_line() -> None:
    gateway, endpoint = await scripted_gateway()
    try:
        async with floor([*FLOOR, "events", endpoint], "python") as bare:
            for count in (1_000, 2_000):
                await gateway.ask({"load": flood(count)})
                assert await bare.ask({"count": count}) == {"taken": count}
            await gateway.ask({"load": flood(3_000)})
            figures = await bare.some(3_000)
            assert figures.rate > 0
            assert figures.cpu_micros > 0
            assert figures.p50_ms is None
    finally:
        await gateway.stop()


async def test_the_key_of_a_floor_is_in_its_environment() -> None:
    # It lives until it is stopped, as a floor does: what has ended is not there to be measured.
    tells = (
        "import json, os, sys; print('{}', flush=True)\n"
        "for line in sys.stdin: print(json.dumps(os.environ['MXGATEWAY_API_KEY']), flush=True)"
    )
    async with floor([sys.executable, "-c", tells], "python", api_key="mxgw_a_secret") as bare:
        assert isinstance(bare, Floor)
        assert await bare.ask({"count": 1}) == "mxgw_a_secret"


async def test_a_floor_that_ends_says_why() -> None:
    ends = "import sys; print('no gateway', file=sys.stderr); sys.exit(3)"
    with pytest.raises(ProcessError, match=r"the floor of python ended with 3; stderr: .*no gateway"):
        async with floor([sys.executable, "-c", ends], "python"):
            raise AssertionError("it never said that it is ready")
