"""What the matrix takes for equal, and what not."""

from __future__ import annotations

import pytest
from e2e.matrix import Record, compare
from e2e.normalising import Normaliser
from e2e.steps import STEPS


def test_what_is_there_by_chance_becomes_its_order_of_appearance() -> None:
    normaliser = Normaliser()
    one = {"sessionId": "session-a", "itemHandle": 7, "at": "2026-01-31T12:00:00.123Z", "workerSequence": "41"}
    two = {"sessionId": "session-a", "itemHandle": 9, "at": "2026-01-31T12:00:01Z", "workerSequence": "43", "x": 1.0}
    assert normaliser.document(one) == {
        "sessionId": "<sessionId 1>",
        "itemHandle": "<itemHandle 1>",
        "at": "<time>",
        "workerSequence": "<workerSequence +0>",
    }
    assert normaliser.document(two)["itemHandle"] == "<itemHandle 2>"
    assert normaliser.document(two)["workerSequence"] == "<workerSequence +2>"
    assert normaliser.document(two)["x"] == 1


def test_a_time_in_another_form_is_a_difference() -> None:
    with pytest.raises(ValueError, match="no time"):
        Normaliser().document({"at": "2026-01-31T12:00:00.1Z"})


def test_every_key_and_its_place_counts() -> None:
    model = Record("python", [{"a": 1, "b": 2}] * len(STEPS))
    assert compare(model, Record("go", [{"a": 1, "b": 2}] * len(STEPS))) == []
    assert len(compare(model, Record("go", [{"b": 2, "a": 1}] * len(STEPS)))) == len(STEPS)
    assert compare(model, Record("go", [{"a": 1, "b": 2}] * len(STEPS), ["a key is in the output"])) == [
        "a key is in the output"
    ]
