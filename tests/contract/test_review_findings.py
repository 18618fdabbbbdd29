"""Small rules that a review once found broken in the original; docs/findings.md says which is which."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import click
import pytest
from tests.support.fake_gateway import data_change
from tests.support.quiet import falls_silent

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.main import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
LONG_RUNNING = {
    *("stream-events", "watch", "record", "galaxy-watch", "stream-alarms"),
    *("alarms", "bench-read-bulk", "bench-stream-events", "tui"),
}


@cache
def texts(folder: str) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / folder).rglob("*.py"))}


def parsed(folder: str, pattern: str) -> list[tuple[Path, ast.Module]]:
    """The modules that have this anywhere in their text: to parse all of them takes seconds."""
    return [(path, ast.parse(text)) for path, text in texts(folder).items() if re.search(pattern, text)]


def classes(folder: str, name: str) -> list[str]:
    """The classes whose names fit."""
    return [
        node.name
        for _, tree in parsed(folder, rf"\bclass\s+{name}\b")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and re.fullmatch(name, node.name)
    ]


def test_the_tests_have_one_manual_clock() -> None:
    assert classes("tests", r"\w*(Clock|TimeProvider)") == ["ManualClock"]


def test_no_test_fakes_a_process() -> None:
    """A faked process can fake its exit, too; the tests use real ones."""
    assert classes("tests", r"(Fake|Stub|Mock)\w*(Process|Popen)") == []


def test_variables_that_switch_checks_on_are_named_once_in_the_code() -> None:
    found = Counter(
        node.value
        for path, tree in parsed("tests", "MXGATEWAY_(INTEGRATION|GALAXY_URL)")
        for node in ast.walk(tree)
        if path != Path(__file__)
        and isinstance(node, ast.Constant)
        and node.value in ("MXGATEWAY_INTEGRATION", "MXGATEWAY_GALAXY_URL")
    )
    assert found == {"MXGATEWAY_INTEGRATION": 1, "MXGATEWAY_GALAXY_URL": 1}


def test_variables_that_switch_checks_on_stand_in_the_documentation() -> None:
    page = (ROOT / "docs" / "how-to" / "live-checks.md").read_text(encoding="utf-8")
    names = {
        node.value
        for path, tree in parsed("tests", "MXGATEWAY_[A-Z_]+")
        if path.name in ("test_live.py", "test_any_gateway.py")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and re.fullmatch(r"MXGATEWAY_[A-Z_]+", str(node.value))
    }
    assert names
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_nothing_private_of_the_library_parses_a_correlation_id() -> None:
    """Its form is no promise: nothing may split it or read a number out of it."""
    pattern = re.compile(r"correlation_id\w*\.(split|partition|rpartition|removeprefix|startswith)\(")
    assert [path.name for path, text in texts("src").items() if pattern.search(text)] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_time_limit_of_a_long_running_command_is_not_that_of_the_whole(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    [limit] = [option for option in command.params if option.name == "timeout"] or [None]
    if isinstance(limit, click.Option):
        bounds_all = "as a whole" in str(limit.help)
        assert bounds_all == (name not in LONG_RUNNING)


def test_the_contract_says_what_denies_an_entry_and_which_fields_a_read_has() -> None:
    proto = (ROOT / "protos" / "mxaccess_gateway.proto").read_text(encoding="utf-8")
    comments = dict.fromkeys(("BulkWriteResult", "BulkReadResult"), "")
    for name in comments:
        match = re.search(rf"((?://[^\n]*\n)+)message {name} ", proto)
        assert match is not None
        comments[name] = " ".join(match[1].replace("//", "").split())
    assert "constraint enforcer denies" in comments["BulkWriteResult"]
    assert "allow-list" not in comments["BulkWriteResult"]
    assert "On success: value, quality, source_timestamp and statuses are set" in comments["BulkReadResult"]
    assert "On failure: value and source_timestamp are unset" in comments["BulkReadResult"]


def test_checks_of_a_true_node_are_left_out_unless_switched_on() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-m",
            "live",
            "-p",
            "no:cacheprovider",
            "tests/component/galaxy/test_live.py",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout
    assert "passed" not in done.stdout
    assert "skipped" in done.stdout


async def _stream(*handles: int) -> AsyncIterator[pb.MxEvent]:
    for sequence, handle in enumerate(handles, 1):
        yield data_change(sequence, handle)


@pytest.mark.parametrize(
    ("handles", "silent"),
    [
        ((2, 2), True),
        ((1, 1, 2, 2), True),  # under way when UnAdvise returned
        ((2, 1, 2), False),
        ((1, 2, 1, 2), False),
    ],
)
async def test_late_events_may_come_in_the_first_window_only(handles: tuple[int, ...], silent: bool) -> None:
    assert await falls_silent(_stream(*handles), item_handle=1, marker_handle=2) is silent
