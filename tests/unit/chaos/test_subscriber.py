"""The oracle of a subscription: a hole in the sequences needs a gap that was told."""

from __future__ import annotations

from chaos.subscriber import ChangeOracle
from chaos.violations import Journal


def feed(*changes: tuple[int, int]) -> list[str]:
    journal = Journal()
    oracle = ChangeOracle("subscriber", journal)
    for sequence, gaps in changes:
        oracle.change(sequence, gaps, 0.0)
    return [violation.rule for violation in journal.violations]


def test_changes_go_on_without_a_hole() -> None:
    """Contiguous changes, and values read again between them, break no promise."""
    assert feed((1, 0), (2, 0), (0, 0), (3, 0)) == []


def test_a_hole_needs_a_gap() -> None:
    """One gap explains one hole, or one new session; a second one is a loss."""
    assert feed((1, 0), (5, 1)) == []
    assert feed((7, 1), (1, 2), (2, 2)) == []
    assert feed((1, 0), (5, 0)) == ["lost"]
    assert feed((1, 0), (5, 1), (9, 1)) == ["lost"]


def test_a_change_that_comes_twice_is_found() -> None:
    """A repetition is no progress of the sequence either."""
    assert feed((1, 0), (2, 0), (2, 0)) == ["lost"]
