"""One table of what a node may lack, for `doctor` and for `worker provision`: each tells one remedy, the right one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_node import DLL, PYTHON, FakeNode, about, program
from tests.unit.server.node.test_provision import Pip, lay

from mxgateway_server.errors import ConfigurationError
from mxgateway_server.node.doctor import examine
from mxgateway_server.node.facts import FileFacts, Registration, Run, Wanted
from mxgateway_server.node.findings import Level

WANTED = Wanted(PYTHON, "C:\\packages", "1.2.3", "C:\\state")
FINE = Run(0, json.dumps({"milliseconds": 11, "interface": 5}))


def with_python(head: bytes, size: int = 9, problem: str = "") -> dict[str, Any]:
    return {"files": {PYTHON: FileFacts(head, size, problem), DLL: FileFacts(program(), 9)}}


def with_dll(head: bytes) -> dict[str, Any]:
    return {"files": {PYTHON: FileFacts(program(), 9), DLL: FileFacts(head, 9)}}


def refused(step: str, hresult: int) -> dict[str, Any]:
    return {"activation": Run(1, json.dumps({"step": step, "hresult": hresult - (1 << 32), "text": ""}))}


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a node.

    Attributes:
        node: how it differs from a healthy one.
        check: the check of `doctor` that finds it, and a part of its one remedy.
        provision: a part of the remedy that `provision` tells; empty where it does not look, or puts it right.
    """

    name: str
    node: dict[str, Any] = field(default_factory=dict)
    check: str = ""
    remedy: str = ""
    provision: str = ""


FAULTS = (
    Fault("no Windows", {"is_windows": False}, "operating system", "on a System Platform node", "System Platform node"),
    Fault("64-bit Python", with_python(program(0x8664)), "worker's Python", "install a 32-bit Python", "name a 32-bit"),
    Fault("ARM Python", with_python(program(0xAA64)), "worker's Python", "install a 32-bit Python", "name a 32-bit"),
    Fault("app-execution alias", with_python(b"", 0), "worker's Python", "install a 32-bit Python", "name a 32-bit"),
    Fault("Python gone", {"files": {DLL: FileFacts(program(), 9)}}, "worker's Python", "correct worker.com_python",
          "correct the path"),
    Fault("no rights to Python", with_python(b"", 9, "Access is denied"), "worker's Python", "the right to read it",
          "the right to read it"),
    Fault("Python does not start", {"python": Run(3, "", "python313.dll is missing")}, "worker's Python", "repair it",
          "does not run (python313.dll is missing); repair it"),
    Fault("old Python", {"python": Run(0, about(version=[3, 10, 2]))}, "worker's Python", "install a newer one",
          "name a 32-bit Python 3.11"),
    Fault("no worker", {"python": Run(0, about(missing="mxgateway_worker"))}, "worker's Python", "worker provision"),
    Fault("wrong worker version", {"python": Run(0, about(worker="1.0"))}, "worker's Python", "worker provision"),
    Fault("missing class", {"registrations": {}}, "MXAccess", "install System Platform"),
    Fault("class in the wrong view", {"registrations": {64: Registration(DLL, "Apartment")}}, "MXAccess", "SysWOW64"),
    Fault("DLL gone", {"files": {PYTHON: FileFacts(program(), 9)}}, "MXAccess", "repair System Platform"),
    Fault("DLL of the wrong bitness", with_dll(program(0x8664)), "MXAccess", "repair System Platform"),
    Fault("refused licence", refused("AddItem", 0x80070005), "activation", "licence"),
    Fault("class refused", refused("CoCreateInstance", 0x80040154), "activation", "install or repair"),
    Fault("no service behind it", refused("Register", 0x800706BA), "activation", "event log"),
    Fault("LMXProxy crashes", {"activation": Run(3221225477)}, "activation", "event log"),
    Fault("LMXProxy hangs", {"activation": Run(None, "", "no end within 60 s")}, "activation", "event log"),
    Fault("secrets open to all", {"readers": ["Everyone"]}, "state directory", "icacls"),
    Fault("no rights to the state directory", {"readers": PermissionError(13, "denied")},
          "state directory", "as an administrator"),
)  # fmt: skip
BY_NAME = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)


@BY_NAME
def test_doctor_tells_one_remedy(fault: Fault) -> None:
    findings = list(examine(FakeNode(**{"activation": FINE, **fault.node}), WANTED))
    told = [finding for finding in findings if finding.remedy]
    assert [finding.check for finding in told] == [fault.check]
    assert fault.remedy in told[0].remedy
    assert told[0].level > Level.SKIPPED
    # Nothing else is called wrong that only follows from it.
    assert {finding.level for finding in findings if finding is not told[0]} <= {Level.OK, Level.SKIPPED}


@BY_NAME
def test_provision_tells_the_remedy_or_is_one(fault: Fault, tmp_path: Path) -> None:
    node = FakeNode(**fault.node)
    if not fault.provision:
        made = lay(node, tmp_path, Pip())
        assert made.com_python == PYTHON
        return
    with pytest.raises(ConfigurationError) as caught:
        lay(node, tmp_path, Pip())
    assert fault.provision in str(caught.value)
    assert not (tmp_path / "packages").exists()
