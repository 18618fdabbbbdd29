"""The way from one state to another ends there, and each step of it follows on the one before."""

from __future__ import annotations

import itertools

import pytest
from tests.property.alarm_world import LEGAL

from mxgateway_server.alarms.model import Kind, State
from mxgateway_server.alarms.steps import steps_between

LISTED = [State.UNACK_ALM, State.ACK_ALM, State.UNACK_RTN, State.LATCHED]
WAYS = list(itertools.product([None, *LISTED], [*LISTED, State.ACK_RTN], [True, False]))


def spelled(state: State | None) -> str:
    return "" if state in (None, State.ACK_RTN) else state.name  # type: ignore[union-attr]


@pytest.mark.parametrize(("before", "after", "is_same"), WAYS)
def test_every_way_leads_there_by_legal_steps(before: State | None, after: State, is_same: bool) -> None:
    here = spelled(before)
    for kind, state in steps_between(before, after, is_same_occurrence=is_same):
        assert (here, spelled(state)) in LEGAL[kind]
        here = spelled(state)
    assert here == spelled(after)


@pytest.mark.parametrize("state", [*LISTED, State.UNKNOWN])
def test_nothing_happens_between_a_state_and_itself(state: State) -> None:
    assert steps_between(state, state) == ()


def test_another_occurrence_ends_the_one_before() -> None:
    steps = steps_between(State.UNACK_ALM, State.UNACK_ALM, is_same_occurrence=False)
    assert steps == ((Kind.CLEAR, State.UNACK_RTN), (Kind.RETRIGGER, State.UNACK_ALM))
    steps = steps_between(State.ACK_ALM, State.UNACK_RTN, is_same_occurrence=False)
    assert [kind for kind, _ in steps] == [Kind.CLEAR, Kind.RAISE, Kind.CLEAR]


def test_a_state_that_is_not_understood_is_kept_and_told() -> None:
    """Edge case 53."""
    assert steps_between(None, State.UNKNOWN) == ((Kind.RAISE, State.UNKNOWN),)
    assert steps_between(State.UNACK_ALM, State.UNKNOWN) == ((Kind.UPDATE, State.UNKNOWN),)
    assert steps_between(State.UNKNOWN, State.ACK_ALM) == ((Kind.UPDATE, State.ACK_ALM),)
    assert steps_between(State.UNKNOWN, State.ACK_RTN) == ((Kind.CLEAR, State.ACK_RTN),)
