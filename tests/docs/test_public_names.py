"""Programs, examples and pages import public names only: every other module of the library may change at any time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from tests.support.code_blocks import ROOT, blocks, pages

PUBLIC = ("mxgateway", "mxgateway.sync", "mxgateway.testing", "mxgateway.testing.plugin")
GENERATED = "mxgateway.generated"
HOUSE = "mxgateway.house"
"""For the programs of this repository only."""

PROGRAMS = sorted((ROOT / "src" / "mxgateway_cli").rglob("*.py"))
EXAMPLES = sorted([*(ROOT / "examples").rglob("*.py"), *(ROOT / "tests" / "typing").rglob("*.py")])


def imported(source: str, where: str) -> Iterator[tuple[str, str, str]]:
    """Module and name of each import from the library; the name is empty where the module itself is imported."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "mxgateway":
            for each in node.names:
                yield str(node.module), each.name, f"{where}:{node.lineno}"
        elif isinstance(node, ast.Import):
            for each in node.names:
                if each.name.partition(".")[0] == "mxgateway":
                    yield each.name, "", f"{where}:{node.lineno}"


def private(module: str, name: str, allowed: tuple[str, ...]) -> bool:
    if module == GENERATED or module.startswith(f"{GENERATED}."):
        return False
    if module not in allowed:
        # `from mxgateway import testing` names a module, too.
        return f"{module}.{name}" not in allowed
    exported = getattr(import_module(module), "__all__", None)
    if not name or exported is None:
        return False
    return name not in exported and name != "generated" and f"{module}.{name}" not in allowed


def offences(sources: list[tuple[str, str]], allowed: tuple[str, ...]) -> list[str]:
    return [
        f"{place}: {module} {name}".rstrip()
        for where, source in sources
        for module, name, place in imported(source, where)
        if private(module, name, allowed)
    ]


@pytest.mark.parametrize("source", ["import mxgateway.replies", "from mxgateway.values import to_mx_value"])
def test_a_private_module_is_found(source: str) -> None:
    """The search of these tests sees what it is about."""
    assert len(offences([("here", source)], PUBLIC)) == 1
    assert offences([("here", "from mxgateway import GatewayClient, sync, generated")], PUBLIC) == []


def test_programs_use_public_names_and_those_of_the_house() -> None:
    """`mxgw-py` is one of the library's users; what else it needs is listed in mxgateway.house."""
    sources = [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in PROGRAMS]
    assert offences(sources, (*PUBLIC, HOUSE)) == []


def test_examples_and_typed_projects_use_public_names() -> None:
    """What people copy is public."""
    sources = [(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")) for path in EXAMPLES]
    assert offences(sources, PUBLIC) == []


def test_pages_use_public_names() -> None:
    """Likewise what the documentation shows."""
    shown = [(each.where, each.text) for page in pages() for each in blocks(page) if each.language == "python"]
    assert offences(shown, PUBLIC) == []


def test_each_name_of_the_house_is_used_by_a_program() -> None:
    """A name that no program needs any more goes."""
    used = {
        name
        for path in [*PROGRAMS, *sorted(Path(ROOT / "src" / "mxgateway" / "testing").rglob("*.py"))]
        for module, name, _ in imported(path.read_text(encoding="utf-8"), "")
        if module == HOUSE
    }
    assert used == set(import_module(HOUSE).__all__)
