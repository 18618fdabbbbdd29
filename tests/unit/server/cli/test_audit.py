"""`mxgateway audit`: asked by key, tag, session and outcome, followed, and checked."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.support.clock import ManualClock

from mxgateway_server.access.peppers import PepperFile
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.access.store import KeyStore
from mxgateway_server.cli.main import main


@pytest.fixture
def state(tmp_path: Path) -> Path:
    async def fill() -> None:
        store = await KeyStore.open(str(tmp_path / "keys.db"), PepperFile(tmp_path / "pepper"), ManualClock())
        await store.record(
            [
                AuditRecord(event="write", key_id="mes", target="Tank_1.SP", session_id="s1", outcome="accepted"),
                AuditRecord(event="write-completed", key_id="mes", target="Tank_1.SP", session_id="s1", outcome="ok"),
                AuditRecord(event="denied", key_id="hmi", target="Oven\x1b[2J.PV", session_id="s2", outcome="no"),
            ]
        )
        await store.close()

    asyncio.run(fill())
    return tmp_path


def audit(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["audit", *arguments, "--state-dir", str(state)], env={"MXGATEWAY_CONFIG": None})


def rows(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], ["write", "write-completed", "denied"]),
        (["--key-id", "mes"], ["write", "write-completed"]),
        (["--tag", "tank_*"], ["write", "write-completed"]),
        (["--session-id", "s2"], ["denied"]),
        (["--outcome", "ok"], ["write-completed"]),
        (["--event", "denied"], ["denied"]),
        (["--limit", "1"], ["denied"]),
        (["--until", "2000-01-01"], []),
    ],
)
def test_records_are_chosen(state: Path, filters: list[str], expected: list[str]) -> None:
    assert [row["event"] for row in rows(audit(state, "query", *filters, "--json"))] == expected


def test_text_does_not_move_the_terminal(state: Path) -> None:
    assert "\x1b" not in audit(state, "query").output


def test_the_last_records_are_shown(state: Path) -> None:
    assert [row["event"] for row in rows(audit(state, "tail", "--no-follow", "--lines", "2", "--json"))] == [
        "write-completed",
        "denied",
    ]


def test_an_audit_that_is_as_it_was_written_says_so_and_gives_its_head(state: Path) -> None:
    report = json.loads(audit(state, "verify", "--json").stdout)
    assert (report["ok"], report["records"], report["findings"]) == (True, 3, [])
    assert audit(state, "verify", "--head", report["head"]).exit_code == 0
    assert audit(state, "verify", "--head", "ab" * 32).exit_code == 3


def test_an_audit_that_another_hand_has_changed_is_told_by_record_and_exit_code(state: Path) -> None:
    with closing(sqlite3.connect(state / "keys.db")) as connection:
        connection.executescript("DROP TRIGGER audit_update; UPDATE audit SET target = 'Other.SP' WHERE id = 1;")
    result = audit(state, "verify")
    assert (result.exit_code, "record 1" in result.output) == (3, True)
    report = json.loads(audit(state, "verify", "--json").stdout)
    assert [finding["recordId"] for finding in report["findings"]] == [1]


def test_a_record_that_comes_is_shown_to_who_follows(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = 0

    async def turn(_: float) -> None:
        nonlocal turns
        turns += 1
        if turns == 2:
            raise KeyboardInterrupt
        store = await KeyStore.open(str(state / "keys.db"), PepperFile(state / "pepper"), ManualClock())
        await store.record([AuditRecord(event="write", key_id="late")])
        await store.close()

    monkeypatch.setattr("mxgateway_server.cli.audit.asyncio.sleep", turn)
    assert [row["keyId"] for row in rows(audit(state, "tail", "--lines", "0", "--json"))] == ["late"]
