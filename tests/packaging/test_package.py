"""The distribution as a user gets it: built, installed into a fresh environment, run outside the tree."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "mxgateway",
    "mxgateway_cli",
    "mxgateway_protocol",
    "mxgateway_simulator",
    "mxgateway_worker",
    "mxgateway_server",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the real build backend."""
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = target.glob("*.whl")
    return built


def test_the_licence_is_an_spdx_expression_without_a_licence_classifier() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    assert not [c for c in project["classifiers"] if c.startswith("License ::")]


def test_the_wheel_holds_every_package_typed(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert "mxgateway/generated/mxaccess_gateway_pb2.pyi" in names
    assert not [n for n in names if n.startswith(("tests/", "benches/", "tools/"))]


def test_the_base_install_needs_only_grpc_protobuf_and_click(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    required = [
        line.split(":", 1)[1].strip()
        for line in archive.read(metadata).decode().splitlines()
        if line.startswith("Requires-Dist:") and "extra ==" not in line
    ]
    assert sorted(r.split(">")[0].split("<")[0] for r in required) == ["click", "grpcio", "protobuf"]


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_wheel_installs_in_a_fresh_environment_and_its_client_runs_there(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True, timeout=60)
    scripts = environment / ("Scripts" if sys.platform == "win32" else "bin")
    for _attempt in range(3):
        installed = subprocess.run(
            [
                str(scripts / "python"),
                *("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "5"),
                *("-c", str(ROOT / "constraints.txt"), str(wheel)),
            ],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        if installed.returncode == 0:
            break
    assert installed.returncode == 0, installed.stderr
    result = subprocess.run(
        [str(scripts / "mxgw-py"), "version", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    version = json.loads(result.stdout)
    assert version["gatewayProtocolVersion"] == 3
    assert version["workerProtocolVersion"] == 1
