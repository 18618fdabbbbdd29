"""MXSTATUS_PROXY in words."""

from __future__ import annotations

import pytest

from mxgateway_contract.status import Detail, MxStatus


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (MxStatus(0, 4, 1, 8), "configuration error, no such object (category 4, detail 8)"),
        (MxStatus(0, 3, 3, 5), "communication error, no communication with the engine (category 3, detail 5)"),
        (MxStatus(0, 4, 0, 0), "configuration error (category 4, detail 0)"),
        (MxStatus(0, 99, 1, 4711), "category 99, detail 4711"),
        (MxStatus(-1, 0, 0, 0), "category 0, detail 0"),
    ],
)
def test_a_status_in_words(status: MxStatus, words: str) -> None:
    """Known numbers have their words, unknown ones stay numbers."""
    assert status.describe() == words


def test_details_are_complete() -> None:
    """All of the product's numbers, and no other."""
    assert {int(detail) for detail in Detail} == {*range(27), *range(1000, 1018), 8000}
