"""Globs over names."""

from __future__ import annotations

import fnmatch
import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway_protocol.globs import compile_glob


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("Tank_*", "tank_001", True),
        ("Tank_*", "MyTank_001", False),
        ("*tank?", "BigTank1", True),
        ("*tank?", "BigTank12", False),
        ("", "", True),
        ("", "x", False),
        ("*", "", True),
        ("Mix_50%", "mix_50%", True),
        ("Mix_5[0]%", "Mix_50%", False),
        ("größe*", "GRÖSSE_1", True),
        ("a.b", "axb", False),
        ("a*b*c", "abcbc", True),
        ("a\nb*", "A\nBc", True),
    ],
)
def test_meaning(pattern: str, text: str, matches: bool) -> None:
    """`*` and `?` only, anchored, without case; everything else is itself."""
    assert compile_glob(pattern).matches(text) is matches


@given(st.text("aAb*?.", max_size=8), st.text("aAb.", max_size=10))
def test_like_fnmatch(pattern: str, text: str) -> None:
    """Agrees with the standard library's translation, without case."""
    expected = re.match(fnmatch.translate(pattern), text, re.IGNORECASE) is not None
    assert compile_glob(pattern).matches(text) is expected


def test_no_pattern_is_slow() -> None:
    """A pattern made to backtrack answers at once: the number of steps does not explode."""
    assert not compile_glob("*a" * 30 + "b").matches("a" * 329)


def test_threads_share_the_cache() -> None:
    """Many threads with more patterns than the cache keeps all get their own answer."""
    wrong: list[str] = []

    def work(number: int) -> None:
        wrong.extend(
            f"{number}-{turn}"
            for turn in range(600)
            if not compile_glob(f"*{number}-{turn}").matches(f"x{number}-{turn}")
        )

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert compile_glob.cache_info().currsize <= 1024
