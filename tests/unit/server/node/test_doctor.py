"""What `mxgateway doctor` finds on nodes that lack something: each has one clear remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from tests.support.fake_node import DLL, PYTHON, FakeNode, about, program

from mxgateway_server.cli.main import main
from mxgateway_server.node.doctor import examine
from mxgateway_server.node.facts import FileFacts, Registration, Run, Wanted
from mxgateway_server.node.findings import Finding, Level, exit_code

WANTED = Wanted(PYTHON, "C:\\packages", "1.2.3", "C:\\state", "Tank.Level")


def found(node: FakeNode, wanted: Wanted = WANTED) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(node, wanted)}


def activation(**told: Any) -> Run:
    return Run(1 if "hresult" in told else 0, "noise of a DLL\n" + json.dumps(told) + "\n")


GOOD_TAG = {"success": True, "category": 0, "detail": 0, "quality": 192, "milliseconds": 40}


def test_a_healthy_node_has_nothing_to_be_done() -> None:
    node = FakeNode(activation=activation(milliseconds=11, interface=5, tag=GOOD_TAG))
    findings = list(examine(node, WANTED))
    assert [finding.level for finding in findings] == [Level.OK] * len(findings)
    assert all(not finding.remedy for finding in findings)
    assert exit_code(findings) == 0
    assert "3.2.0.0" in found(node)["MXAccess"].found
    assert "ILMXProxyServer5" in found(node)["activation"].found


@pytest.mark.parametrize(
    "told", [activation(milliseconds=11, interface=5), activation(step="AddItem", hresult=-2147024891, text="")]
)
def test_who_asked_mxaccess_is_told_for_the_service_may_be_another(told: Run) -> None:
    wanted = Wanted(PYTHON, "C:\\packages", "1.2.3", "C:\\state")
    assert "; asked as PLANT\\admin" in found(FakeNode(activation=told), wanted)["activation"].found
    assert "asked as" not in found(FakeNode(activation=told, account=""), wanted)["activation"].found


BAD: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("no python set", {}, "worker's Python", "worker.com_python is not set", "worker provision"),
    ("python gone", {"files": {}}, "worker's Python", "is not there", "worker.com_python"),
    ("64-bit python", {"files": {PYTHON: FileFacts(program(0x8664), 9)}}, "worker's Python", "is 64-bit", "32-bit"),
    ("ARM python", {"files": {PYTHON: FileFacts(program(0xAA64), 9)}}, "worker's Python", "ARM", "32-bit Python"),
    ("alias", {"files": {PYTHON: FileFacts(b"", 0)}}, "worker's Python", "app-execution alias", "32-bit Python"),
    ("no rights", {"files": {PYTHON: FileFacts(b"", 9, "Access denied")}}, "worker's Python", "Access denied", "right"),
    ("no program", {"files": {PYTHON: FileFacts(b"#!/bin/sh", 9)}}, "worker's Python", "no Windows", "provision"),
    ("does not run", {"python": Run(3, "", "python313.dll is missing")}, "worker's Python", "python313.dll", "repair"),
    ("lacks a DLL", {"python": Run(0xC0000135)}, "worker's Python", "0xC0000135, a DLL is missing", "repair"),
    ("ends at once", {"python": Run(1)}, "worker's Python", "exit code 1", "repair"),
    ("too old", {"python": Run(0, about(version=[3, 10, 2]))},
     "worker's Python", f"{PYTHON} is Python 3.10.2", "newer"),
    ("no packages", {"python": Run(0, about(missing="google"))}, "worker's Python", "lacks protobuf", "provision"),
    ("other version", {"python": Run(0, about(worker="1.0"))},
     "worker's Python", "in C:\\packages is version 1.0, the gateway 1.2", "provision"),
    ("no class", {"registrations": {}}, "MXAccess", "not registered", "install System Platform"),
    ("wrong view", {"registrations": {64: Registration(DLL)}},
     "MXAccess", "64-bit programs only", f'regsvr32.exe "{DLL}"'),
    ("DLL gone", {"registrations": {32: Registration("C:\\gone.dll")}}, "MXAccess", "gone.dll is not there", "repair"),
    ("no licence", {"activation": activation(step="AddItem", hresult=-2147024891, text="denied")}, "activation",
     "AddItem fails with 0x80070005: denied", "licence"),
    ("class refused", {"activation": activation(step="CoCreateInstance", hresult=-2147221164, text="")}, "activation",
     "0x80040154", "repair System Platform"),
    ("another failure", {"activation": activation(step="Register", hresult=-2147467259, text="x")}, "activation",
     "Register fails with 0x80004005", "event log"),
    ("hangs", {"activation": Run(None, "", "no end within 60 s")}, "activation", "no end within 60 s", "event log"),
    ("crashes", {"activation": Run(3221225477)}, "activation", "exit code 0xC0000005, access violation", "event log"),
    ("open to all", {"readers": ["Everyone", "Users"]}, "state directory", "Everyone, Users", "icacls"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "changes", "check", "text", "remedy"), BAD, ids=[row[0] for row in BAD])
def test_what_is_wrong_is_an_error_with_a_remedy(
    name: str, changes: dict[str, Any], check: str, text: str, remedy: str
) -> None:
    files = changes.get("files")
    if files is not None and PYTHON in files:
        changes = {**changes, "files": {DLL: FileFacts(program(), 9), **files}}
    wanted = Wanted("", "", "1.2.3", "C:\\state") if name == "no python set" else WANTED
    findings = found(FakeNode(**changes), wanted)
    assert findings[check].level is Level.ERROR
    assert text in findings[check].found
    assert remedy in findings[check].remedy
    assert exit_code(list(findings.values())) == 2
    assert sum(finding.level is Level.ERROR for finding in findings.values()) == 1 or name == "python gone"


def test_a_dll_of_the_wrong_bitness_is_told() -> None:
    node = FakeNode(files={PYTHON: FileFacts(program(), 9), DLL: FileFacts(program(0x8664), 9)})
    assert "is 64-bit, not 32-bit" in found(node)["MXAccess"].found


def test_what_stands_on_a_failed_check_is_left_out() -> None:
    node = FakeNode(registrations={})
    assert found(node)["activation"].level is Level.SKIPPED
    assert not [run for run in node.runs if "mxgateway_worker.backends.com.probe" in run]


WARNINGS: list[tuple[dict[str, Any], str, str]] = [
    ({"bits": 32}, "gateway", "32-bit Python"),
    ({"python": Run(0, about(implementation="python"))}, "worker's Python", "30 times slower"),
    ({"registrations": {32: Registration(DLL, "Both")}}, "MXAccess", "ThreadingModel is Both"),
    ({"activation": activation(milliseconds=1, interface=5, tag=None)}, "first value", "nothing came in time"),
    ({"activation": activation(milliseconds=1, interface=5, tag={**GOOD_TAG, "success": False, "detail": 6})},
     "first value", "category 0, detail 6"),
    ({"readers": PermissionError(13, "denied")}, "state directory", "denied"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "check", "text"), WARNINGS)
def test_what_works_but_not_well_is_a_warning(changes: dict[str, Any], check: str, text: str) -> None:
    node = FakeNode(**{"activation": activation(milliseconds=1, interface=5, tag=GOOD_TAG), **changes})
    findings = found(node)
    assert findings[check].level is Level.WARNING
    assert text in findings[check].found
    assert findings[check].remedy
    assert exit_code(list(findings.values())) == 1


def test_elsewhere_than_on_windows_it_says_what_does_not_apply() -> None:
    findings = list(examine(FakeNode(is_windows=False), WANTED))
    assert findings[0].level is Level.NOTE
    assert "not Windows" in findings[0].found
    assert {finding.level for finding in findings[1:]} == {Level.SKIPPED}
    assert exit_code(findings) == 0


def test_the_tag_and_the_packages_reach_the_probe() -> None:
    seen: list[dict[str, str]] = []

    def on_run(arguments: tuple[str, ...], variables: dict[str, str]) -> Run | None:
        seen.append(variables)
        return None

    node = FakeNode(on_run=on_run)
    found(node)
    assert node.runs[-1] == (PYTHON, "-P", "-m", "mxgateway_worker.backends.com.probe", "--tag", "Tank.Level")
    assert {variables["PYTHONPATH"] for variables in seen} == {"C:\\packages"}


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_the_command_runs_here_and_its_json_is_whole(flags: list[str], tmp_path: Any) -> None:
    done = CliRunner().invoke(main, ["doctor", "--state-dir", str(tmp_path), *flags])
    assert done.exit_code == 0, done.output
    assert "Galaxy database" in done.stdout
    if flags:
        told = json.loads(done.stdout)
        assert told["exitCode"] == 0
        assert {tuple(sorted(one)) for one in told["findings"]} == {("check", "found", "level", "remedy")}
