"""The pages that list things list all of them, and what they point to exists."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from itertools import groupby
from pathlib import Path

import yaml
from tests.support.code_blocks import ROOT

import mxgateway
from mxgateway_server import errors

DOCS = ROOT / "docs"
TEST_ID = re.compile(r"`(tests/[\w/]+\.py::\w+)`")


def pages(folder: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md")))


def test_every_public_name_of_the_library_is_in_the_reference() -> None:
    reference = pages(DOCS / "api")
    directives = set(re.findall(r"^::: ([\w.]+)", reference, re.MULTILINE))
    missing = []
    for name in mxgateway.__all__:
        public = getattr(mxgateway, name)
        # Where it is defined, or the module of the library that hands it on.
        homes = {getattr(public, "__module__", ""), mxgateway._HOME_OF[name]}
        if not ({f"{home}.{name}" for home in homes} | homes) & directives and f"`{name}`" not in reference:
            missing.append(name)
    assert missing == []


def test_what_the_reference_points_to_exists() -> None:
    for path in re.findall(r"^::: ([\w.]+)", pages(DOCS / "api"), re.MULTILINE):
        module, _, name = path.rpartition(".")
        try:
            found = importlib.import_module(path)
        except ModuleNotFoundError:
            found = getattr(importlib.import_module(module), name)
        assert inspect.getdoc(found), f"{path} has no docstring"


def test_every_error_of_the_library_is_in_the_troubleshooting() -> None:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    names = [name for name in mxgateway.__all__ if name.endswith("Error")]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_reason_of_the_gateway_is_in_the_troubleshooting() -> None:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    reasons = {
        each.reason for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, errors.GatewayError)
    }
    assert {reason for reason in reasons if f"`{reason}`" not in page} == set()


def test_the_page_of_findings_has_all_48() -> None:
    rows = re.findall(r"^\| (\d+) \| ([\w.]+-\d{3})", (DOCS / "findings.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 49))
    assert len({name for _, name in rows}) == 48


def test_the_page_of_past_defects_has_all_50() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", (DOCS / "past-defects.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 51))
    assert len({name for _, name in rows}) == 50


def test_every_test_that_the_documentation_names_is_there() -> None:
    named: set[str] = set()
    for page in ("findings.md", "past-defects.md", "compatibility.md", "security.md", "security-findings.md"):
        for line in (DOCS / page).read_text(encoding="utf-8").splitlines():
            found = TEST_ID.findall(line)
            assert found or not re.match(r"\| \d+ \|", line) or "later" in line, f"{page}: no test in {line}"
            named.update(found)
    missing = []
    for file, names in groupby(sorted(named), key=lambda test: test.partition("::")[0]):
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8")) if (ROOT / file).exists() else ast.parse("")
        # What pytest collects: functions at the top of a module, asynchronous ones too.
        there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        missing += [name for name in names if name.partition("::")[2] not in there]
    assert missing == []


def test_every_page_is_in_the_navigation() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = set(re.findall(r"[\w/-]+\.md", yaml.safe_dump(config["nav"])))
    assert {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} == listed


def test_each_line_of_the_security_page_names_its_place_and_its_test() -> None:
    """What is defended is true because a test holds it, and where it is done exists."""
    defended = (DOCS / "security.md").read_text(encoding="utf-8").partition("## What is defended")[2]
    rows = re.findall(
        r"^\| (.+?) \| (.+?) \| (.+?) \|$", defended.partition("## What is not defended")[0], re.MULTILINE
    )
    rows = [row for row in rows if row[0] not in ("what", "---")]
    assert len(rows) >= 25
    for what, where, held in rows:
        assert TEST_ID.findall(held), f"no test holds: {what}"
        for path in re.findall(r"`([\w/]+(?:\.py|/))`", where):
            assert (ROOT / "src" / path).exists() or (ROOT / "src" / "mxgateway_server" / path).exists(), path


def test_each_finding_of_the_attack_has_a_test_of_its_kind() -> None:
    """None is left out, and none is held by words alone."""
    page = (DOCS / "security-findings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([CHML]\d+) \| .+ \| (.+?) \|$", page, re.MULTILINE)
    expected = ["C1", *(f"{kind}{n}" for kind, last in (("H", 8), ("M", 16), ("L", 14)) for n in range(1, last + 1))]
    assert [name for name, _ in rows] == expected
    assert [name for name, held in rows if not TEST_ID.findall(held)] == []


def test_the_security_policy_leads_to_the_page() -> None:
    assert "(docs/security.md)" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
