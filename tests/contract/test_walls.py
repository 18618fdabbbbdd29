"""The walls between packages and rooms: each contract of pyproject.toml is broken once, in a copy, and says so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import grimp
import pytest
from tests.support.code_blocks import ROOT

PYPROJECT = ROOT / "pyproject.toml"
_LINTER = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]
PACKAGES = _LINTER["root_packages"]
CONTRACTS = _LINTER["contracts"]
NAMES = [contract["name"] for contract in CONTRACTS]

BREACHES: dict[str, tuple[str, str]] = {
    "the contract is the ground floor": ("mxgateway_contract/status.py", "mxgateway_protocol.wire"),
    "the contract decides": ("mxgateway_contract/references.py", "time"),
    "the client library stands alone": ("mxgateway/quality.py", "mxgateway_protocol.wire"),
    "the CLI sees only the client library": ("mxgateway_cli/output.py", "mxgateway_server.errors"),
    "the pipe's shared part needs protobuf": ("mxgateway_protocol/clock.py", "structlog"),
    "the simulator knows neither worker nor gateway": ("mxgateway_simulator/places.py", "mxgateway_worker.items"),
    "the worker runs on protobuf and pure Python": ("mxgateway_worker/executor.py", "asyncio"),
    "what a worker loads of the simulator": ("mxgateway_simulator/plant/tags.py", "sqlalchemy"),
    "the simulator's floors": ("mxgateway_simulator/plant/tags.py", "mxgateway_simulator.lmx.items"),
    "the gateway's deciders": ("mxgateway_server/events/hub.py", "time"),
    "the pipe's shared part decides": ("mxgateway_protocol/frames.py", "socket"),
    "the simulator's deciders": ("mxgateway_simulator/lmx/coercion.py", "logging"),
    "the worker's deciders": ("mxgateway_worker/items.py", "threading"),
    "the client's deciders": ("mxgateway/change_queue.py", "asyncio"),
    "nobody needs the client": ("mxgateway_server/rpc/opening.py", "mxgateway.values"),
    "the gateway's floors": ("mxgateway_server/sessions/table.py", "mxgateway_server.commands.checks"),
    "the alarm list knows no messages": ("mxgateway_server/alarms/book.py", "google.protobuf.message"),
    "the Galaxy knows none of its neighbours": ("mxgateway_server/galaxy/lanes.py", "mxgateway_server.events"),
}
"""Beginning of a contract's name, a file, and what that file may not import."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources and their contracts; generated code is left out but for its place."""
    tree = tmp_path_factory.mktemp("walls")
    shutil.copytree(ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("__pycache__", "*_pb2*"))
    shutil.copy(PYPROJECT, tree)
    return tree


@pytest.fixture(scope="module")
def told_of_breaches(copy: Path) -> tuple[int, str]:
    """What is said of a copy with every breach at once: one for each would read all sources as many times."""
    added: dict[str, list[str]] = {}
    for file, imported in BREACHES.values():
        added.setdefault(file, []).append(imported)
    before = {file: (copy / "src" / file).read_text(encoding="utf-8") for file in added}
    try:
        for file, names in added.items():
            lines = "\n".join(f"import {name}" for name in names)
            (copy / "src" / file).write_text(f"{before[file]}\n{lines}\n", encoding="utf-8")
        return lint(copy)
    finally:
        for file, text in before.items():
            (copy / "src" / file).write_text(text, encoding="utf-8")


def lint(tree: Path) -> tuple[int, str]:
    """Exit code and output of `lint-imports`, on one line."""
    program = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "COLUMNS": "200", "NO_COLOR": "1"}
    command = [str(program), "--no-cache", "--config", "pyproject.toml"]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=50)
    output = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    return done.returncode, " ".join(output.split())


def part_of(contract: str, output: str) -> str:
    """What the report's second half says of one contract."""
    _, separator, details = output.partition(" Broken contracts ")
    assert separator, output
    places = sorted((details.index(f"{name} ---"), name) for name in NAMES if f"{name} ---" in details)
    ((begin, end),) = [
        (at, after) for (at, name), (after, _) in pairwise([*places, (len(details), "")]) if name == contract
    ]
    return details[begin:end]


def contract_of(beginning: str) -> str:
    (name,) = (each for each in NAMES if each.startswith(beginning))
    return name


@pytest.mark.slow
def test_the_copy_keeps_every_contract(copy: Path) -> None:
    code, output = lint(copy)
    assert (code, "0 broken" in output) == (0, True), output


def test_every_contract_has_a_breach() -> None:
    assert sorted(map(contract_of, BREACHES)) == sorted(NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("beginning", BREACHES)
def test_a_breach_is_told_by_its_contract(told_of_breaches: tuple[int, str], beginning: str) -> None:
    """Broken is not enough, since another's breach may be what broke it: its own part of the report names its own."""
    file, imported = BREACHES[beginning]
    importing = file.removesuffix(".py").replace("/", ".")
    # Of packages that are not ours only the outermost is known.
    name = imported if imported.startswith("mxgateway") else imported.partition(".")[0]
    code, output = told_of_breaches
    assert code == 1
    assert f"{contract_of(beginning)} BROKEN" in output
    assert f"{importing} -> {name} (l." in part_of(contract_of(beginning), output)


@pytest.mark.slow
def test_a_new_room_of_the_gateway_needs_its_floor(copy: Path) -> None:
    room = copy / "src" / "mxgateway_server" / "attic.py"
    try:
        room.write_text("", encoding="utf-8")
        code, output = lint(copy)
    finally:
        room.unlink()
    assert code == 1
    assert "mxgateway_server.attic" in output


def circle(needed: Mapping[str, Iterable[str]]) -> list[str]:
    """Modules of which each needs the next and the last the first; empty where there are none."""
    try:
        TopologicalSorter(needed).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_no_modules_need_each_other() -> None:
    """Imports within functions, and those for types only, count like all others."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    needed = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(needed) > 600
    assert circle(needed) == []
    assert len(circle({**needed, "mxgateway_server.rpc.errors": {"mxgateway_server.rpc.guard"}})) > 2
