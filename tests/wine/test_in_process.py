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


MODES = (
    *("LMXSIM_TIME=bstr", "LMXSIM_TIME=i8", "LMXSIM_BYREF=1", "LMXSIM_STATUSES=2", "LMXSIM_STATUSES=0"),
    *("LMXSIM_BUFFER=array", "LMXSIM_BATCH=1", "LMXSIM_MAX=1", "LMXSIM_MAX=4", "LMXSIM_CONTROL=inside"),
    "LMXSIM_SWITCHES=write_completion_first=false;suspend_again=ok",
)


@pytest.fixture(scope="module")
def walks(windows_python: RunWindowsPython) -> str:
    """What a walk through each of the modes said, all in one process: its start is what takes the time."""
    return windows_python("tests/wine/walk.py", *MODES, LMXSIM_TABLE="").stdout


@pytest.mark.timeout(240)
@pytest.mark.parametrize("mode", MODES)
def test_every_shape_that_lmxproxy_may_have(walks: str, mode: str) -> None:
    """Times as text or ticks, values by reference, several or no statuses, arrays of samples, old interfaces, events
    inside calls: each value kind, a write of each, a buffered item, a suspended one, and the teardown to zero."""
    assert f"walked {mode}" in walks.splitlines(), walks


@pytest.mark.timeout(240)
def test_what_a_client_owes_that_no_event_shows(windows_python: RunWindowsPython) -> None:
    """Images of what only the writer has, memory of failures, texts that explain nothing, a password, wake, a flood."""
    run = windows_python("tests/wine/details.py", LMXSIM_TABLE="")
    assert run.returncode == 0, run.stdout
    assert "all in order" in run.stdout


@pytest.mark.timeout(240)
def test_objects_are_called_by_the_names_of_their_methods(windows_python: RunWindowsPython) -> None:
    """As the alarm consumer is: numbers and texts, failures with their HRESULT, a class that is not there."""
    run = windows_python("tests/wine/late.py")
    assert run.returncode == 0, run.stdout
    assert "late-bound" in run.stdout
