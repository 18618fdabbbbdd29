"""Suites that run inside the Windows Python, on the thread that owns the COM object."""

from __future__ import annotations

import re

import pytest
from tests.wine.conftest import RunWindowsPython

PYTEST = ("-m", "pytest", "-p", "no:cacheprovider", "-q", "--timeout", "200")


def passed(output: str) -> int:
    found = re.search(r"(\d+) passed", output)
    return int(found[1]) if found else 0


@pytest.mark.timeout(240)
def test_the_backend_contract_and_the_command_fuzz_hold_on_com(windows_python: RunWindowsPython) -> None:
    """The very suites that the simulator passes, unchanged; nothing of them may be skipped."""
    suites = ("tests/contract/test_backend_contract.py", "tests/contract/test_command_fuzz.py")
    run = windows_python(*PYTEST, *suites, MXGATEWAY_CONTRACT_BACKENDS="com")
    assert run.returncode == 0, run.stdout
    assert passed(run.stdout) >= 14, run.stdout
    assert "skipped" not in run.stdout


@pytest.mark.timeout(240)
def test_com_memory_is_read_and_written_alike_on_windows(windows_python: RunWindowsPython) -> None:
    run = windows_python(*PYTEST, "tests/unit/worker/com")
    assert run.returncode == 0, run.stdout
    assert passed(run.stdout) > 250, run.stdout


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "mode",
    [
        {"LMXSIM_TIME": "bstr"},
        {"LMXSIM_TIME": "i8"},
        {"LMXSIM_BYREF": "1"},
        {"LMXSIM_STATUSES": "2"},
        {"LMXSIM_STATUSES": "0"},
        {"LMXSIM_BUFFER": "array"},
        {"LMXSIM_BATCH": "1"},
        {"LMXSIM_MAX": "1"},
        {"LMXSIM_MAX": "4"},
        {"LMXSIM_CONTROL": "inside"},
    ],
    ids=lambda mode: "=".join(*mode.items()),
)
def test_every_shape_that_lmxproxy_may_have(windows_python: RunWindowsPython, mode: dict[str, str]) -> None:
    """Times as text or ticks, values by reference, several or no statuses, arrays of samples, old interfaces, events
    inside calls: each value kind, a write of each, a buffered item, a suspended one, and the teardown to zero."""
    run = windows_python("tests/wine/walk.py", **{**mode, "LMXSIM_TABLE": ""})
    assert run.returncode == 0, run.stdout
    assert "walked" in run.stdout
