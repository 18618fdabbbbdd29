"""The distribution as a user gets it: built, installed into a fresh environment, run outside the tree."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
USER_PROJECT = ROOT / "tests" / "typing" / "user_project"
PACKAGES = (
    "mxgateway",
    "mxgateway_contract",
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


def test_an_editable_install_builds_and_points_to_the_source(tmp_path: Path) -> None:
    """What `pip install -e .` runs: the backend takes the metadata and makes a wheel that leads to `src`."""
    subprocess.run(
        [sys.executable, "-c", f"import hatchling.build; hatchling.build.build_editable({str(tmp_path)!r})"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = tmp_path.glob("*.whl")
    archive = zipfile.ZipFile(built)
    (pointer,) = (name for name in archive.namelist() if name.endswith(".pth"))
    assert archive.read(pointer).decode().strip() == str(ROOT / "src")


def test_the_licence_is_an_spdx_expression_without_a_licence_classifier() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    assert not [c for c in project["classifiers"] if c.startswith("License ::")]


def test_the_wheel_holds_every_package_typed(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert "mxgateway_contract/generated/mxaccess_gateway_pb2.pyi" in names
    assert "mxgateway/generated/mxaccess_gateway_pb2.py" in names
    assert not [n for n in names if n.startswith(("tests/", "benches/", "tools/"))]


def test_the_wheel_holds_every_file_of_the_dashboard_and_its_bundle_is_small(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    folder = "mxgateway_server/dashboard/static/"
    manifest = json.loads(archive.read(folder + "manifest.json"))
    there = {
        name.removeprefix(folder): archive.getinfo(name).file_size for name in archive.namelist() if folder in name
    }
    assert {*manifest["files"], "manifest.json"} == set(there)
    assert set(manifest["entry"].values()) <= set(there)
    assert sum(there.values()) <= 220_000
    script = archive.read(folder + manifest["entry"]["script"]).decode()
    assert "sourceMappingURL" not in script


def test_the_lock_file_of_the_scripts_names_no_place_to_load_from() -> None:
    lock = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]


def test_the_base_install_needs_only_grpc_protobuf_and_click(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    required = [
        line.split(":", 1)[1].strip()
        for line in archive.read(metadata).decode().splitlines()
        if line.startswith("Requires-Dist:") and "extra ==" not in line
    ]
    assert sorted(r.split(">")[0].split("<")[0] for r in required) == ["click", "grpcio", "protobuf"]


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment with the wheel in it, as a user gets it without an extra."""
    environment = tmp_path_factory.mktemp("fresh") / "environment"
    # With a pip of its own it would be no other environment, and take twice as long.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=60)
    programs = environment / ("Scripts" if sys.platform == "win32" else "bin")
    install(programs, str(wheel))
    return programs


def install(programs: Path, package: str) -> None:
    for _attempt in range(3):
        installed = subprocess.run(
            [
                *(sys.executable, "-m", "pip", "--python", str(programs / "python")),
                *("install", "--quiet", "--no-compile", "--disable-pip-version-check", "--retries", "5"),
                *("-c", str(ROOT / "constraints.txt"), package),
            ],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        if installed.returncode == 0:
            break
    assert installed.returncode == 0, installed.stderr


@pytest.fixture
def user_project(scripts: Path, tmp_path: Path) -> Path:
    """A user's project outside the tree, beside an environment with the stubs that mypy needs for protobuf."""
    install(scripts, "types-protobuf")
    return Path(shutil.copytree(USER_PROJECT, tmp_path / "project"))


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_wheel_installs_in_a_fresh_environment_and_its_client_runs_there(scripts: Path, tmp_path: Path) -> None:
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


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("command", [("mxgateway", "serve"), ("mxgw-py", "demo")], ids=" ".join)
def test_without_the_servers_packages_the_remedy_is_named(
    scripts: Path, tmp_path: Path, command: tuple[str, str]
) -> None:
    """The base install is the client; what needs the gateway says what to install, without a traceback."""
    program, *arguments = command
    result = subprocess.run(
        [str(scripts / program), *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 1
    assert re.search(r"pip install .*\[server\]", result.stderr)
    assert "Traceback" not in result.stderr


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_users_project_is_clean_under_mypy_strict(scripts: Path, user_project: Path) -> None:
    """Against the installed wheel; its file of mistakes shows that the types are really seen."""
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict", "--python-executable", str(scripts / "python")),
            *("--cache-dir", str(user_project.parent / "cache"), "."),
        ],
        cwd=user_project,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_users_project_is_clean_under_pyright_strict(scripts: Path, user_project: Path) -> None:
    """Against the installed wheel; its file of mistakes shows that the types are really seen."""
    strict = {"typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": "error"}
    (user_project / "pyrightconfig.json").write_text(json.dumps(strict), encoding="utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", str(scripts / "python"), "."],
        cwd=user_project,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_wheel_of_the_source_distribution_has_the_same_files(wheel: Path, tmp_path: Path) -> None:
    """What is published as source builds the same package."""
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run([*build, "--sdist", str(ROOT)], check=True, capture_output=True, timeout=120)
    (source,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = (each for each in tmp_path.iterdir() if each.is_dir())
    subprocess.run([*build, "--wheel", str(tree)], check=True, capture_output=True, timeout=120)
    (built,) = tmp_path.glob("*.whl")
    assert built.name == wheel.name
    assert sorted(zipfile.ZipFile(built).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())
