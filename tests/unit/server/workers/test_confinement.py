"""What is told of the workers' sandbox: part by part, and honest."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mxgateway_server.errors import ConfigurationError
from mxgateway_server.workers import confinement as module
from mxgateway_server.workers.confinement import PARTS, confinement, require
from mxgateway_server.workers.launcher import WorkerPlan
from mxgateway_worker.sandbox import Laid

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no sandbox on Windows")


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "probe", Laid)


def plan(folder: Path, mode: str = "required", **more: object) -> WorkerPlan:
    options = {"board": str(folder / "p.board.db")}
    return WorkerPlan(backend="simulator", sandbox=mode, options=options, **more)  # type: ignore[arg-type]


def test_all_is_in_force_where_the_kernel_has_it_all(tmp_path: Path, kernel: None) -> None:
    found = confinement(plan(tmp_path / "state" / "galaxy"), [tmp_path / "state"])
    require(found)
    assert [name for name, _, why in found.table if not why] == list(PARTS)
    line = plan(tmp_path).command_line("s")
    assert line[line.index("--sandbox") + 1] == "required"


def test_a_galaxy_beside_the_keys_shows_them_and_is_refused_where_it_must_not_be(tmp_path: Path, kernel: None) -> None:
    found = confinement(plan(tmp_path), [tmp_path / "state"])
    assert list(found.missing) == ["state directory"]
    with pytest.raises(ConfigurationError, match=r"state directory .*put the Galaxy into a folder of its own"):
        require(found)
    require(confinement(plan(tmp_path, "auto"), [tmp_path / "state"]))


def test_a_kernel_without_landlock_keeps_a_worker_from_the_network_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "probe", lambda: Laid(files="none", programs="none"))
    found = confinement(plan(tmp_path / "g"), [tmp_path / "state"])
    assert set(found.missing) == {"files", "programs", "state directory"}


@pytest.mark.parametrize("case", ["off", "another program"])
def test_what_is_not_asked_for_is_not_claimed(tmp_path: Path, kernel: None, case: str) -> None:
    made = plan(tmp_path, "off") if case == "off" else plan(tmp_path, "auto", command=("worker.exe",))
    found = confinement(made, [])
    assert set(found.missing) == set(PARTS) - {"environment"}
    assert "--sandbox" not in made.command_line("s")
