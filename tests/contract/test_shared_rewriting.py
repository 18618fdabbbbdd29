"""The processes of a run share the rewriting of asserts: a part each, nothing twice, in the way that pytest has it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from _pytest.assertion.rewrite import PYC_TAIL, _read_pyc
from tests.support.shared_rewriting import leave_bytecode, pytest_collection


class ConfigOfProcess:
    """The configuration of this run as one of several processes would have it."""

    def __init__(self, real: pytest.Config, arguments: list[str], process: dict[str, Any] | None) -> None:
        self._real = real
        self.args = arguments
        # Said in any case: the real one has one of its own where this run has several.
        self.workerinput = process

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five files with tests, and one without."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    for number in range(5):
        file = tmp_path / ("deeper" if number % 2 else "") / f"test_{number}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"def test_it():\n    assert {number} == {number}\n")
    (tmp_path / "support.py").write_text("")
    return tmp_path


def collect(config: pytest.Config, *arguments: str, process: dict[str, Any] | None) -> None:
    pytest_collection(SimpleNamespace(config=ConfigOfProcess(config, list(arguments), process)))  # type: ignore[arg-type]


def left_in(folder: Path) -> set[str]:
    return {file.name.removesuffix(PYC_TAIL) for file in folder.rglob(f"*{PYC_TAIL}")}


def test_each_process_leaves_a_part_and_together_they_leave_all(folder: Path, pytestconfig: pytest.Config) -> None:
    seen: set[str] = set()
    for number in range(3):
        collect(pytestconfig, str(folder), process={"workerid": f"gw{number}", "workercount": 3})
        new = left_in(folder) - seen
        assert 1 <= len(new) <= 2
        seen |= new
    assert seen == {f"test_{number}" for number in range(5)}


def test_what_is_left_is_what_pytest_looks_for_and_is_left_once(folder: Path, pytestconfig: pytest.Config) -> None:
    file = folder / "test_0.py"
    assert leave_bytecode(file, pytestconfig)
    code = _read_pyc(file, folder / "__pycache__" / f"test_0{PYC_TAIL}")
    assert code is not None
    assert "@pytest_ar" in code.co_names, "its asserts are rewritten"
    assert not leave_bytecode(file, pytestconfig)
    file.write_text("def test_it():\n    assert True\n")
    assert leave_bytecode(file, pytestconfig), "a changed file is rewritten again"


def test_only_what_is_asked_for_is_rewritten(folder: Path, pytestconfig: pytest.Config) -> None:
    process = {"workerid": "gw0", "workercount": 1}
    collect(pytestconfig, f"{folder}/test_2.py::test_it", str(folder / "not_there"), process=process)
    assert left_in(folder) == {"test_2"}


def test_a_process_alone_leaves_it_to_pytest(folder: Path, pytestconfig: pytest.Config) -> None:
    collect(pytestconfig, str(folder), process=None)
    assert left_in(folder) == set()


def test_where_bytecode_is_not_wanted_none_is_left(
    folder: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    collect(pytestconfig, str(folder), process={"workerid": "gw0", "workercount": 1})
    assert left_in(folder) == set()
