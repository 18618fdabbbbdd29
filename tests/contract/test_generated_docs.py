"""Pages made from code are what the code gives, and their links land."""

import re
from pathlib import Path

from tools.generate_docs import DOCS, stale

from mxgateway_contract.commands import COMMANDS


def test_no_generated_page_is_stale() -> None:
    assert stale() == []


def test_every_command_points_to_a_section_that_exists() -> None:
    headings = set(re.findall(r"^## (.+)$", (DOCS / "mxaccess.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {c.section for c in COMMANDS.values()} <= headings


def test_relative_links_of_the_docs_lead_to_files() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in [*DOCS.rglob("*.md"), *DOCS.parent.glob("*.md")]
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / Path(target)).exists()
    ]
    assert broken == []
