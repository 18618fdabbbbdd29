"""Page tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway_server.galaxy.errors import PageTokenError
from mxgateway_server.galaxy.tokens import PageTokens

tokens = PageTokens(b"k" * 32)


@given(st.integers(0, 2**64 - 1), st.binary(max_size=50), st.integers(0, 2**32 - 1))
def test_round_trip(sequence: int, arguments: bytes, offset: int) -> None:
    """A token gives back its offset for the sequence and arguments that it was made for."""
    assert tokens.read(tokens.make(sequence, arguments, offset), sequence, arguments) == offset


@pytest.mark.parametrize(
    ("token", "what"),
    [
        (tokens.make(6, b"args", 10), "earlier deployment"),
        (tokens.make(7, b"other", 10), "other arguments"),
        (PageTokens(b"x" * 32).make(7, b"args", 10), "other arguments"),
        ("", "not one that this gateway made"),
        ("%%%", "not one that this gateway made"),
        ("é", "not one that this gateway made"),
        ("AAAA", "not one that this gateway made"),
        (tokens.make(7, b"args", 10)[:-4], "not one that this gateway made"),
    ],
)
def test_refused(token: str, what: str) -> None:
    """Stale, foreign and made-up tokens are told apart and refused."""
    with pytest.raises(PageTokenError, match=what):
        tokens.read(token, 7, b"args")


def test_offset_cannot_be_forged() -> None:
    """A token whose bytes were changed is refused."""
    token = tokens.make(7, b"args", 10)
    with pytest.raises(PageTokenError):
        tokens.read(("B" if token[14] == "A" else "A").join((token[:14], token[15:])), 7, b"args")
