"""Settings tell what is wrong and how to mend it; logs tell no secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from mxgateway_server import logs
from mxgateway_server.config.settings import Settings, load, split_address
from mxgateway_server.errors import ConfigurationError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("MXGATEWAY__")]:
        monkeypatch.delenv(name)


def test_the_defaults_are_the_documented_ones() -> None:
    settings = load()
    assert (settings.listen, settings.listen_plaintext) == ("localhost:5001", "")
    assert settings.worker.startup_timeout_seconds == 30
    assert settings.worker.shutdown_timeout_seconds == 10
    assert (settings.worker.heartbeat_grace_seconds, settings.worker.heartbeat_stuck_ceiling_seconds) == (15, 75)
    assert settings.worker.pool_size == 2
    sessions = settings.sessions
    assert (sessions.max_sessions, sessions.max_pending_commands_per_session) == (64, 128)
    assert (sessions.default_lease_seconds, sessions.lease_sweep_interval_seconds) == (1800, 30)
    assert (sessions.detach_grace_seconds, sessions.max_event_subscribers_per_session) == (30, 8)
    assert sessions.default_command_timeout_seconds == 30
    events = settings.events
    assert (events.queue_capacity, events.backpressure_policy) == (10_000, "fail_fast")
    assert (events.replay_buffer_capacity, events.replay_retention_seconds) == (1024, 300)
    assert settings.protocol.max_grpc_message_bytes == 16 * 1024 * 1024
    assert settings.tls.validity_years == 10
    assert not settings.alarms.enabled


def test_flags_beat_environment_beats_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(
        '[sessions]\nmax_sessions = 1\ndefault_lease_seconds = 60\n[worker]\nbackend_options = {profile = "test"}\n'
    )
    monkeypatch.setenv("MXGATEWAY__SESSIONS__MAX_SESSIONS", "2")
    monkeypatch.setenv("MXGATEWAY__WORKER__ALLOWED_BACKENDS", '["replay"]')
    monkeypatch.setenv("MXGATEWAY__EVENTS__REQUIRE_SUBSCRIBER", "true")
    settings = load(file)
    assert (settings.sessions.max_sessions, settings.sessions.default_lease_seconds) == (2, 60)
    assert settings.worker.allowed_backends == ("replay",)
    assert settings.worker.backend_options == {"profile": "test"}
    assert settings.events.require_subscriber
    assert load(file, {"sessions.max_sessions": 3}).sessions.max_sessions == 3


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"sessions.max_sessions": 0}, ["sessions.max_sessions", "MXGATEWAY__SESSIONS__MAX_SESSIONS", "greater"]),
        ({"sessions.max_sesions": 1}, ["no such setting; did you mean sessions.max_sessions?"]),
        ({"sesions.max_sessions": 1}, ["sesions: no such setting; did you mean sessions?"]),
        ({"worker.max_sessions": 1}, ["did you mean sessions.max_sessions?"]),
        ({"nothing.like_it": 1}, ["nothing: no such setting; remove it"]),
        ({"worker.command": "python -m worker"}, ["worker.command", 'write a list, such as ["one", "two"]']),
        ({"worker": "simulator"}, ["worker: this is a section; write its options"]),
        ({"listen_plaintext": "0.0.0.0:5000"}, ["listen_plaintext = 0.0.0.0:5000", "allow_remote_plaintext"]),
        ({"listen_plaintext": "[::]:5000"}, ["allow_remote_plaintext"]),
        ({"listen_plaintext": "gateway.plant.example:5000"}, ["allow_remote_plaintext"]),
        ({"events.backpressure_policy": "panic"}, ["events.backpressure_policy", "drop_oldest"]),
        ({"listen": "nowhere"}, ["listen", "HOST:PORT"]),
        ({"listen": "::1:5001"}, ["brackets"]),
        ({"listen": "", "listen_plaintext": ""}, ["nothing to listen on"]),
        ({"tls.certificate_file": "a.pem"}, ["tls.certificate_file", "tls.key_file", "together"]),
        ({"authentication.mode": "disabled", "listen": "0.0.0.0:5001"}, ["loopback", "api_key"]),
        ({"worker.heartbeat_stuck_ceiling_seconds": 1}, ["heartbeat_stuck_ceiling_seconds", "raise"]),
        ({"worker.heartbeat_grace_seconds": 5}, ["heartbeat_grace_seconds", "heartbeat_interval_seconds", "raise"]),
        ({"sessions.max_command_timeout_seconds": 1}, ["max_command_timeout_seconds", "raise"]),
        ({"alarms.subscription_expression": "area"}, ["alarms.subscription_expression", "machine"]),
        ({"alarms.fallback.mode": "never"}, ["alarms.fallback.mode"]),
        ({"worker.backend": "nosuch"}, ["worker.backend", "MXGATEWAY__WORKER__BACKEND", "nosuch", "simulator"]),
        ({"worker.allowed_backends": ["nosuch"]}, ["worker.allowed_backends", "nosuch", "replay"]),
        ({"protocol.worker_protocol_version": 2}, ["protocol.worker_protocol_version"]),
    ],
)
def test_a_wrong_setting_is_named_with_the_remedy(flags: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(None, flags)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("address", ["localhost:5000", "127.0.0.1:0", "127.8.8.8:1", "[::1]:5000"])
def test_plaintext_is_free_on_loopback_and_elsewhere_by_name(address: str) -> None:
    assert load(None, {"listen_plaintext": address}).listen_plaintext == address
    load(None, {"listen_plaintext": "0.0.0.0:5000", "allow_remote_plaintext": True})


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("MXGATEWAY_LISTEN", "MXGATEWAY__LISTEN"),
        ("MXGATEWAY_SESSIONS_MAX_SESSIONS", "MXGATEWAY__SESSIONS__MAX_SESSIONS"),
        ("MXGATEWAY_TLS__KEY_FILE", "MXGATEWAY__TLS__KEY_FILE"),
    ],
)
def test_a_variable_that_would_do_nothing_is_refused(
    variable: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "hunter2")
    with pytest.raises(ConfigurationError, match=f"{variable} is not read; write {meant}") as caught:
        load()
    assert "hunter2" not in str(caught.value)


def test_the_clients_variables_are_none_of_the_gateways(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENDPOINT", "API_KEY", "CA_FILE", "CONFIG", "WORKER_NONCE", "INTEGRATION"):
        monkeypatch.setenv(f"MXGATEWAY_{name}", "x")
    load()


def test_a_wrong_value_is_not_repeated_since_it_may_be_a_secret() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(None, {"sessions.max_sessions": "hunter2"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"), [(None, "no such file"), (b"listen = ", "not TOML"), (b"\xff\xfe", "not TOML")]
)
def test_a_settings_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "gateway.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=words):
        load(file)


def test_settings_do_not_change_after_the_start() -> None:
    with pytest.raises(Exception, match="frozen"):
        Settings().listen = "x:1"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("address", "parts"),
    [("localhost:0", ("localhost", 0)), ("[::1]:5001", ("::1", 5001)), ("0.0.0.0:1", ("0.0.0.0", 1))],
)
def test_addresses_are_split(address: str, parts: tuple[str, int]) -> None:
    assert split_address(address) == parts


# --------------------------------------------------------------------------------------------------------------- logs


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
    ],
)
def test_nothing_that_looks_like_a_secret_passes(text: str) -> None:
    assert "SENTINEL" not in logs.redact(text)


@pytest.mark.parametrize("text", ["item=TestMachine_001.Speed value=3", "key_id=demo scopes=invoke:read"])
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert logs.redact(text) == text


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
