"""YAML that keeps its lines, and gives up nothing in silence."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway_simulator.building.document import load
from mxgateway_simulator.errors import GalaxyDescriptionError


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3", 3),
        ("a: {b: 1, c: 2, b: 3}", 1),
        ("a:\n  - {x: 1}\n  - x: 1\n    x: 2", 4),
        ("'a': 1\na: 2", 2),
        ("a:\n  b:\n    c: 1\n  b:\n    c: 2", 4),
    ],
)
def test_a_key_that_occurs_twice_is_refused_at_any_depth(text: str, line: int) -> None:
    """Both lines are named: the later one would win, and nobody would know."""
    with pytest.raises(GalaxyDescriptionError, match="for the second time, the first time in line") as caught:
        load(text, "g.yaml")
    assert caught.value.line == line


@pytest.mark.parametrize(
    "key", ["Yes", "NO", "on", "Off", "true", "null", "~", "1", "1_2", "0x1F", "1.5", ".nan", "12:30", "2025-01-31"]
)
def test_a_key_that_yaml_reads_as_something_else_is_refused_with_the_quotes(key: str) -> None:
    """Whatever it would have become: a truth, nothing, a number, a time."""
    with pytest.raises(GalaxyDescriptionError, match="put it in quotes") as caught:
        load(f"a:\n  {key}: 1", "g.yaml")
    assert caught.value.line == 2
    assert f"'{key}'" in str(caught.value)
    assert load(f"a:\n  '{key}': 1", "g.yaml") == {"a": {key: 1}}


def test_a_key_that_is_a_list_is_refused() -> None:
    with pytest.raises(GalaxyDescriptionError, match="line 1: document: a key is a list or a mapping"):
        load("? [a, b]\n: 1", "g.yaml")


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("a:\tb", "blanks in place of tabs"),
        ("a: %", "in quotes"),
        ("a: 1\n---\nb: 2", "one Galaxy"),
        ("a: !!python/object/apply:os.system ['x']", "without !tags"),
        ("a: {b: 1\nc: 2", "not closed"),
        ("a: *b", "after & before"),
        ("a: &a [*a]", "is no YAML"),
        ("a: " + "[" * 2000, "nested too deeply"),
    ],
)
def test_what_is_no_yaml_names_line_and_remedy(text: str, remedy: str) -> None:
    with pytest.raises(GalaxyDescriptionError, match=remedy):
        load(text, "g.yaml")


LETTERS = "abcdefghijklmnopqrstuvwxyz"
BOMB = "a: &a [x, x]\n" + "".join(f"{name}: &{name} [*{before}, *{before}]\n" for before, name in pairwise(LETTERS))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "more than 1000000 values with all its aliases"),
        ("signal: &a {steps: &b [1]}\nx: " + "[" * 120 + "1" + "]" * 120, "nested too deeply"),
        ("a: &a {b: *a}", "an alias .* stands within what it is for"),
    ],
)
def test_what_has_no_end_is_refused_before_anything_walks_through_it(text: str, words: str) -> None:
    with pytest.raises(GalaxyDescriptionError, match=words):
        load(text, "g.yaml")


def test_aliases_that_repeat_something_small_are_welcome() -> None:
    text = "a: &a {x: 1}\nb: [" + ", ".join(["*a"] * 1000) + "]"
    assert load(text, "g.yaml")["b"] == [{"x": 1}] * 1000


def test_what_is_merged_in_may_be_said_again() -> None:
    """The merge key is for that."""
    assert load("b: &b {x: 1, y: 2}\nc: {<<: *b, y: 3}", "g.yaml")["c"] == {"x": 1, "y": 3}


def test_values_know_their_lines() -> None:
    document = load("a:\n  - 1\n  - b: 2\n    c: 3", "g.yaml")
    assert document.lines == {"a": 1}
    assert document["a"].lines == [2, 3]
    assert document["a"][1].lines == {"b": 3, "c": 4}


@given(st.text(alphabet="ab:{}[]-,'\"#&*!|>%@ \n\t\u00fc0", max_size=60))
def test_any_text_is_a_document_or_refused(text: str) -> None:
    """Nothing but GalaxyDescriptionError comes out of rubbish."""
    with suppress(GalaxyDescriptionError):
        load(text, "g.yaml")
