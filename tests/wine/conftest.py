"""Tests on COM: a 32-bit Windows Python under Wine, with a stand-in for LMXProxy registered there.

`make test-wine` makes the lab and runs them; without it they are skipped, in CI's own run of them they fail.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from tests.contract.conftest import REFERENCES
from tests.support.shared_gateway import shared_gateway
from tests.wine.export_table import export

from mxgateway import ClientOptions, GatewayClient, Session
from mxgateway.testing import LocalGateway
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LAB = HERE / "lab"
RunWindowsPython = Callable[..., "subprocess.CompletedProcess[str]"]


LONGEST_FIRST = ("test_workers.py", "test_gateway.py", "test_storm.py", "test_windows_gateway.py", "test_in_process.py")
"""Files by their time: two processes share them, a file each at a time, and should end together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.wine)
            if "MXGATEWAY_WINELAB" not in os.environ:
                item.add_marker(pytest.mark.skip(reason="needs Wine and the stand-in: make test-wine"))
    order = {HERE / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


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


@pytest.fixture(scope="session")
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


def configuration(folder: Path, table: Path, **stand_in: str) -> Path:
    """Settings of a gateway over COM workers."""
    variables = [f"{name}={value}" for name, value in {"LMXSIM_TABLE": winpath(table), **stand_in}.items()]
    lab = f"MXGATEWAY_WINELAB={os.environ['MXGATEWAY_WINELAB']}"
    command = [str(LAB / "worker.sh"), str(ROOT / "src"), lab, *variables, "--"]
    file = folder / "gateway.toml"
    file.write_text(
        f"""
[worker]
backend = "com"
command = {json.dumps(command)}
pool_size = 1
allowed_backend_options = ["time"]
startup_timeout_seconds = 60
heartbeat_interval_seconds = 0.5
heartbeat_grace_seconds = 3
heartbeat_stuck_ceiling_seconds = 8
shutdown_timeout_seconds = 2
"""
    )
    return file


@pytest.fixture(scope="session")
def gateway(plant_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalGateway]:
    """A gateway of this machine over COM workers that see one plant."""
    folder = tmp_path_factory.mktemp("com-gateway")
    settings = configuration(folder, plant_table, LMXSIM_BOARD=winpath(folder / "plant.board"))
    with shared_gateway(arguments=["--config", str(settings), "--allow-fault-injection"]) as running:
        yield running


@pytest.fixture
async def client(gateway: LocalGateway) -> AsyncIterator[GatewayClient]:
    options = ClientOptions(endpoint=gateway.endpoint, api_key=gateway.api_key, ca_file=gateway.ca_file)
    async with asyncio.timeout(120), await GatewayClient.connect(options) as connected:
        yield connected


@pytest.fixture
async def session(client: GatewayClient) -> AsyncIterator[Session]:
    async with await client.open_session(client_session_name="on COM") as opened:
        yield opened
