"""Reading on while a program is loaded: nothing is lost, nothing comes twice, and there is a bound."""

from __future__ import annotations

import os
import sys

import pytest
from tests.support.waiting import wait_until

from mxgateway_server.upgrade import early_reading
from mxgateway_server.upgrade.early_reading import EarlyReader

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes that do not block are POSIX's")


def pipe() -> tuple[int, int]:
    read, write = os.pipe()
    os.set_blocking(read, False)
    return read, write


def close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def test_what_comes_is_kept_by_pipe_in_order() -> None:
    first, second = pipe(), pipe()
    reader = EarlyReader([first[0], second[0]])
    for number in range(200):
        os.write(first[1], b"%d," % number)
    os.write(second[1], b"log")
    wait_until(lambda: len(reader._read[first[0]]) == 690 and len(reader._read[second[0]]) == 3)
    found = reader.stop()
    assert found == {first[0]: b"".join(b"%d," % number for number in range(200)), second[0]: b"log"}
    # What comes from now on is whoever's who takes the pipe over.
    os.write(first[1], b"next")
    assert os.read(first[0], 100) == b"next"
    close(*first, *second)


def test_the_end_of_a_pipe_is_left_for_others_to_see() -> None:
    ends = pipe()
    reader = EarlyReader([ends[0]])
    os.write(ends[1], b"last")
    os.close(ends[1])
    wait_until(lambda: bytes(reader._read[ends[0]]) == b"last")
    assert reader.stop() == {ends[0]: b"last"}
    assert os.read(ends[0], 10) == b""
    os.close(ends[0])


def test_beyond_the_bound_it_stays_in_the_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early_reading, "MAX_EARLY_BYTES", 10)
    ends = pipe()
    reader = EarlyReader([ends[0]])
    os.write(ends[1], b"0123456789")
    wait_until(lambda: len(reader._read[ends[0]]) == 10)
    os.write(ends[1], b"more")
    assert reader.stop() == {ends[0]: b"0123456789"}
    assert os.read(ends[0], 10) == b"more"
    close(*ends)


def test_a_pipe_that_is_gone_disturbs_no_other() -> None:
    ends = pipe()
    reader = EarlyReader([10**6, ends[0]])
    os.write(ends[1], b"x")
    wait_until(lambda: bytes(reader._read[ends[0]]) == b"x")
    reader.stop()
    close(*ends)
