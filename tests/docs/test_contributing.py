"""The pages for contributors name files that are there, and the words they explain are used."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.support.code_blocks import ROOT

PAGES = ROOT / "docs" / "contributing"
_PATH = re.compile(
    r"`((?:src|tests|docs|protos|tools|examples|benches|chaos)/[^`]+|CHANGELOG\.md|CONTRIBUTING\.md|pyproject\.toml)`"
)
RECIPES = ("A command kind", "A backend", "A setting", "An RPC", "A metric", "An alarm rule")


def named() -> Iterator[tuple[str, str]]:
    for page in sorted(PAGES.glob("*.md")):
        for path in _PATH.findall(page.read_text(encoding="utf-8")):
            yield page.name, path


@pytest.mark.parametrize(("page", "path"), sorted(set(named())))
def test_every_file_that_the_pages_name_is_there(page: str, path: str) -> None:
    """A `…` stands for the name of a file that the reader makes: its folder has to be there."""
    wanted = ROOT / path
    assert (wanted.parent if "…" in path else wanted).exists(), f"docs/contributing/{page} names {path}"


def recipe(title: str) -> str:
    text = (PAGES / "recipes.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no recipe {title!r}"
    return found[1]


@pytest.mark.parametrize("title", RECIPES)
def test_each_recipe_lists_files_and_what_tells_of_a_forgotten_step(title: str) -> None:
    rows = [line for line in recipe(title).splitlines() if line.startswith("| ") and not line.startswith("| file")]
    assert len(rows) >= 3
    told = [row.split(" | ")[-1] for row in rows]
    assert sum("`" in cell for cell in told) >= 1, "no step is held by a test"


def test_a_command_kind_touches_few_files_by_hand() -> None:
    """Pinned and generated files apart."""
    by_hand = {
        path
        for path in _PATH.findall("\n".join(line.split(" | ")[0] for line in recipe("A command kind").splitlines()))
        if path.startswith(("src/", "protos/"))
    }
    assert len(by_hand) <= 11


def test_words_are_explained_once_and_in_order() -> None:
    for page in (PAGES / "glossary.md", ROOT / "docs" / "glossary.md"):
        words = re.findall(r"^\| ([^|`]+?) \|", page.read_text(encoding="utf-8"), re.MULTILINE)
        words = [word for word in words if word != "word"]
        assert len(words) >= 25
        assert words == sorted(set(words), key=str.casefold)
