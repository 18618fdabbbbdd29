"""`mxgateway access-check` says before anybody tries what a key may do, and by which rule."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mxgateway_server.cli.main import main


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("state")
    built = run("galaxy", "build", "--galaxy", "reference", "--output", str(state / "g.db"))
    assert built.exit_code == 0, built.output
    (state / "gateway.toml").write_text(f"state_dir = '{state}/s'\n[galaxy]\nconnection_string = '{state}/g.db'\n")
    made = run(
        *("apikey", "create", "--key-id", "line", "--scopes", "invoke:read,invoke:write"),
        *("--write-tag", "TestChildObject.*", "--config", str(state / "gateway.toml")),
    )
    assert made.exit_code == 0, made.output
    return state


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def check(state: Path, command: str, *arguments: str, key: str = "line") -> Result:
    config = str(state / "gateway.toml")
    return run("access-check", "--config", config, "--key-id", key, "--command", command, *arguments)


def test_each_tag_has_a_line_and_a_refusal_ends_with_one(state: Path) -> None:
    result = check(state, "Write", "TestChildObject.TestInt", "TestMachine_001.TestChangingInt")
    assert result.exit_code == 1
    allowed, refused = result.stdout.splitlines()
    assert allowed == "TestChildObject.TestInt\tallowed"
    assert refused.startswith("TestMachine_001.TestChangingInt\trefused by write_subtrees, write_tag_globs: ")
    assert check(state, "write", "TestChildObject.TestInt").exit_code == 0


def test_json_names_rule_and_reason(state: Path) -> None:
    result = check(state, "WRITE_SECURED", "TestChildObject.TestInt", "--json")
    assert json.loads(result.stdout) == {
        "keyId": "line",
        "command": "WRITE_SECURED",
        "tag": "TestChildObject.TestInt",
        "allowed": False,
        "rule": "scope",
        "why": "it needs the scope invoke:secure",
    }


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("Nonsense",), "there is no command 'Nonsense'", 2),
        (("Register", "A.B"), "names no tag", 2),
    ],
)
def test_what_makes_no_sense_is_said(state: Path, arguments: tuple[str, ...], words: str, code: int) -> None:
    result = check(state, *arguments)
    assert result.exit_code == code
    assert words in result.stderr


def test_an_unknown_key_is_said(state: Path) -> None:
    result = check(state, "Write", "A.B", key="nobody")
    assert (result.exit_code, "there is no key 'nobody'" in result.stderr) == (1, True)
