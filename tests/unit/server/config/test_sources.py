"""Flags beat the environment, the environment beats the file; each value knows where it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from mxgateway_server.config.settings import setting_names
from mxgateway_server.config.sources import (
    Origin,
    Values,
    environment_name,
    load,
    load_configuration,
    read_environment,
)
from mxgateway_server.errors import ConfigurationError


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


def test_tables_of_several_sources_are_one_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[worker.backend_options]\nprofile = "a"\ngalaxy = "g.db"\n')
    monkeypatch.setenv("MXGATEWAY__WORKER__BACKEND_OPTIONS", '{profile = "b"}')
    assert load(file).worker.backend_options == {"profile": "b", "galaxy": "g.db"}
    monkeypatch.setenv("MXGATEWAY__WORKER__BACKEND_OPTIONS", "{}")
    assert load(file).worker.backend_options == {"profile": "a", "galaxy": "g.db"}


def test_each_value_knows_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(
        'listen = "localhost:1"\n\n[sessions]\nmax_sessions = 1\n[worker]\nbackend_options = {profile = "x"}\n'
    )
    monkeypatch.setenv("MXGATEWAY__EVENTS__QUEUE_CAPACITY", "7")
    flags = {"galaxy.connection_string": "plant", "listen": "", "listen_plaintext": "localhost:0"}
    configuration = load_configuration(file, flags)

    def told(name: str) -> tuple[str, str]:
        return configuration.origin(name).source, configuration.origin(name).place

    assert told("sessions.max_sessions") == ("file", f"{file}:4")
    assert told("worker.backend_options") == ("file", f"{file}:6")
    assert told("worker.backend_options.profile") == ("file", f"{file}:6")
    assert told("events.queue_capacity") == ("variable", "MXGATEWAY__EVENTS__QUEUE_CAPACITY")
    assert told("galaxy.connection_string") == ("flag", "--galaxy")
    assert told("listen_plaintext") == ("flag", "--listen-plaintext")
    assert told("listen") == ("flag", "--no-tls")
    assert told("tls.key_file") == ("default", "")
    assert str(configuration.origin("tls.key_file")) == "default"


def test_each_setting_has_a_variable_of_its_own() -> None:
    for name in setting_names():
        values = Values()
        read_environment({environment_name(name): "x"}, values)
        assert values.origins == {tuple(name.split(".")): Origin("variable", environment_name(name))}


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


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file; create it"),
        (b"listen = ", "not TOML"),
        (b"\xff\xfel\x00", "not UTF-8; save it"),
        (b'state_dir = "C:\\Program Files\\x"', "single quotes"),
        (b'state_dir = "C:\\Users\\x"', "single quotes"),
    ],
)
def test_a_settings_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "gateway.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=words) as caught:
        load(file)
    assert str(file) in str(caught.value)


def test_a_folder_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="folder"):
        load(tmp_path)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order-mark"])
def test_a_file_of_any_editor_is_read(tmp_path: Path, mark: bytes, newline: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_bytes(mark + newline.join(['state_dir = "/tmp/Ω"', "[sessions]", "max_sessions = 3", ""]).encode())
    configuration = load_configuration(file)
    assert (configuration.settings.state_dir, configuration.settings.sessions.max_sessions) == ("/tmp/Ω", 3)
    assert configuration.origin("sessions.max_sessions").place == f"{file}:3"
