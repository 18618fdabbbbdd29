"""`mxgateway apikey`: which store it was, and one line whatever goes wrong."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.exc import OperationalError

from mxgateway_server.access.store import KeyStore
from mxgateway_server.cli.main import main


def apikey(state: Path, *arguments: str) -> Result:
    command = ["apikey", *arguments, "--state-dir", str(state)]
    return CliRunner().invoke(main, command, env={"MXGATEWAY_CONFIG": None})


def create(state: Path, *arguments: str) -> Result:
    return apikey(state, "create", "--key-id", "k", "--scopes", "invoke:read", *arguments)


def test_a_key_says_which_store_it_is_for(tmp_path: Path) -> None:
    store = str(tmp_path / "keys.db")
    made = create(tmp_path)
    assert (made.exit_code, store in made.stderr, store in made.stdout) == (0, True, False)
    assert json.loads(create(tmp_path / "other", "--json").stdout)["store"] == str(tmp_path / "other" / "keys.db")
    unknown = apikey(tmp_path, "revoke", "--key-id", "nobody")
    assert (unknown.exit_code, store in unknown.stderr) == (1, True)


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full")),
        OSError(28, "No space left on device"),
    ],
)
@pytest.mark.parametrize(
    "command", [["create", "--key-id", "k", "--scopes", "all"], ["list"], ["rotate", "--key-id", "k"]]
)
def test_a_full_disk_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, command: list[str]
) -> None:
    async def full(*_: object, **__: object) -> None:
        raise error

    for name in ("create", "list_keys", "rotate"):
        monkeypatch.setattr(KeyStore, name, full)
    result = apikey(tmp_path, *command)
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "the disk is full: make room" in result.output
    assert str(tmp_path / "keys.db") in result.output


def test_a_disk_that_is_full_while_the_store_is_opened_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OperationalError("CREATE", {}, sqlite3.OperationalError("database or disk is full"))

    monkeypatch.setattr("mxgateway_server.access.tables.migrate_one", full)
    result = create(tmp_path)
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "make room" in result.output


def test_a_damaged_store_names_the_backup(tmp_path: Path) -> None:
    (tmp_path / "keys.db").write_bytes(b"no database at all, but long enough to be taken for one" * 50)
    (tmp_path / "keys.db").chmod(0o600)
    result = create(tmp_path)
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "restore it from a backup" in result.output


def test_a_key_is_bound_to_a_certificate_and_free_again(tmp_path: Path) -> None:
    rule = f"sha256:{'ab' * 32}"
    made = create(tmp_path, "--certificate", "AB:" * 31 + "AB", "--json")
    assert json.loads(made.stdout)["certificate"] == rule
    assert f"certificate: {rule}" in apikey(tmp_path, "show", "--key-id", "k").stdout
    file = tmp_path / "x.crt"
    file.write_text("no certificate")
    for wrong in (["--certificate", "hmi"], ["--certificate-file", str(file)]):
        refused = apikey(tmp_path, "change", "--key-id", "k", *wrong)
        assert (refused.exit_code, "certificate" in refused.stderr) == (1, True)
    both = apikey(tmp_path, "change", "--key-id", "k", "--certificate", rule, "--no-certificate")
    assert both.exit_code == 2
    free = apikey(tmp_path, "change", "--key-id", "k", "--no-certificate", "--json")
    assert json.loads(free.stdout)["certificate"] == ""


def test_a_key_is_shown_and_changed(tmp_path: Path) -> None:
    create(tmp_path, "--write-tag", "Tank*.Level", "--max-write-classification", "1")
    shown = apikey(tmp_path, "show", "--key-id", "k")
    assert shown.exit_code == 0, shown.output
    assert "write_tag_globs: Tank*.Level" in shown.stdout
    assert "mxgw_" not in shown.output
    changed = apikey(
        tmp_path, "change", "--key-id", "k", "--read-only", "--clear", "max_write_classification", "--json"
    )
    assert json.loads(changed.stdout)["constraints"] == {"write_tag_globs": ["Tank*.Level"], "read_only": True}
    changed = apikey(tmp_path, "change", "--key-id", "k", "--not-read-only", "--write-tag", "Mixer*.*", "--json")
    assert json.loads(changed.stdout)["constraints"] == {"write_tag_globs": ["Mixer*.*"]}
    changed = apikey(tmp_path, "change", "--key-id", "k", "--scopes", "events:read", "--json")
    assert json.loads(changed.stdout)["scopes"] == ["events:read"]
    nothing = apikey(tmp_path, "change", "--key-id", "k")
    assert (nothing.exit_code, "nothing to change" in nothing.stderr) == (2, True)
    unknown = apikey(tmp_path, "show", "--key-id", "b")
    assert (unknown.exit_code, "there is no key 'b'" in unknown.stderr) == (1, True)
