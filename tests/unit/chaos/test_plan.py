"""The plan of a storm: repeatable, complete, and within its bounds."""

from __future__ import annotations

import pytest
from chaos.plan import KINDS, SHORT_KINDS, Scope, make_plan


def test_the_same_seed_gives_the_same_plan() -> None:
    """Equal seeds give equal plans, others other ones, and the order in which kinds are named does not matter."""
    assert make_plan(7, 100, 5) == make_plan(7, 100, 5, tuple(reversed(KINDS)))
    assert make_plan(7, 100, 5) != make_plan(8, 100, 5)


def test_every_kind_comes_when_there_is_room() -> None:
    """A plan with at least as many faults as kinds holds each of them."""
    assert {fault.kind for fault in make_plan(1, len(KINDS), 3).faults} == set(KINDS)
    assert len(make_plan(1, 3, 3).faults) == 3


def test_faults_stay_within_their_bounds() -> None:
    """Durations are the kind's, targets are actors, and what hits the gateway has no target."""
    for fault in make_plan(3, 300, 4).faults:
        low, high = KINDS[fault.kind].seconds
        assert low <= fault.seconds <= high
        assert 0.1 <= fault.pause <= 1.2
        assert fault.target == -1 if fault.scope is Scope.GATEWAY else 0 <= fault.target < 4


def test_only_the_chosen_kinds_come() -> None:
    """A choice of kinds is kept to."""
    assert {fault.kind for fault in make_plan(1, 50, 2, ("cut", "reset")).faults} == {"cut", "reset"}
    assert set(SHORT_KINDS) < set(KINDS)


@pytest.mark.parametrize(("kinds", "actors"), [(("no_such",), 2), ((), 2), (("cut",), 0)])
def test_a_plan_that_makes_no_sense_is_refused(kinds: tuple[str, ...], actors: int) -> None:
    """Unknown kinds, no kind and no actor are errors."""
    with pytest.raises(ValueError):
        make_plan(1, 5, actors, kinds)
