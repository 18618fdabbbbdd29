"""The oracle of events: what it accepts, and that it finds each way in which a stream can lie."""

from __future__ import annotations

import pytest
from chaos.event_oracle import Losses, SessionEvents
from chaos.violations import Journal


def session(worker_may_drop: bool = False) -> SessionEvents:
    return SessionEvents("reader", Journal(), worker_may_drop)


def rules(events: SessionEvents) -> list[str]:
    return [violation.rule for violation in events.journal.violations]


def feed(events: SessionEvents, after: int, *sequences: int, losses: Losses = Losses.NONE) -> None:
    stream = events.open_stream(after, losses, 0.0)
    for sequence in sequences:
        stream.event(sequence, sequence * 7, 0.0)


def test_a_stream_without_holes_is_right() -> None:
    """Contiguous events from the first one on break no promise."""
    events = session()
    feed(events, 0, 1, 2, 3)
    assert rules(events) == []
    assert (events.events, events.last) == (3, 3)


def test_a_silent_hole_is_found() -> None:
    """A missing event that nobody announced is a loss."""
    events = session()
    feed(events, 0, 1, 2, 4)
    assert rules(events) == ["lost"]


def test_the_first_stream_begins_with_the_first_event() -> None:
    """Events missing before the first one of a session's first stream are a loss, too."""
    events = session()
    feed(events, 0, 3, 4)
    assert rules(events) == ["lost"]


@pytest.mark.parametrize("sequences", [(1, 2, 2), (1, 3, 2)])
def test_repeated_and_reordered_events_are_found(sequences: tuple[int, ...]) -> None:
    """Sequences only ever rise within a stream."""
    events = session()
    feed(events, 0, *sequences)
    assert "order" in rules(events)


def test_resuming_goes_on_exactly_behind() -> None:
    """A resumed stream begins with the next event; with an older one it repeats, with a younger one it loses."""
    events = session()
    feed(events, 0, 1, 2, 3)
    feed(events, 3, 4, 5)
    assert rules(events) == []
    feed(events, 5, 5)
    assert rules(events) == ["order"]
    feed(events, 5, 7)
    assert rules(events) == ["order", "lost"]


def test_another_event_under_a_known_sequence_is_found() -> None:
    """What is replayed is what was there."""
    events = session()
    feed(events, 0, 1, 2)
    stream = events.open_stream(1, Losses.NONE, 0.0)
    stream.event(2, 999, 0.0)
    assert rules(events) == ["content"]


def test_a_replay_gap_moves_the_beginning() -> None:
    """After the sentinel the stream begins with the oldest event that is available."""
    events = session()
    feed(events, 0, 1, 2)
    stream = events.open_stream(2, Losses.NONE, 0.0)
    stream.gap(2, 10, 0.0)
    stream.event(10, 0, 0.0)
    assert rules(events) == []
    assert events.gaps == 1


@pytest.mark.parametrize(("requested", "oldest"), [(1, 10), (2, 3), (2, 2)])
def test_a_wrong_replay_gap_is_found(requested: int, oldest: int) -> None:
    """The sentinel repeats what was asked, and comes only when something is missing."""
    events = session()
    feed(events, 0, 1, 2)
    events.open_stream(2, Losses.NONE, 0.0).gap(requested, oldest, 0.0)
    assert rules(events) == ["gap"]


def test_a_replay_gap_in_the_middle_is_found() -> None:
    """The sentinel stands at the head of a resumed stream only."""
    events = session()
    stream = events.open_stream(0, Losses.NONE, 0.0)
    stream.event(1, 7, 0.0)
    stream.gap(1, 5, 0.0)
    assert rules(events) == ["gap"]
    fresh = events.open_stream(0, Losses.NONE, 0.0)
    fresh.gap(0, 5, 0.0)
    assert rules(events) == ["gap", "gap"]


def test_a_stream_from_the_beginning_begins_there_or_says_what_is_gone() -> None:
    """Whoever has nothing yet and asks for everything gets it, or the sentinel."""
    events = session()
    feed(events, 0, 1, 2)
    again = events.open_stream(0, Losses.NONE, 0.0, from_beginning=True)
    again.gap(0, 2, 0.0)
    again.event(2, 14, 0.0)
    assert rules(events) == []
    events.open_stream(0, Losses.NONE, 0.0, from_beginning=True).event(2, 14, 0.0)
    assert rules(events) == ["lost"]


def test_a_count_that_fits_its_hole_is_right() -> None:
    """Announced drops explain exactly as many missing events."""
    events = session()
    stream = events.open_stream(0, Losses.OLDEST, 0.0)
    stream.event(1, 0, 0.0)
    stream.dropped(3, 0.0)
    stream.event(5, 0, 0.0)
    stream.event(6, 0, 0.0)
    assert rules(events) == []


@pytest.mark.parametrize(("count", "rule"), [(2, "lost"), (4, "count")])
def test_a_count_that_does_not_fit_is_found(count: int, rule: str) -> None:
    """Too few announced is a loss, too many a wrong count."""
    events = session()
    stream = events.open_stream(0, Losses.OLDEST, 0.0)
    stream.event(1, 0, 0.0)
    stream.dropped(count, 0.0)
    stream.event(5, 0, 0.0)
    assert rules(events) == [rule]


