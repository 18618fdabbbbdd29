"""A wrong setting is told with its place, its name and the remedy, all of them at once, and never with its value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mxgateway_server.config.problems import REMOVED, summary
from mxgateway_server.config.settings import setting_names
from mxgateway_server.config.sources import Values, check, environment_name, load, read_environment
from mxgateway_server.errors import ConfigurationError


def refused(file: Path | None = None, flags: dict[str, object] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(file, flags)
    return str(caught.value)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"sessions.max_sessions": 0}, ["sessions.max_sessions: write a number that is at least 1"]),
        ({"sessions.max_sessions": 1.5}, ["sessions.max_sessions: write a whole number"]),
        ({"sessions.default_lease_seconds": 0}, ["sessions.default_lease_seconds: write a number above 0"]),
        ({"sessions.default_lease_seconds": float("inf")}, ["sessions.default_lease_seconds", "finite"]),
        ({"sessions.default_lease_seconds": float("nan")}, ["sessions.default_lease_seconds", "finite"]),
        ({"authentication.cache_seconds": 61}, ["authentication.cache_seconds: write a number that is at most 60"]),
        ({"events.require_subscriber": "perhaps"}, ["events.require_subscriber: write true or false"]),
        ({"sessions.max_sesions": 1}, ["no such setting; did you mean sessions.max_sessions?"]),
        ({"sesions.max_sessions": 1}, ["sesions: no such setting; did you mean sessions?"]),
        ({"worker.max_sessions": 1}, ["did you mean sessions.max_sessions?"]),
        ({"nothing.like_it": 1}, ["nothing: no such setting; remove it"]),
        ({"worker.command": "python -m worker"}, ["worker.command", 'write a list, such as ["one", "two"]']),
        ({"worker": "simulator"}, ["worker: this is a section; write its options"]),
        ({"state_dir": 5}, ["state_dir: write a text in quotes"]),
        ({"listen_plaintext": "0.0.0.0:5000"}, ["listen_plaintext = 0.0.0.0:5000", "allow_remote_plaintext"]),
        ({"listen_plaintext": "[::]:5000"}, ["allow_remote_plaintext"]),
        ({"listen_plaintext": "gateway.plant.example:5000"}, ["allow_remote_plaintext"]),
        ({"events.backpressure_policy": "panic"}, ["events.backpressure_policy", "drop_oldest"]),
        ({"listen": "nowhere"}, ["listen", "HOST:PORT"]),
        ({"listen": "::1:5001"}, ["brackets"]),
        ({"listen": "", "listen_plaintext": ""}, ["nothing to listen on"]),
        ({"tls.certificate_file": "a.pem"}, ["tls.certificate_file", "tls.key_file", "together"]),
        ({"authentication.mode": "disabled", "listen": "0.0.0.0:5001"}, ["loopback", "api_key"]),
        ({"authentication.mode": "off"}, ["authentication.mode: write one of: 'api_key' or 'disabled'"]),
        ({"worker.heartbeat_stuck_ceiling_seconds": 1}, ["heartbeat_stuck_ceiling_seconds", "raise"]),
        ({"worker.heartbeat_grace_seconds": 5}, ["heartbeat_grace_seconds", "heartbeat_interval_seconds", "raise"]),
        ({"sessions.max_command_timeout_seconds": 1}, ["max_command_timeout_seconds", "raise"]),
        ({"worker.backend": "nosuch"}, ["worker.backend", "simulator"]),
        ({"worker.allowed_backends": ["nosuch"]}, ["worker.allowed_backends", "replay"]),
        ({"alarms.enabled": True}, ["alarms.default_area", "alarms.subscription_expression"]),
        ({"alarms.subscription_expression": "Galaxy Line1"}, ["alarms.subscription_expression", "blanks"]),
        ({"alarms.subscription_expression": ["\\Galaxy!Line1", "Line2"]}, ["alarms.subscription_expression"]),
        ({"alarms.default_area": "Line 1"}, ["alarms.default_area", "without blanks"]),
        ({"alarms.time_zone": "Middle/Earth"}, ["alarms.time_zone", "Europe/Berlin"]),
        ({"alarms.statistics.bands": [499, 249]}, ["alarms.statistics.bands", "each higher"]),
        ({"alarms.statistics.bands": [0, 999]}, ["alarms.statistics.bands", "from 1 to 999"]),
        ({"alarms.statistics.bands": list(range(89, 1000, 91))}, ["alarms.statistics.bands", "10 bands at most"]),
        ({"alarms.fallback.consecutive_failure_threshold": 0}, ["consecutive_failure_threshold", "at least 1"]),
        (
            {
                "alarms.enabled": True,
                "alarms.default_area": "Plant",
                "alarms.fallback.mode": "attributes",
                "alarms.fallback.discovery.use_galaxy": False,
            },
            ["alarms.fallback.mode", "alarms.fallback.discovery.include"],
        ),
    ],
)
def test_a_wrong_setting_is_named_with_the_remedy(flags: dict[str, object], words: list[str]) -> None:
    text = refused(None, flags)
    for word in words:
        assert word in text


@pytest.mark.parametrize("address", ["localhost:5000", "127.0.0.1:0", "127.8.8.8:1", "[::1]:5000"])
def test_plaintext_is_free_on_loopback_and_elsewhere_by_name(address: str) -> None:
    assert load(None, {"listen_plaintext": address}).listen_plaintext == address
    named = {"worker.backend": "simulator"}
    load(None, {"listen_plaintext": "0.0.0.0:5000", "allow_remote_plaintext": True, **named})


@pytest.mark.parametrize("address", ["0.0.0.0:5001", "[::]:5001", "192.168.1.5:5001", "gateway.plant.example:5001"])
def test_simulated_values_are_offered_to_other_machines_only_by_name(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, more in (("listen", {}), ("listen_plaintext", {"allow_remote_plaintext": True})):
        flags = {name: address, **more}
        text = refused(None, flags)
        assert "SIMULATED" in text
        assert "worker.backend" in text
        # Naming it is meaning it, whether by flag, file or variable, and even where it is the default's own name.
        for backend in ("simulator", "replay", "com"):
            load(None, {**flags, "worker.backend": backend})
        file = tmp_path / "gateway.toml"
        file.write_text('[worker]\nbackend = "simulator"\n', encoding="utf-8")
        load(file, flags)
        monkeypatch.setenv("MXGATEWAY__WORKER__BACKEND", "simulator")
        load(None, flags)
        monkeypatch.delenv("MXGATEWAY__WORKER__BACKEND")
        # Whoever names another option of workers has not named the backend.
        assert "SIMULATED" in refused(None, {**flags, "worker.pool_size": 1})
    load(None, {"listen": "localhost:5001"})


def test_each_mistake_is_told_with_its_place_and_conflicts_beside_single_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(
        '[sessions]\nmax_sessions = 0\n\n[tls]\nkey_file = "k.pem"\n[worker]\nheartbeat_grace_seconds = 1\n'
    )
    monkeypatch.setenv("MXGATEWAY__EVENTS__QUEUE_CAPACITY", "many")
    lines = refused(file, {"worker.backend": "nosuch"}).splitlines()
    assert lines[0] == "5 settings are wrong:"
    assert [line.split(": ")[0].strip() for line in lines[1:]] == [
        f"{file}:2",
        "MXGATEWAY__EVENTS__QUEUE_CAPACITY",
        "--backend",
        f"{file}:7",
        f"{file}:5",
    ]


def test_what_is_wrong_by_itself_is_not_told_again_as_a_conflict() -> None:
    text = refused(None, {"listen": "nowhere", "authentication.mode": "disabled", "worker.backend": 5})
    assert len(text.splitlines()) == 3, text


def test_wrong_alarm_options_stop_the_start_all_at_once() -> None:
    """Edge case 9 (Server-026): not at the first use."""
    text = refused(
        None,
        {
            "alarms.enabled": True,
            "alarms.time_zone": "Middle/Earth",
            "alarms.fallback.failback_stable_probes": 0,
            "alarms.poll_interval_ms": 1,
        },
    )
    assert len(text.splitlines()) == 5, text
    for name in ("alarms.default_area", "alarms.time_zone", "failback_stable_probes", "alarms.poll_interval_ms"):
        assert name in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[galaxy]\ndashboard_refresh_interval_seconds = 5\n", "galaxy.poll_interval_seconds now; rename it"),
        ("[protocol]\nworker_protocol_version = 1\n", "remove it"),
    ],
)
def test_a_setting_of_an_earlier_version_is_refused_once_with_the_remedy(
    tmp_path: Path, content: str, words: str
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(content)
    text = refused(file)
    assert words in text
    assert text.startswith(f"settings: {file}:")
    assert len(text.splitlines()) == 1
    assert "did you mean" not in text


def test_no_removed_setting_is_there_again() -> None:
    assert not [name for name in setting_names() if any(f"{name}.".startswith(f"{gone}.") for gone in REMOVED)]


@pytest.mark.parametrize("name", list(setting_names()))
def test_a_wrong_value_is_not_repeated_since_it_may_be_a_secret(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(environment_name(name), "hunter2")
    values = Values()
    read_environment(os.environ, values)
    _, problems = check(values)
    text = summary(problems)
    assert not problems or name in text
    assert "hunter2" not in text
