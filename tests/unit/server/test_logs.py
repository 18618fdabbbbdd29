"""Logs tell no secret, and nothing that callers send forges a record."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from tests.support.logging_left import logging_now, take_back

from mxgateway_contract.redaction import redact
from mxgateway_server import logs


@pytest.mark.parametrize(
    "text",
    [
        "key mxgw_demo_SENTINELSENTINELSENTINEL refused",
        "password=SENTINEL next=1",
        'nonce: "SENTINEL"',
        "MXGATEWAY_WORKER_NONCE=SENTINEL",
        "token='SENTINEL'",
        "authorization: Bearer SENTINEL",
        "api_key=SENTINEL",
        "api-key: SENTINEL",
        "secret = SENTINEL",
        "mssql+pytds://sa:SENTINEL@host/ZB",
        "client_credential=SENTINEL;other",
        "Server=db1;Password=SEN TINEL SENTINEL",
        "Server=db1;PWD={SENTINEL;}}SENTINEL};Database=ZB",
        'Server=db1;Password="a;""SENTINEL";Database=ZB',
        "mssql+pytds://sa:a@SENTINEL@host/ZB",
        "mssql+pytds://sa:a/SENTINEL@host/ZB",
        'mssql+pytds://sa:a"SENTINEL@host/ZB',
        '{"password": "a\\"SENTINEL", "x": 1}',
        "{'pwd': 'SENTINEL'}",
    ],
)
def test_nothing_that_looks_like_a_secret_passes(text: str) -> None:
    assert "SENTINEL" not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "item=TestMachine_001.Speed value=3",
        "key_id=demo scopes=invoke:read",
        "write mssql+pytds://user:password@host/ZB",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert redact(text) == text


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize("style", ["json", "console"])
def test_records_of_both_loggers_are_redacted_tracebacks_and_nested_data_included(
    stream: io.StringIO, style: str
) -> None:
    logs.configure("info", style, stream)
    logs.get_logger("a").info("event", password="SENTINEL", data={"token": "SENTINEL", "x": ["secret=SENTINEL"]})
    logs.get_logger("a").error("failed", error=ValueError("nonce=SENTINEL"))
    logging.getLogger("b").warning("api_key=%s", "SENTINEL")
    try:
        raise RuntimeError("password=SENTINEL")
    except RuntimeError:
        logs.get_logger("a").exception("crashed")
    text = stream.getvalue()
    assert "SENTINEL" not in text
    assert text.count("[redacted]") >= 5
    assert "crashed" in text


@pytest.mark.parametrize("style", ["console", "json"])
def test_what_callers_send_forges_no_record_and_moves_no_terminal(stream: io.StringIO, style: str) -> None:
    logs.configure("info", style, stream)
    evil = "a\x1b[2Jb\nx\r2026-01-01 [info] session_opened\u202e\x00\u2028Ω"
    logs.get_logger("a").info("event", evil=evil, data={"k": [evil]}, error=ValueError(evil))
    logging.getLogger("b").warning("%s", evil)
    try:
        raise RuntimeError("a\x1b[2J")
    except RuntimeError:
        logs.get_logger("a").exception("crashed")
    text = stream.getvalue()
    assert not set(text) & set("\x1b\r\x00\u202e\u2028")
    assert "Ω" in text or "\\u03a9" in text
    records = [line for line in text.splitlines() if line.startswith(("{", "20"))]
    assert len(records) == 3, "each record begins one line, and no value begins another"


def test_json_records_have_fixed_keys(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    logs.get_logger("a").info("session_opened", session_id="s", worker_pid=1)
    logs.get_logger("a").debug("not this")
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    assert (record["event"], record["level"], record["session_id"]) == ("session_opened", "info", "s")
    assert record["timestamp"].endswith("Z")


def test_configuring_again_replaces_the_handler(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    logs.configure("info", "json", stream)
    logs.get_logger("a").info("once")
    assert len(stream.getvalue().splitlines()) == 1


def test_what_a_test_configures_is_taken_back(capsys: pytest.CaptureFixture[str]) -> None:
    """A later test that looks at stderr would find lines of whatever logs there, such as gRPC's of a closed loop."""
    before = logging_now()
    logs.configure("info")
    logs.configure("debug", "json")
    logging.getLogger("asyncio").error("told")
    assert "told" in capsys.readouterr().err
    take_back(before)
    assert logging_now() == before
    logging.getLogger("asyncio").error("told")
    assert capsys.readouterr() == ("", "")
