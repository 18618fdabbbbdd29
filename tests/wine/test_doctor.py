"""`doctor` and `worker provision` with a true 32-bit Windows Python and the registered stand-in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.wine.conftest import ROOT, winpath

from mxgateway_server import __version__
from mxgateway_server.node.doctor import examine
from mxgateway_server.node.facts import FileFacts, Registration, Run, Wanted
from mxgateway_server.node.findings import Level
from mxgateway_server.node.provision import provision
from mxgateway_server.node.windows import ThisMachine

pytestmark = pytest.mark.timeout(240)


class WineMachine(ThisMachine):
    """This machine's files, programs through Wine, and the stand-in in the registry."""

    def __init__(self, **variables: str) -> None:
        self._variables = variables

    @property
    def is_windows(self) -> bool:
        return True

    def file(self, path: str) -> FileFacts:
        file = Path(path)
        return FileFacts(file.read_bytes()[:4096], file.stat().st_size) if file.exists() else FileFacts()

    def registration(self, class_id: str, bits: int) -> Registration | None:
        return Registration(os.environ["LMXSIM_DLL"], "Apartment") if bits == 32 else None

    def run(self, program: str, *arguments: str, variables: dict[str, str], seconds: float) -> Run:
        paths = {name: winpath(Path(value)) for name, value in variables.items()}
        done = subprocess.run(
            ["wine", program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, **paths, **self._variables},
            timeout=seconds,
        )
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        return Run(done.returncode, done.stdout.decode(errors="replace"), lines[-1] if lines else "")

    def others_may_read(self, directory: str) -> list[str]:
        return []


def pip(arguments: Sequence[str]) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], check=True)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worker's packages, laid as an operator would have it, from a folder of wheels."""
    target = tmp_path_factory.mktemp("worker32")
    made = provision(
        WineMachine(),
        target,
        python=os.environ["WPYEXE"],
        embeddable=None,
        wheels=str(Path(os.environ["MXGATEWAY_WINELAB"]) / "wheels"),
        registered=(),
        pip=pip,
    )
    assert made.version == "3.11"
    return Path(made.com_packages)


def wanted(packages: Path, tag: str = "") -> Wanted:
    return Wanted(os.environ["WPYEXE"], str(packages), __version__, str(ROOT), tag)


def test_a_provisioned_python_and_the_stand_in_are_a_healthy_node(packages: Path, plant_table: Path) -> None:
    machine = WineMachine(LMXSIM_TABLE=winpath(plant_table))
    findings = {one.check: one for one in examine(machine, wanted(packages, "TestChildObject.TestInt"))}
    assert {one.level for one in findings.values()} == {Level.OK}, findings
    assert "ILMXProxyServer5" in findings["activation"].found
    assert "quality 192" in findings["first value"].found
    assert "value VT_I4, time VT_DATE" in findings["first value"].found
    assert "upb" not in findings["worker's Python"].remedy


def test_a_misspelt_tag_is_told_as_one(packages: Path, plant_table: Path) -> None:
    machine = WineMachine(LMXSIM_TABLE=winpath(plant_table))
    findings = {one.check: one for one in examine(machine, wanted(packages, "No.Such"))}
    assert findings["first value"].level is Level.WARNING
    assert "category 4, detail 6" in findings["first value"].found


REFUSED = [
    # How a missing run-time licence shows; the class gone between the look into the registry and the call; no services.
    ("@licence\tnone\n", {}, "AddItem fails with 0x80070005", "licence"),
    ("", {"LMXSIM_INSTALLED": "no"}, "CoCreateInstance fails with 0x80040154", "install or repair"),
    ("", {"LMXSIM_CONTROL": "rpc_down"}, "Register fails with 0x800706BA", "event log"),
]


@pytest.mark.parametrize(("table", "variables", "text", "remedy"), REFUSED, ids=["licence", "class", "services"])
def test_what_mxaccess_refuses_is_told_as_what_it_is(
    packages: Path, tmp_path: Path, table: str, variables: dict[str, str], text: str, remedy: str
) -> None:
    (tmp_path / "plant.tsv").write_text(table)
    machine = WineMachine(LMXSIM_TABLE=winpath(tmp_path / "plant.tsv"), **variables)
    findings = {one.check: one for one in examine(machine, wanted(packages))}
    assert findings["activation"].level is Level.ERROR
    assert text in findings["activation"].found
    assert remedy in findings["activation"].remedy
