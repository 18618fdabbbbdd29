"""The lowest versions are what `pyproject.toml` says, and everything in it says one."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from tools.lowest_versions import lowest_versions

ROOT = Path(__file__).resolve().parents[3]
EXTRAS: dict[str, list[str]] = {
    name: [] for name in ("cli", "server", "sqlserver", "postgresql", "pandas", "tui", "fast")
}


def test_each_dependency_of_the_project_has_a_lower_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = lowest_versions(project)
    assert {"click==8.1", "PyYAML==6.0.1"} <= set(found)
    assert len(found) == len({line.partition("==")[0] for line in found})


def test_markers_and_the_project_itself_are_heeded() -> None:
    project = {
        "name": "p",
        "dependencies": ["a>=1,<2", "b[x]>=2.5; python_version >= '3'", "c>=1; python_version < '3'"],
        "optional-dependencies": {**EXTRAS, "cli": ["p[server]", "d~=3.1"]},
    }
    assert lowest_versions(project) == ["a==1", "b==2.5", "d==3.1"]


def test_a_dependency_without_a_lower_bound_is_refused() -> None:
    with pytest.raises(ValueError, match="a has no lower bound"):
        lowest_versions({"name": "p", "dependencies": ["a<2"], "optional-dependencies": EXTRAS})
