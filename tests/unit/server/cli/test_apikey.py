"""`mxgateway apikey`: which store it was, and one line whatever goes wrong."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.exc import OperationalError

from mxgateway_server.access.store import KeyStore
from mxgateway_server.cli.key_table import HEADER
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


def test_git_takes_nothing_of_a_state_directory_that_a_first_key_makes(tmp_path: Path) -> None:
    """Whichever command makes it; a folder that was there is left alone."""
    assert create(tmp_path / "state").exit_code == 0
    assert (tmp_path / "state" / ".gitignore").read_text() == "*\n"
    (tmp_path / "old").mkdir(mode=0o700)
    assert create(tmp_path / "old").exit_code == 0
    assert not (tmp_path / "old" / ".gitignore").exists()


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


def test_limits_on_alarms_are_made_shown_changed_and_dropped(tmp_path: Path) -> None:
    create(tmp_path, "--alarm-area", "Line*", "--alarm-area", "Utilities", "--alarm-min-priority", "250")
    shown = apikey(tmp_path, "show", "--key-id", "k").stdout
    assert "alarm_areas: Line*, Utilities\n" in shown
    assert "alarm_min_priority: 250\n" in shown
    assert "alarm_areas=Line*,Utilities alarm_min_priority=250" in apikey(tmp_path, "list").stdout
    changed = apikey(
        tmp_path, "change", "--key-id", "k", "--alarm-min-priority", "500", "--clear", "alarm_areas", "--json"
    )
    assert json.loads(changed.stdout)["constraints"] == {"alarm_min_priority": 500}
    for wrong in (("--alarm-min-priority", "0"), ("--alarm-min-priority", "1000"), ("--alarm-area", "")):
        refused = apikey(tmp_path, "change", "--key-id", "k", *wrong)
        assert refused.exit_code != 0
        assert refused.stderr.count("Traceback") == 0


def test_keys_are_listed_with_what_bounds_them(tmp_path: Path) -> None:
    """A header names the columns; end, last use, scopes and limits of each key stand in them, a secret nowhere."""
    assert "there is no key yet" in apikey(tmp_path, "list").stdout
    bounded = ["--expires", "2099-01-31T12:00:00Z", "--read-subtree", "Area/*", "--read-tag", "*.PV", "--read-only"]
    raw = create(tmp_path, *bounded, "--max-write-classification", "1", "--display-name", "Line\u20281").stdout.strip()
    apikey(tmp_path, "create", "--key-id", "later", "--scopes", "all", "--not-before", "2099-01-31T12:00:00Z")
    apikey(tmp_path, "create", "--key-id", "gone", "--scopes", "all-but-admin")
    apikey(tmp_path, "revoke", "--key-id", "gone")
    listed = apikey(tmp_path, "list")
    header, *rows = listed.stdout.splitlines()
    cells = [re.split(r"  +", row) for row in rows]
    assert header.split("  ")[0] == "KEY"
    assert [re.split(r"  +", header)] == [list(HEADER)]
    limits = "read_subtrees=Area/* read_tag_globs=*.PV max_write_classification=1 read_only"
    assert cells == [
        ["gone", "revoked", "never", "never", "all-but-admin", "none", "gone"],
        ["k", "active", "2099-01-31T12:00Z", "never", "invoke:read", limits, cells[1][6]],
        ["later", "valid from 2099-01-31T12:00Z", "never", "never", "all", "none", "later"],
    ]
    assert "\u2028" not in listed.stdout
    assert raw not in listed.output
    kept = {key["keyId"]: key for key in json.loads(apikey(tmp_path, "list", "--json").stdout)}
    assert kept["k"]["expires"].startswith("2099-01-31T12:00:00")
    assert kept["k"]["lastUsed"] is None


@pytest.mark.parametrize("when", ["2999-01-31T12:00:00Z", "0001-01-01T00:00:00+14:00", "200000d", "9" * 30 + "w"])
@pytest.mark.parametrize("command", ["create --key-id k --scopes all --expires", "audit --since"])
def test_a_time_that_cannot_be_kept_is_one_line(tmp_path: Path, command: str, when: str) -> None:
    result = apikey(tmp_path, *command.split(), when)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert when in result.stderr
    assert "1678 to 2261" in result.stderr
