"""A flood from beginning to end: a gateway, an honest client, a report. The bars are judged by `make attack` alone."""

from __future__ import annotations

import sys

import pytest
from attack.floods import FLOODS
from attack.run import attack

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(240),
    pytest.mark.skipif(sys.platform == "win32", reason="open files are limited by a shell"),
]


def test_a_short_flood_gives_a_whole_report() -> None:
    report = attack("lockout", 0.5)
    assert report["what"] == FLOODS["lockout"].title
    assert set(report["honest"]) == {"steady", "fresh", "write"}
    assert all(calls["count"] for calls in report["honest"].values())
    assert report["outcome"].get("UNAUTHENTICATED", 0) > 0
    assert report["memoryMiB"]["before"] > 0
