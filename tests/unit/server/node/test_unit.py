"""The systemd unit: right for systemd, kept from nearly everything, and no path can add lines of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.support.programs import installed

from mxgateway_server.cli.main import main
from mxgateway_server.node.unit import Service, unit_text

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="systemd is Linux's")

MOST_EXPOSURE = 2.5


def values(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if re.match(r"\w+=", line))


def test_the_unit_waits_for_readiness_watches_and_reloads() -> None:
    found = values(unit_text(Service(name="gw", python="/opt/gw/bin/python", config="/etc/gw.toml")))
    assert (found["Type"], found["NotifyAccess"], found["WatchdogSec"]) == ("notify", "main", "30")
    assert found["ExecStart"] == (
        "/opt/gw/bin/python -P -m mxgateway_server serve --state-dir /var/lib/gw --config /etc/gw.toml"
    )
    assert found["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert (found["StateDirectory"], found["StateDirectoryMode"]) == ("gw", "0700")


def test_a_state_directory_elsewhere_may_be_written_and_nothing_else() -> None:
    found = values(unit_text(Service(name="gw", python="/usr/bin/python3", state="/srv/gw state/%n")))
    assert found["ReadWritePaths"] == "/srv/gw\\x20state/%%n"
    assert "StateDirectory" not in found
    assert "'/srv/gw state/%%n'" in found["ExecStart"]
    assert found["ProtectSystem"] == "strict"


@pytest.mark.parametrize("field", ["name", "python", "config", "state", "user"])
def test_no_value_can_add_a_line(field: str) -> None:
    given = {"name": "gw", "python": "/p", "config": "", "state": "", "user": "u"}
    with pytest.raises(ValueError, match=r"name|account|line break"):
        Service(**{**given, field: "x\nExecStartPre=/bin/evil"})


def test_it_is_installed_once_removed_and_told_of(tmp_path: Path) -> None:
    runner = CliRunner()
    at = ["--unit-folder", str(tmp_path), "--name", "gw-test"]
    assert runner.invoke(main, ["systemd", "status", *at]).exit_code == 3
    made = runner.invoke(main, ["systemd", "install", *at, "--user", "root"])
    assert made.exit_code == 0, made.output
    text = (tmp_path / "gw-test.service").read_text()
    assert sys.executable in text
    again = runner.invoke(main, ["systemd", "install", *at])
    assert (again.exit_code, "there already" in again.stderr) == (1, True)
    shown = runner.invoke(main, ["systemd", "install", *at, "--print"])
    assert "Type=notify" in shown.stdout
    assert runner.invoke(main, ["systemd", "remove", *at]).exit_code == 0
    assert list(tmp_path.iterdir()) == []
    assert runner.invoke(main, ["systemd", "remove", *at]).exit_code == 1


@pytest.mark.slow
def test_systemd_itself_finds_little_that_is_exposed(tmp_path: Path) -> None:
    program = installed("systemd-analyze", "systemd")
    path = tmp_path / "gw.service"
    path.write_text(unit_text(Service(name="gw", python=sys.executable, user="root")))
    done = subprocess.run(
        [program, "security", "--offline=true", "--no-pager", str(path)], capture_output=True, text=True, check=False
    )
    found = re.search(r"Overall exposure level for .*: ([\d.]+)", done.stdout)
    assert found is not None, done.stdout + done.stderr
    assert float(found[1]) <= MOST_EXPOSURE
