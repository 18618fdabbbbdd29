"""The chain: every change by another hand is found, at its place, whatever it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway_server.access.chain import ChainCheck, ChainKey, Mark

KEY = ChainKey(b"k" * 32)

BEGIN = Mark()

Row = tuple[int, dict[str, Any], str | None]


def chained(count: int, key: ChainKey = KEY) -> tuple[list[Row], Mark]:
    """Records as a store holds them, and the head."""
    rows: list[Row] = []
    link = ""
    for number in range(1, count + 1):
        contents = {"target": f"Tag_{number}.PV", "outcome": "accepted"}
        link = key.link(link, number, contents)
        rows.append((number, contents, link))
    return rows, Mark(count, link, count)


def findings(rows: list[Row], head: Mark | None, noted: str = "", anchor: Mark | None = BEGIN) -> list[int]:
    check = ChainCheck(KEY, anchor, head, noted)
    for row in rows:
        check.take(*row)
    return [finding.record_id for finding in check.finish()]


def test_what_is_as_it_was_written_has_no_findings() -> None:
    rows, head = chained(20)
    assert findings(rows, head) == []
    assert findings(rows, head, noted=rows[7][2] or "") == []
    assert findings([], Mark()) == []


@given(st.integers(1, 20), st.sampled_from(["change", "remove", "swap", "add", "unlink"]))
def test_every_change_is_found_at_its_place(place: int, what: str) -> None:
    rows, head = chained(20)
    number, contents, link = rows[place - 1]
    if what == "change":
        rows[place - 1] = (number, {**contents, "outcome": "failed"}, link)
    elif what == "remove":
        del rows[place - 1]
    elif what == "swap":
        other = place % 20
        rows[place - 1], rows[other] = rows[other], rows[place - 1]
    elif what == "add":
        rows.insert(place, (number, contents, link))
    else:
        rows[place - 1] = (number, contents, None)
    assert findings(rows, head) != []


def test_one_change_is_one_finding() -> None:
    rows, head = chained(20)
    rows[4] = (5, {"target": "x"}, rows[4][2])
    assert findings(rows, head) == [5]


@pytest.mark.parametrize("left", [0, 1, 19])
def test_a_cut_off_end_is_found(left: int) -> None:
    rows, head = chained(20)
    assert findings(rows[:left], head) == [left]


@pytest.mark.parametrize("more", [-1, 1])
def test_a_head_that_counts_otherwise_is_found(more: int) -> None:
    rows, head = chained(5)
    assert findings(rows, Mark(head.record_id, head.link, head.count + more)) == [5]


def test_a_chain_of_another_key_is_found() -> None:
    rows, head = chained(3, ChainKey(b"x" * 32))
    assert findings(rows, head) != []


def test_notes_cannot_be_made_without_the_key() -> None:
    mark = Mark(7, "ab" * 32, 7)
    sealed = KEY.seal("head", mark)
    assert KEY.open("head", sealed) == mark
    assert KEY.open("anchor", sealed) is None
    assert KEY.open("head", sealed.replace("7:7", "6:6")) is None
    assert ChainKey(b"x" * 32).open("head", sealed) is None
    assert KEY.open("head", "nonsense") is None
    assert findings([], None) == [0]
    assert findings([], Mark(), anchor=None) == [0]


def test_an_old_copy_is_found_by_a_head_that_was_noted_elsewhere() -> None:
    rows, head = chained(20)
    old_rows, old_head = rows[:10], Mark(10, rows[9][2] or "", 10)
    assert findings(old_rows, old_head) == []
    assert findings(old_rows, old_head, noted=head.link) == [0]


def test_after_letting_old_records_go_the_rest_still_holds() -> None:
    rows, head = chained(20)
    anchor = Mark(5, rows[4][2] or "", 5)
    assert findings(rows[5:], head, anchor=anchor) == []
    assert findings(rows[6:], head, anchor=anchor) != []
