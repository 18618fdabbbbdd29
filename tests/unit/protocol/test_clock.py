"""A wall clock that is carried on by a counter."""

from __future__ import annotations

from mxgateway_protocol.clock import CarriedClock


class Machine:
    """A wall clock and a counter; the wall clock is counted when it is read."""

    def __init__(self) -> None:
        self.counted = 5_000
        self.wall_ns = 1_700_000_000_000_000_000
        self.reads = 0
        self.clock = CarriedClock(self._wall, lambda: self.counted)

    def _wall(self) -> int:
        self.reads += 1
        return self.wall_ns

    def let_pass(self, ns: int) -> None:
        self.counted += ns
        self.wall_ns += ns


def test_it_tells_the_wall_clocks_time_and_seldom_reads_it() -> None:
    machine = Machine()
    for _ in range(1000):
        assert machine.clock.unix_ns() == machine.wall_ns
        machine.let_pass(100_000)
    assert machine.reads == 2


def test_a_wall_clock_that_is_set_is_followed_within_50_ms_in_either_direction() -> None:
    machine = Machine()
    machine.clock.unix_ns()
    for step in (3_600_000_000_000, -7_200_000_000_000):
        machine.wall_ns += step
        machine.let_pass(49_000_000)
        assert machine.clock.unix_ns() == machine.wall_ns - step
        machine.let_pass(1_000_000)
        assert machine.clock.unix_ns() == machine.wall_ns
