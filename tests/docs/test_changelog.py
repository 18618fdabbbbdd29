"""The changelog has the sections that readers know, in their order."""

from __future__ import annotations

import re

from tests.support.code_blocks import ROOT

SECTIONS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
TEXT = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_each_version_has_known_sections_in_their_order_and_no_empty_one() -> None:
    for version in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]:
        parts = re.split(r"^### (.+)$", version, flags=re.MULTILINE)
        titles = parts[1::2]
        assert titles == [title for title in SECTIONS if title in titles], "unknown, twice, or out of order"
        assert all(re.search(r"^- ", text, re.MULTILINE) for text in parts[2::2])


def test_each_entry_stands_once() -> None:
    entries = re.findall(r"^- .+$", TEXT, re.MULTILINE)
    assert len(entries) == len(set(entries))
