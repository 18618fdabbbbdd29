"""`mxgateway check-config` finds what would stop a start, tells where it was made, and tells no secret."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mxgateway_server.cli.main import main
from mxgateway_server.config.settings import setting_names
from mxgateway_server.config.sources import environment_name
from mxgateway_server.state import hold_state


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MXGATEWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MXGATEWAY__STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("MXGATEWAY__LISTEN", "localhost:0")


def check_config(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check-config", *arguments])


def found(content: str, tmp_path: Path, *arguments: str) -> list[str]:
    """The lines of mistakes in a settings file of this content."""
    file = tmp_path / "gateway.toml"
    file.write_text(content)
    result = check_config("--config", str(file), *arguments)
    assert result.exit_code == 1, result.output
    assert "The settings are right" not in result.output
    return [line for line in result.stderr.splitlines() if line.startswith("Error: ")]


def test_what_is_right_is_told_with_what_was_not_looked_at(tmp_path: Path) -> None:
    result = check_config()
    assert result.exit_code == 0, result.output
    assert "The settings are right." in result.stdout
    assert "Not looked at: the Galaxy's database, the key store's database, whether a worker starts" in result.stdout
    assert list(tmp_path.iterdir()) == [], "nothing stays behind"


def test_each_mistake_has_a_line_with_its_place(tmp_path: Path) -> None:
    lines = found(
        '[galaxy]\nconnection_string = "nosuch.db"\n'
        '[tls]\ncertificate_file = "/no/cert.pem"\nkey_file = "/no/key.pem"\n'
        '[worker]\ncommand = ["/no/worker"]\n[sessions]\nmax_sessions = 0\n',
        tmp_path,
    )
    file = tmp_path / "gateway.toml"
    assert [line.removeprefix("Error: ").split(": ")[0] for line in lines] == [
        f"{file}:9",
        f"{file}:4",
        f"{file}:2",
        f"{file}:7",
    ]
    for line, words in zip(lines, ["at least 1", "No such file", "nosuch.db", "no such program"], strict=True):
        assert words in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[worker]\nworking_directory = '/no/such'", "worker.working_directory /no/such: no such folder"),
        (
            "[worker]\nbackend_options = {galaxy = '/no/such.db'}",
            "worker.backend_options.galaxy /no/such.db: no such file",
        ),
        ("[worker]\ncommand = ['no-such-program-here']", "worker.command no-such-program-here: no such program"),
        ("[galaxy]\nconnection_string = 'sqlserver://mx:Topsecret@h/ZB'", "names sqlserver"),
        ("[galaxy]\nconnection_string = 'Server=h;Database=ZB'", "names no login"),
        (
            "[galaxy]\nconnection_string = 'mssql://mx:x@h/ZB'\n[worker]\nbackend = 'simulator'",
            "worker.backend = simulator needs a Galaxy",
        ),
        ("[galaxy]\nconnection_string = 'nosuchgalaxy'", "nosuchgalaxy"),
        *(
            (
                f"[galaxy]\nconnection_string = '{url}'\n[worker]\nbackend_options = {{galaxy = '/proc/version'}}",
                f"galaxy.connection_string {file}",
            )
            for url, file in (("sqlite:////no/such.db", "/no/such.db"), ("sqlite+pysqlite:////dev", "/dev"))
        ),
        ("[galaxy]\nsnapshot_cache_path = '/proc/no/such'", "galaxy.snapshot_cache_path"),
        ("[authentication]\npepper_file = '/proc/no/such'", "authentication.pepper_file"),
        ("[authentication]\ndatabase = '/proc/no/such'", "authentication.database"),
        ("[authentication]\ndatabase = 'Server=h;Password=Topsecret'", "the key store is an SQLite file or a URL"),
        ("[tls]\nself_signed_directory = '/proc/no/such'", "tls.self_signed_directory"),
        (
            "listen_plaintext = 'no-such.invalid:1'\nallow_remote_plaintext = true\n[worker]\nbackend = 'simulator'",
            "the name is not known",
        ),
    ],
)
def test_what_would_stop_a_start_is_found(tmp_path: Path, content: str, words: str) -> None:
    lines = found(content, tmp_path)
    assert len(lines) == 1, lines
    assert words in lines[0]
    assert str(tmp_path / "gateway.toml") in lines[0]
    assert "Topsecret" not in lines[0]


def test_a_state_directory_that_cannot_be_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MXGATEWAY__STATE_DIR")
    (line,) = found('state_dir = "/proc/nope"', tmp_path)
    assert "state_dir /proc/nope" in line
    assert "gateway.toml:1" in line
    (tmp_path / "file").touch()
    (line,) = found(f'state_dir = "{tmp_path}/file"', tmp_path)
    assert "Not a directory" in line


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_what_is_open_to_others_is_found(tmp_path: Path) -> None:
    (tmp_path / "pepper").touch()
    (tmp_path / "pepper").chmod(0o666)
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    result = check_config("--config", str(_file(tmp_path, f"[authentication]\npepper_file = '{tmp_path}/pepper'")))
    assert result.exit_code == 1
    state, pepper = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert "MXGATEWAY__STATE_DIR" in state
    assert "chmod 700" in state
    assert "gateway.toml:2" in pepper
    assert "chmod 600" in pepper


def _file(tmp_path: Path, content: str) -> Path:
    file = tmp_path / "gateway.toml"
    file.write_text(content)
    return file


def test_a_port_in_use_is_found_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("MXGATEWAY__LISTEN", f"127.0.0.1:{taken.getsockname()[1]}")
        result = check_config()
    assert result.exit_code == 1
    assert "Error: MXGATEWAY__LISTEN: listen = 127.0.0.1:" in result.stderr
    assert "in use" in result.stderr


def test_the_ports_of_a_running_gateway_are_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    with socket.socket() as taken, hold_state(tmp_path / "state", shared=False):
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("MXGATEWAY__LISTEN", f"127.0.0.1:{taken.getsockname()[1]}")
        result = check_config()
    assert result.exit_code == 0, result.output
    assert "the ports (a gateway runs on this state directory)" in result.stdout


def test_a_file_that_is_no_galaxy_is_found(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"nothing of the kind")
    (line,) = found(f"[galaxy]\nconnection_string = '{tmp_path}/x.db'", tmp_path)
    assert "not an SQLite database" in line


@pytest.mark.slow
def test_the_deep_look_opens_and_starts_what_there_is(tmp_path: Path) -> None:
    result = check_config("--deep")
    assert result.exit_code == 0, result.output
    assert "whether a worker starts" in result.stdout.splitlines()[1]
    assert list(tmp_path.iterdir()) == [], "nothing stays behind"


@pytest.mark.slow
def test_the_deep_look_finds_what_opens_wrong(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE x (y)").connection.close()
    (tmp_path / "keys.db").write_bytes(b"no key store" * 100)
    (tmp_path / "keys.db").chmod(0o600)
    lines = found(
        f"[galaxy]\nconnection_string = '{tmp_path}/empty.db'\n[authentication]\ndatabase = '{tmp_path}/keys.db'\n"
        f"[worker]\ncommand = ['{sys.executable}', '-c', 'import sys; sys.exit(3)']\n",
        tmp_path,
        "--deep",
    )
    assert [line.split("gateway.toml")[1][:2] for line in lines] == [":2", ":4", ":6"]
    for line, words in zip(lines, ["the Galaxy database", "restore it from a backup", "does not start"], strict=True):
        assert words in line


def as_json(*arguments: str) -> dict[str, Any]:
    result = check_config("--json", *arguments)
    data: dict[str, Any] = json.loads(result.stdout)
    assert (result.exit_code == 1) == bool(data["check"]["problems"])
    return data


def test_json_has_settings_problems_and_places(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("[sessions]\nmax_sessions = 3\ndefault_lease_seconds = 0\n")
    data = as_json("--config", str(file))
    assert data["sessions"]["max_sessions"] == 3
    assert data["check"]["problems"] == [
        {
            "setting": "sessions.default_lease_seconds",
            "place": f"{file}:3",
            "problem": "write a number above 0",
        }
    ]
    assert data["check"]["places"]["sessions.max_sessions"] == f"{file}:2"
    assert data["check"]["places"]["listen"] == "MXGATEWAY__LISTEN"
    assert "tls.key_file" not in data["check"]["places"]


def test_json_stays_json_when_the_file_cannot_be_read(tmp_path: Path) -> None:
    data = as_json("--config", str(tmp_path / "none.toml"))
    assert "no such file" in data["check"]["problems"][0]["problem"]


SECRETS = ["mx:Top@secret@db1;Password=Topsecret", "Server=db1;User ID=mx;PWD=Top secret", 'x://mx:Top"secret@db1/ZB']


@pytest.mark.parametrize("name", list(setting_names()))
def test_no_setting_repeats_a_secret(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for secret in SECRETS:
        monkeypatch.setenv(environment_name(name), secret)
        result = check_config("--json")
        text = (result.stdout + result.stderr).replace("[redacted]", "")
        assert "Top" not in text, text
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        # The texts of problems are those that are printed without --json, too.
        json.loads(result.stdout)


@pytest.mark.skipif(os.name != "posix", reason="there is no sandbox on Windows")
def test_what_workers_are_kept_from_is_shown(tmp_path: Path) -> None:
    path = _file(tmp_path, "[worker]\nsandbox = 'off'")
    result = check_config("--config", str(path))
    assert 'no:  worker.sandbox = "off"' in result.stdout
    assert "environment      yes" in result.stdout
    shown = json.loads(check_config("--config", str(path), "--json").stdout)["check"]["workers"]
    assert shown["keptFrom"]["network"] == {"inForce": False, "why": 'worker.sandbox = "off"'}
    (tmp_path / "plant.db").write_bytes(b"SQLite format 3\0")
    path = _file(
        tmp_path,
        f"state_dir = '{tmp_path}'\n[galaxy]\nconnection_string = '{tmp_path}/plant.db'\n"
        "[worker]\nsandbox = 'required'",
    )
    result = check_config("--config", str(path))
    assert result.exit_code == 1
    assert "worker.sandbox" in result.stderr