def test_what_the_worker_dropped_has_a_count_and_no_hole() -> None:
    """Where the worker may drop, a count may be greater than the hole in the sequences, but never less."""
    events = session(worker_may_drop=True)
    stream = events.open_stream(0, Losses.OLDEST, 0.0)
    stream.dropped(9, 0.0)
    stream.event(1, 0, 0.0)
    stream.event(3, 0, 0.0)
    assert rules(events) == ["lost"]


def test_conflation_counts_ahead_and_is_exact_in_the_end() -> None:
    """A replaced event is counted before its hole shows; once nothing is under way both numbers are equal."""
    events = session()
    stream = events.open_stream(0, Losses.REPLACED, 0.0)
    stream.dropped(3, 0.0)
    stream.event(2, 0, 0.0)
    stream.event(5, 0, 0.0)
    stream.settled(0.0)
    assert rules(events) == []
    stream.dropped(1, 0.0)
    stream.settled(0.0)
    assert rules(events) == ["count"]


def test_conflation_without_a_count_is_found() -> None:
    """A hole that no count covers is a loss under conflation, too."""
    events = session()
    feed(events, 0, 1, 3, losses=Losses.REPLACED)
    assert rules(events) == ["lost"]


def test_a_stream_that_ends_too_early_is_found() -> None:
    """Once nothing is under way every stream has what any stream had."""
    events = session()
    feed(events, 0, 1, 2, 3)
    stream = events.open_stream(1, Losses.NONE, 0.0)
    stream.event(2, 14, 0.0)
    stream.settled(0.0)
    assert rules(events) == ["lost"]


def test_a_violation_carries_what_led_there() -> None:
    """The trace of a violation tells how the stream was opened."""
    events = session()
    feed(events, 0, 2)
    (violation,) = events.journal.violations
    assert "stream opened after 0" in violation.trace[0]
    assert violation.as_json()["rule"] == "lost"


def test_the_first_events_have_to_reach_somebody() -> None:
    """A second fresh stream may begin late, but not when the first one never got anything."""
    events = session()
    first = events.open_stream(0, Losses.NONE, 0.0)
    second = events.open_stream(0, Losses.NONE, 0.0)
    second.event(57, 0, 0.0)
    first.event(1, 0, 0.0)
    events.finish(0.0)
    assert rules(events) == []
    alone = session()
    alone.open_stream(0, Losses.NONE, 0.0)
    alone.open_stream(0, Losses.NONE, 0.0).event(57, 0, 0.0)
    alone.finish(0.0)
    assert rules(alone) == ["head"]


def test_first_events_that_went_down_with_a_stream_are_told_by_the_gap_of_the_next() -> None:
    """The gateway had handed them to a stream that broke, and kept no more than its ring holds."""
    events = session()
    events.open_stream(0, Losses.NONE, 0.0)
    again = events.open_stream(0, Losses.NONE, 0.0, from_beginning=True)
    again.gap(0, 1676, 0.0)
    again.event(1676, 0, 0.0)
    events.finish(0.0)
    assert rules(events) == []


def test_while_items_are_added_counts_may_run_ahead_and_never_behind() -> None:
    """A full queue keeps the latest of each item then, whatever the policy; every hole is announced all the same."""
    events = session()
    events.adds_items(0.0)
    stream = events.open_stream(0, Losses.NONE, 0.0)
    stream.dropped(4540, 1.0)
    stream.event(4540, 0, 1.0)
    stream.event(4541, 0, 1.0)
    stream.event(4543, 0, 1.0)
    stream.settled(1.0)
    assert rules(events) == []
    stream.event(4545, 0, 1.0)
    assert rules(events) == ["lost"]


def test_what_was_announced_while_items_were_added_may_show_later() -> None:
    """The queue goes back to its policy once it is read empty."""
    events = session()
    events.adds_items(0.0)
    stream = events.open_stream(0, Losses.OLDEST, 0.0)
    stream.dropped(3, 0.0)
    stream.event(2, 0, 0.0)
    for number in range(3, 40):
        stream.event(number, 0, float(number))
    assert events.is_calm
    stream.event(41, 0, 41.0)
    stream.event(42, 0, 41.0)
    assert rules(events) == []
    stream.event(45, 0, 41.0)
    assert rules(events) == ["lost"]


def test_after_that_every_count_fits_its_hole_again() -> None:
    """Only time with events counts: while the gateway is away nothing is delivered."""
    events = session()
    events.adds_items(0.0)
    stream = events.open_stream(0, Losses.NONE, 0.0)
    stream.event(1, 0, 1.0)
    stream.event(2, 0, 300.0)
    assert not events.is_calm
    for number in range(3, 30):
        stream.event(number, 0, 300.0 + number)
    stream.dropped(5, 330.0)
    stream.event(32, 0, 330.0)
    assert rules(events) == ["count"]
