"""Memory of a worker: a limit of its process, beside it a control group where one is delegated to the gateway."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mxgateway_server.workers.containment import ProcessGroups
from mxgateway_server.workers.exits import is_out_of_memory

if sys.platform != "linux":
    pytest.skip("Linux", allow_module_level=True)

import resource

from mxgateway_server.workers.cgroups import WorkerGroups, delegated_groups

MIB = 2**20


def test_a_process_that_is_adopted_gets_the_limit_and_so_does_what_it_starts() -> None:
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        ProcessGroups().adopt(process.pid)
        before = resource.prlimit(process.pid, resource.RLIMIT_DATA)
        ProcessGroups(memory=100 * MIB).adopt(process.pid)
        assert resource.prlimit(process.pid, resource.RLIMIT_DATA) == (100 * MIB, 100 * MIB) != before
        assert process.stdin is not None
        process.stdin.close()
    with pytest.raises(ProcessLookupError):
        ProcessGroups(memory=100 * MIB).adopt(process.pid)


@pytest.mark.parametrize(("code", "is_it"), [(10, True), (0xC0000017, True), (1, False), (-9, False), (None, False)])
def test_the_exit_code_says_whether_memory_was_the_cause(code: int | None, is_it: bool) -> None:
    assert is_out_of_memory(code) is is_it


def tree(tmp_path: Path, *, table: str = "0::/service\n", controllers: str = "cpu memory pids") -> tuple[Path, Path]:
    """A table and a root as the system shows them; plain files, so what is written stays to be looked at."""
    root = tmp_path / "cgroup"
    (root / "service").mkdir(parents=True)
    (root / "service" / "cgroup.controllers").write_text(controllers)
    shown = tmp_path / "table"
    shown.write_text(table)
    return shown, root


@pytest.fixture
def delegated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getxattr", lambda *_: b"1")


@pytest.mark.usefixtures("delegated")
def test_a_worker_gets_a_group_of_its_own_and_the_gateway_moves_out_of_the_way(tmp_path: Path) -> None:
    table, root = tree(tmp_path)
    groups = delegated_groups(64 * MIB, table=table, root=root)
    assert groups is not None
    assert (root / "service" / "gateway" / "cgroup.procs").read_text() == str(os.getpid())
    assert (root / "service" / "cgroup.subtree_control").read_text() == "+memory"
    groups.adopt(77)
    group = root / "service" / "worker-77"
    written = {name: (group / name).read_text() for name in ("memory.max", "memory.oom.group", "cgroup.procs")}
    assert written == {"memory.max": str(64 * MIB), "memory.oom.group": "1", "cgroup.procs": "77"}


@pytest.mark.usefixtures("delegated")
def test_the_next_program_of_the_process_finds_the_groups_of_the_one_before(tmp_path: Path) -> None:
    table, root = tree(tmp_path)
    first = delegated_groups(64 * MIB, table=table, root=root)
    assert first is not None
    first.adopt(77)
    table.write_text("0::/service/gateway\n")
    (root / "service" / "worker-77" / "memory.events").write_text("oom_kill 1\n")
    second = delegated_groups(64 * MIB, table=table, root=root)
    assert second is not None
    assert second.ran_out(77)
    assert not (root / "service" / "gateway" / "gateway").exists()


@pytest.mark.parametrize(
    ("table", "controllers"),
    [
        ("0::/service\n1:memory:/x\n", "cpu memory"),
        ("1:memory:/x\n", "cpu memory"),
        ("0::/service\n", "cpu pids"),
        ("0::/elsewhere\n", "cpu memory"),
    ],
    ids=["not version 2 alone", "version 1", "memory is not handed on", "no such group"],
)
@pytest.mark.usefixtures("delegated")
def test_without_what_it_takes_there_are_no_groups(tmp_path: Path, table: str, controllers: str) -> None:
    shown, root = tree(tmp_path, table=table, controllers=controllers)
    assert delegated_groups(64 * MIB, table=shown, root=root) is None
    assert not (root / "service" / "gateway").exists()


def test_a_group_that_nobody_delegated_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_attribute(*_: object) -> bytes:
        raise OSError(61, "no data available")

    monkeypatch.setattr(os, "getxattr", no_attribute)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    table, root = tree(tmp_path)
    assert delegated_groups(64 * MIB, table=table, root=root) is None
    assert not (root / "service" / "gateway").exists()


@pytest.mark.parametrize(("events", "ran_out"), [("low 0\noom 1\noom_kill 1\n", True), ("oom 3\noom_kill 0\n", False)])
def test_the_group_tells_whether_the_system_ended_the_worker(tmp_path: Path, events: str, ran_out: bool) -> None:
    groups = WorkerGroups(tmp_path, 64 * MIB)
    assert not groups.ran_out(77)
    (tmp_path / "worker-77").mkdir()
    (tmp_path / "worker-77" / "memory.events").write_text(events)
    assert groups.ran_out(77) is ran_out


def test_a_group_is_given_back_when_its_worker_has_ended(tmp_path: Path) -> None:
    groups = WorkerGroups(tmp_path, 64 * MIB)
    (tmp_path / "worker-77").mkdir()
    groups.release(77)
    assert not (tmp_path / "worker-77").exists()
    groups.release(77)
