"""Who is let in to a start, and what the others are told."""

from __future__ import annotations

import itertools

import pytest

from mxgateway_server.errors import SessionStartBusyError
from mxgateway_server.workers.start_line import FIRST_GUESS, LONGEST_RETRY, StartLine, last_moment


def full(callers: int, simultaneous: int = 2) -> StartLine:
    line = StartLine(simultaneous)
    for _ in range(callers):
        line.join(0.0, None)
    return line


def test_a_caller_who_waits_for_ever_is_always_let_in() -> None:
    assert len(full(500)) == 500


def test_a_caller_is_let_in_as_long_as_his_turn_comes_before_he_gives_up() -> None:
    line = full(8)
    # Ten starts, two at a time: five times as long as one.
    line.join(0.0, 5 * FIRST_GUESS + 1.0)
    with pytest.raises(SessionStartBusyError) as caught:
        line.join(0.0, 5 * FIRST_GUESS)
    assert len(line) == 9
    assert caught.value.retry_after is not None
    assert 5 * FIRST_GUESS <= caught.value.retry_after <= 6 * FIRST_GUESS
    assert "worker.simultaneous_starts" in str(caught.value)


def test_many_who_are_refused_at_once_are_told_to_come_back_one_after_the_other() -> None:
    line = full(20)
    told = []
    for _ in range(10):
        with pytest.raises(SessionStartBusyError) as caught:
            line.join(0.0, 1.0)
        assert caught.value.retry_after is not None
        told.append(caught.value.retry_after)
    assert all(later > earlier for earlier, later in itertools.pairwise(told))
    assert told[-1] - told[0] == pytest.approx(9 * FIRST_GUESS / 2, abs=0.2)


def test_nobody_is_sent_away_for_longer_than_a_minute() -> None:
    line = full(10_000)
    for _ in range(300):
        with pytest.raises(SessionStartBusyError) as caught:
            line.join(0.0, 1.0)
        assert caught.value.retry_after is not None
        assert 1.0 <= caught.value.retry_after <= LONGEST_RETRY


def test_how_long_a_start_takes_is_learned() -> None:
    line = full(40)
    for _ in range(40):
        line.leave(2.0)
    assert line.typical == pytest.approx(2.0, abs=0.01)
    line.join(0.0, 3.1)
    line.join(0.0, 3.1)
    with pytest.raises(SessionStartBusyError):
        line.join(0.0, 3.1)


def test_who_gives_up_leaves_his_place_and_teaches_nothing() -> None:
    line = full(3)
    line.leave()
    assert (len(line), line.typical) == (2, FIRST_GUESS)


@pytest.mark.parametrize(("seconds", "margin"), [(30.0, 1.0), (5.0, 1.0), (1.0, 0.2), (0.0, 0.0)])
def test_an_answer_leaves_in_time_to_arrive(seconds: float, margin: float) -> None:
    assert last_moment(100.0, 100.0 + seconds) == pytest.approx(100.0 + seconds - margin)
