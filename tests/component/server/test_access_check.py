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


ALARM = "Galaxy!TestArea.TestMachine_001.TestAlarm001"


@pytest.mark.parametrize(
    ("limits", "call", "more", "rule"),
    [
        (("--alarm-area", "TestArea"), "QueryActiveAlarms", (), "allowed"),
        (("--alarm-area", "Elsewhere*"), "QueryActiveAlarms", (), "alarm_areas"),
        (("--alarm-min-priority", "250"), "StreamAlarms", ("--alarm-priority", "250"), "allowed"),
        (("--alarm-min-priority", "250"), "StreamAlarms", ("--alarm-priority", "251"), "alarm_min_priority"),
        (("--read-tag", "TestChildObject.*"), "AcknowledgeAlarm", (), "read_subtrees, read_tag_globs"),
        (("--max-write-classification", "0"), "ShelveAlarms", (), "write_subtrees, write_tag_globs, "),
        (("--read-only",), "AcknowledgeAlarm", (), "read_only"),
    ],
)
def test_alarm_calls_are_judged_by_tags_areas_and_priority(
    state: Path, limits: tuple[str, ...], call: str, more: tuple[str, ...], rule: str
) -> None:
    key = "-".join((call, *limits, *more)).replace("-", "").replace("*", "").replace(".", "")
    config = ("--config", str(state / "gateway.toml"))
    run("apikey", "create", "--key-id", key, "--scopes", "all", *limits, *config)
    result = check(state, call, ALARM, *more, "--json", key=key)
    found = json.loads(result.stdout)
    assert (found["command"], found["allowed"]) == (call, rule == "allowed")
    assert found["rule"].startswith(rule)
    assert result.exit_code == (not found["allowed"])


def test_an_alarm_call_takes_references_of_alarms(state: Path) -> None:
    result = check(state, "acknowledgealarm", "TestMachine_001.TestAlarm001")
    assert (result.exit_code, "names no alarm" in result.stderr) == (2, True)
    refused = check(state, "QueryActiveAlarms")
    assert (refused.exit_code, refused.stdout) == (1, "refused by scope: it needs the scope events:read\n")


def test_an_unknown_key_is_said(state: Path) -> None:
    result = check(state, "Write", "A.B", key="nobody")
    assert (result.exit_code, "there is no key 'nobody'" in result.stderr) == (1, True)
