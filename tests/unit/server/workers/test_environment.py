"""What of the gateway's environment reaches its workers."""

from __future__ import annotations

import pytest

from mxgateway_server.workers.environment import worker_environment

SECRETS = {
    "MXGATEWAY__AUTHENTICATION__DATABASE": "x", "MXGATEWAY_API_KEY": "x", "MXGATEWAY_WORKER_NONCE": "x",
    "DB_PASSWORD": "x", "AWS_SECRET_ACCESS_KEY": "x", "GITHUB_TOKEN": "x", "PGPASSWORD": "x", "MY_APIKEY": "x",
    "AZURE_STORAGE_CONNECTION_STRING": "x", "SSH_PRIVATE": "x", "api_key": "x",
}  # fmt: skip
NODE = {
    "SYSTEMROOT": "C:\\Windows", "SystemDrive": "C:", "PATHEXT": ".EXE", "ALLUSERSPROFILE": "C:\\ProgramData",
    "COMPUTERNAME": "GR01", "PROCESSOR_ARCHITECTURE": "AMD64", "COMSPEC": "cmd.exe", "SITE_SETTING": "7",
    "PYTHONPATH": "C:\\gateway", "PYTHONHOME": "C:\\py", "PYTHONUTF8": "1",
}  # fmt: skip


@pytest.mark.parametrize("is_windows", [True, False])
def test_nothing_that_could_be_a_credential_is_handed_on(is_windows: bool) -> None:
    assert worker_environment(SECRETS, is_windows=is_windows) == {}


def test_on_windows_all_else_is_handed_on() -> None:
    """What LMXProxy and what it loads want to know of a node is written nowhere."""
    assert worker_environment(NODE | SECRETS, is_windows=True) == NODE


def test_another_interpreter_does_not_get_this_ones_paths() -> None:
    got = worker_environment(NODE, is_windows=True, is_other_interpreter=True)
    assert {name for name in NODE if name not in got} == {"PYTHONPATH", "PYTHONHOME"}
    assert got["PYTHONUTF8"] == "1"


def test_elsewhere_only_what_a_worker_needs() -> None:
    given = {"PATH": "/bin", "HOME": "/home/x", "SITE_SETTING": "7", "LC_ALL": "C", "DISPLAY": ":0"}
    assert worker_environment(given, is_windows=False).keys() == {"PATH", "HOME", "LC_ALL"}


@pytest.mark.parametrize("name", ["PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONINSPECT", "PYTHONANYTHING"])
def test_no_variable_can_make_a_worker_load_other_code(name: str) -> None:
    assert worker_environment({name: "/x"}, is_windows=False) == {}


@pytest.mark.parametrize("is_windows", [True, False])
def test_what_settings_name_as_secret_is_withheld_whatever_its_name(is_windows: bool) -> None:
    given = {"Harmless": "x", "PATH": "/bin"}
    assert worker_environment(given, is_windows=is_windows, withheld={"HARMLESS"}) == {"PATH": "/bin"}


def test_the_settings_have_the_last_word() -> None:
    got = worker_environment({"PATH": "/bin"}, is_windows=False, additional={"PATH": "/opt", "LMX_TRACE": "1"})
    assert got == {"PATH": "/opt", "LMX_TRACE": "1"}
