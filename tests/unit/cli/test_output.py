"""What commands print for people."""

from __future__ import annotations

import struct

import pytest

from mxgateway_cli.output import value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345678.9, "12345678.9"),
        (1234567.0, "1234567"),
        (0.1, "0.1"),
        (struct.unpack("f", struct.pack("f", 7.78))[0], "7.78"),
        (struct.unpack("f", struct.pack("f", 1234567.9))[0], "1234567.9"),
        (1e-300, "1e-300"),
        (1e300, "1e+300"),
        (-0.0, "-0"),
        (1e16, "1e+16"),
        (2.0**53, "9007199254740992"),
    ],
)
def test_numbers_are_shown_in_full(value: float, text: str) -> None:
    """A totaliser keeps all its digits, and a 32-bit float has no digits that it does not carry."""
    assert value_text(value) == text


def test_text_can_neither_break_a_line_nor_command_the_terminal() -> None:
    """Control characters of a string tag are shown as escapes; letters of all scripts stay."""
    assert value_text("a\nb\t\x1b[2Jc Kühlmaschine 冷") == r"a\nb\t\x1b[2Jc Kühlmaschine 冷"
