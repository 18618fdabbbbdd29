"""`mxgateway pepper`: one replaced by another, and what is refused on the way."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from mxgateway_server.cli.main import main

ENVIRONMENT = {"MXGATEWAY_CONFIG": None}


def run(state: Path, *arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--state-dir", str(state)], env={**ENVIRONMENT, **environment})


def pepper(state: Path, *arguments: str) -> Result:
    return run(state, "pepper", *arguments)


def uses(state: Path) -> list[tuple[list[str], bool]]:
    return [(use["keyIds"], use["isNewest"]) for use in json.loads(pepper(state, "list", "--json").stdout)]


def test_a_pepper_is_added_and_the_old_one_retired_when_no_key_needs_it(tmp_path: Path) -> None:
    run(tmp_path, "apikey", "create", "--key-id", "hmi", "--scopes", "all")
    assert uses(tmp_path) == [(["hmi"], True)]
    old = json.loads(pepper(tmp_path, "list", "--json").stdout)[0]["pepperId"]
    assert "newest: say mxgateway pepper add first" in pepper(tmp_path, "retire", "--pepper-id", old).stderr
    added = pepper(tmp_path, "add")
    assert (added.exit_code, "back up" in added.stdout) == (0, True)
    assert uses(tmp_path) == [([], True), (["hmi"], False)]
    needed = pepper(tmp_path, "retire", "--pepper-id", old)
    assert (needed.exit_code, "still needed by 1 keys (hmi)" in needed.stderr) == (1, True)
    assert pepper(tmp_path, "retire").stdout == "there is no pepper that could be retired\n"
    run(tmp_path, "apikey", "rotate", "--key-id", "hmi")
    assert json.loads(pepper(tmp_path, "retire", "--json").stdout)["retired"] == [old]
    assert uses(tmp_path) == [(["hmi"], True)]
    shown = pepper(tmp_path, "list").stdout
    assert (tmp_path / "pepper").read_text().strip() not in shown
    assert "newest" in shown
    assert "there is no pepper 00" in pepper(tmp_path, "retire", "--pepper-id", "00").stderr
    assert run(tmp_path, "audit", "verify").exit_code == 0


def test_a_lost_pepper_is_shown_and_its_keys_can_be_ended(tmp_path: Path) -> None:
    run(tmp_path, "apikey", "create", "--key-id", "hmi", "--scopes", "all")
    pepper(tmp_path, "add")
    path = tmp_path / "pepper"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    refused = run(tmp_path, "apikey", "create", "--key-id", "new", "--scopes", "all")
    assert (refused.exit_code, "lacks the pepper" in refused.stderr) == (1, True)
    assert "MISSING" in pepper(tmp_path, "list").stdout
    assert run(tmp_path, "apikey", "revoke", "--key-id", "hmi").exit_code == 0
    assert run(tmp_path, "apikey", "create", "--key-id", "new", "--scopes", "all").exit_code == 0


def test_a_pepper_in_a_variable_is_its_owners_to_change(tmp_path: Path) -> None:
    secret = "c2VudGluZWwtc2VudGluZWwtc2VudGluZWwtc2VudGluZWw="
    environment = {"MXGATEWAY__AUTHENTICATION__PEPPER_VARIABLE": "GATEWAY_PEPPER", "GATEWAY_PEPPER": secret}
    made = run(tmp_path, "apikey", "create", "--key-id", "hmi", "--scopes", "all", **environment)
    refused = run(tmp_path, "pepper", "add", **environment)
    shown = run(tmp_path, "check-config", "--json", **environment)
    assert (made.exit_code, refused.exit_code, (tmp_path / "pepper").exists()) == (0, 1, False)
    assert "openssl rand" in refused.stderr
    assert json.loads(shown.stdout)["authentication"]["pepper_variable"] == "GATEWAY_PEPPER"
    assert secret not in made.output + refused.output + shown.output
