"""Globs over tag names."""

from __future__ import annotations

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway_server.access.globs import check_glob, matches, tag_glob_problem


@pytest.mark.parametrize(
    ("glob", "text", "expected"),
    [
        ("Tank*.PV", "tank001.pv", True),
        ("Tank?.PV", "Tank12.PV", False),
        ("*", "", True),
        ("", "x", False),
        ("a[b]c", "a[b]c", True),
        ("a*b*c", "aXbXbYc", True),
        ("a*b*c", "acb", False),
        ("Straße*", "STRASSE.1", True),
    ],
)
def test_globs_match_the_whole_text_without_regard_to_case(glob: str, text: str, expected: bool) -> None:
    assert matches(glob, text) == expected


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=10))
def test_globs_agree_with_the_shells(glob: str, text: str) -> None:
    assert matches(glob, text) == bool(re.match(fnmatch.translate(glob), text))


def test_no_glob_takes_long() -> None:
    began = time.process_time()
    assert not matches("*a" * 100 + "b", "a" * 1000)
    assert time.process_time() - began < 5.0


@pytest.mark.parametrize("glob", ["", "x" * 394, "a\nb"])
def test_odd_globs_are_refused(glob: str) -> None:
    with pytest.raises(ValueError, match="glob"):
        check_glob(glob)


@pytest.mark.parametrize("glob", ["#Pump.*", "$x.*", "x" * 128 + "." + "y" * 200, "*", "Mean.*", "Systems.*"])
def test_names_by_the_products_rules_are_taken(glob: str) -> None:
    check_glob(glob)
    assert tag_glob_problem(glob) == ""


@pytest.mark.parametrize("glob", ["Me.*", "MYAREA.PV", "Tank.MyContainer.*", "System.*", "myhost"])
def test_globs_over_words_that_no_object_is_called_are_told(glob: str) -> None:
    assert "reserved word" in tag_glob_problem(glob)
