"""What commands print for people."""

from __future__ import annotations

import struct

import pytest

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.output import failure_text, value_text


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


def test_a_failed_result_says_what_its_status_means() -> None:
    """The meaning of the detail number comes before a text that only repeats the number."""
    status = pb.MxStatusProxy(success=0, category=pb.MX_STATUS_CATEGORY_CONFIGURATION_ERROR, detail=6)
    result = pb.BulkReadResult(tag_address="A.B", error_message="category 4, detail 6", statuses=[status])
    assert failure_text(result).startswith("CONFIGURATION_ERROR detail 6 (the reference is invalid")
    assert failure_text(pb.SubscribeResult(error_message="denied")) == "denied"
