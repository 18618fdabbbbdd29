"""What a program file is, by its header."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.fake_node import program

from mxgateway_server.node.programs import program_of


@pytest.mark.parametrize(("machine", "bits", "text"), [
    (0x014C, 32, "32-bit"), (0x8664, 64, "64-bit"), (0xAA64, 64, "ARM"), (0x0200, 0, "0x0200"),
])  # fmt: skip
def test_the_processor_is_in_the_header(machine: int, bits: int, text: str) -> None:
    head = program(machine)
    told = program_of(head, len(head))
    assert told.bits == bits
    assert text in told.text


def test_a_file_of_no_bytes_is_an_alias() -> None:
    assert "alias" in program_of(b"", 0).text


@pytest.mark.parametrize("head", [b"\x7fELF" + bytes(100), b"MZ", b"MZ" + bytes(0x3A) + struct.pack("<I", 2**31)])
def test_other_files_are_no_programs(head: bytes) -> None:
    assert program_of(head, len(head)).bits == 0


@given(st.binary(max_size=300))
def test_no_bytes_are_too_much(head: bytes) -> None:
    assert program_of(b"MZ" + head, 302).bits in (0, 32, 64)
