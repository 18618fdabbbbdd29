"""The command that installs what is missing fits the way in which the package was installed."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from mxgateway_contract.installing import command_for, install_command

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, 'pip install "mxaccess-gateway[tui]"'),
        ({"url": "https://packages.plant.example/x.whl"}, 'pip install "mxaccess-gateway[tui]"'),
        (
            {"url": "file:///srv/wheels/mxaccess_gateway-1-py3-none-any.whl", "archive_info": {}},
            'pip install "mxaccess-gateway[tui] @ file:///srv/wheels/mxaccess_gateway-1-py3-none-any.whl"',
        ),
        (
            {"url": "file:///srv/clone", "dir_info": {}},
            'pip install "mxaccess-gateway[tui] @ file:///srv/clone"',
        ),
        ({"url": "file:///srv/my%20clone", "dir_info": {"editable": True}}, 'pip install -e "/srv/my clone[tui]"'),
        ("nonsense", 'pip install "mxaccess-gateway[tui]"'),
        ({"url": 5}, 'pip install "mxaccess-gateway[tui]"'),
        ({"url": "file:///srv/clone", "dir_info": "?"}, 'pip install "mxaccess-gateway[tui] @ file:///srv/clone"'),
    ],
)
def test_each_way_of_installing_has_its_own_command(origin: Any, command: str) -> None:
    assert command_for(origin, "tui") == command


def test_several_extras_stand_in_one_pair_of_brackets() -> None:
    assert command_for(None, "server", "sqlserver") == 'pip install "mxaccess-gateway[server,sqlserver]"'


def test_the_command_of_this_installation_is_one_line_that_a_shell_takes() -> None:
    words = shlex.split(install_command("tui"))
    assert words[:2] == ["pip", "install"]
    assert words[-1].partition(" ")[0].endswith("[tui]") or words[-1].endswith("[tui]")
    assert "\n" not in install_command("tui")
