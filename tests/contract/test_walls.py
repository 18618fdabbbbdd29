"""The walls between packages and rooms: each contract of pyproject.toml is broken once, in a copy, and says so."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.support.code_blocks import ROOT

PYPROJECT = ROOT / "pyproject.toml"
CONTRACTS = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
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


def lint(tree: Path) -> tuple[int, str]:
    """Exit code and output of `lint-imports`, on one line."""
    program = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "COLUMNS": "200", "NO_COLOR": "1"}
    command = [str(program), "--no-cache", "--config", "pyproject.toml"]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=50)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


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
def test_a_breach_is_told_by_its_contract(copy: Path, beginning: str) -> None:
    file, imported = BREACHES[beginning]
    path = copy / "src" / file
    before = path.read_text(encoding="utf-8")
    try:
        path.write_text(f"{before}\nimport {imported}\n", encoding="utf-8")
        code, output = lint(copy)
    finally:
        path.write_text(before, encoding="utf-8")
    assert code == 1
    assert f"{contract_of(beginning)} BROKEN" in re.sub(r"\x1b\[[0-9;]*m", "", output)


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
