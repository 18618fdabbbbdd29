"""Drawings have words for those who cannot see them, colours for light and dark, and nothing from elsewhere."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from tests.support.code_blocks import ROOT, pages

DRAWINGS = sorted((ROOT / "docs" / "assets").glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"
CSS = (ROOT / "docs" / "assets" / "extra.css").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", DRAWINGS, ids=lambda file: file.name)
def test_a_drawing_says_what_it_shows(file: Path) -> None:
    root = ElementTree.parse(file).getroot()
    named = root.attrib["aria-labelledby"].split()
    assert [each.attrib["id"] for part in ("title", "desc") for each in root.iter(f"{SVG}{part}")] == named
    assert all(len(root.findtext(f"{SVG}{part}", "")) > 5 for part in ("title", "desc"))


@pytest.mark.parametrize("file", DRAWINGS, ids=lambda file: file.name)
def test_a_drawing_has_colours_for_light_and_dark_alone_and_in_the_site(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    used = set(re.findall(r"var\((--\w+)\)", text))
    light, dark = re.findall(r"\.drawing \{([^}]*)\}", text)
    assert "prefers-color-scheme: dark" in text
    schemes = re.findall(r'\[data-md-color-scheme="(?:default|slate)"\] svg\.drawing \{([^}]*)\}', CSS)
    assert len(schemes) == 2
    for colours in (light, dark, *schemes):
        assert used <= set(re.findall(r"(--\w+):", colours))
    body = re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)
    assert not re.search(r"#[0-9a-f]{3,6}\b", re.sub(r"url\(#[\w-]+\)", "", body)), "a colour that knows no dark"


@pytest.mark.parametrize("file", DRAWINGS, ids=lambda file: file.name)
def test_a_drawing_is_used_and_needs_nothing_from_elsewhere(file: Path) -> None:
    assert not re.search(r"(href|src)=|https?://(?!www\.w3\.org)", file.read_text(encoding="utf-8"))
    assert [page for page in pages() if f"docs/assets/{file.name}" in page.read_text(encoding="utf-8")]


def test_no_page_draws_with_letters() -> None:
    assert [page.name for page in pages() if re.search(r"──|[▶│└]", page.read_text(encoding="utf-8"))] == []
