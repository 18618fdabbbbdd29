"""Tests on COM: a 32-bit Windows Python under Wine, with a stand-in for LMXProxy registered there.

`make test-wine` makes the lab and runs them; without it they are skipped, in CI's own run of them they fail.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contract.conftest import REFERENCES
from tests.wine.export_table import export

from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LAB = HERE / "lab"
RunWindowsPython = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.wine)
            if "MXGATEWAY_WINELAB" not in os.environ:
                item.add_marker(pytest.mark.skip(reason="needs Wine and the stand-in: make test-wine"))


def winpath(path: Path) -> str:
    """A path of this machine as Windows programs want it."""
    return "Z:" + str(path).replace("/", "\\")


@pytest.fixture(scope="session")
def galaxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("galaxy") / "reference.db"
    build_galaxy(read_description("reference"), path)
    return path


@pytest.fixture(scope="session")
def plant_table(galaxy: Path) -> Path:
    """The plant of the stand-in: what the shipped Galaxy `reference` has."""
    table = galaxy.with_name("plant.tsv")
    assert export(galaxy, galaxy.with_name("export-board.db"), REFERENCES["simulator"], table) > 400
    return table


@pytest.fixture
def windows_python(plant_table: Path) -> RunWindowsPython:
    """Runs the lab's Python with the project's code and the exported plant; `seconds` limits it."""

    def run(*arguments: str, seconds: str = "240", **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": f"{winpath(ROOT / 'src')};{winpath(ROOT)}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LMXSIM_TABLE": winpath(plant_table),
            **variables,
        }
        # Its standard streams must be pipes: with a file Python does not even start.
        return subprocess.run(
            ["wine", os.environ["WPYEXE"], *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            cwd=ROOT,
            timeout=float(seconds),
        )

    return run
