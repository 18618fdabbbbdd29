"""How workers of each backend are started."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from mxgateway_server.workers.launcher import WorkerPlan

SESSION = "session-" + "0" * 32
PLAN = WorkerPlan(
    backend="com",
    com_python="C:\\py32\\python.exe",
    options={"time": "local"},
    other_options={"simulator": {"galaxy": "g.db"}, "replay": {"file": "r.csv"}},
)


def options(line: list[str]) -> list[str]:
    return [line[at + 1] for at, part in enumerate(line) if part == "--option"]


def test_com_runs_on_its_own_python_and_the_others_on_this_one() -> None:
    assert PLAN.command_line(SESSION)[:4] == ["C:\\py32\\python.exe", "-P", "-m", "mxgateway_worker"]
    assert PLAN.for_backend("simulator").command_line(SESSION)[:4] == [sys.executable, "-P", "-m", "mxgateway_worker"]
    assert PLAN.for_backend("simulator").program == sys.executable


def test_where_the_worker_has_a_folder_of_its_own_no_accounts_packages_are_looked_at() -> None:
    plan = replace(PLAN, com_packages="C:\\packages")
    assert plan.command_line(SESSION)[:5] == ["C:\\py32\\python.exe", "-s", "-P", "-m", "mxgateway_worker"]
    assert plan.for_backend("simulator").command_line(SESSION)[:3] == [sys.executable, "-P", "-m"]


def test_a_command_serves_all_backends_but_com_where_that_has_a_python_of_its_own() -> None:
    plan = WorkerPlan(backend="simulator", command=("worker.sh", "x"))
    assert plan.command_line(SESSION)[:2] == ["worker.sh", "x"]
    assert plan.for_backend("com").command_line(SESSION)[:2] == ["worker.sh", "x"]


@pytest.mark.parametrize(
    ("backend", "expected"),
    [("com", ["time=local"]), ("simulator", ["galaxy=g.db"]), ("replay", ["file=r.csv"]), ("other", [])],
)
def test_each_backend_gets_its_own_options(backend: str, expected: list[str]) -> None:
    """The simulator's Galaxy would be refused by COM as an option that it does not have."""
    assert options(PLAN.for_backend(backend).command_line(SESSION)) == expected
    there_and_back = PLAN.for_backend(backend).for_backend("com")
    assert options(there_and_back.command_line(SESSION)) == ["time=local"]
