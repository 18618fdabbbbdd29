"""Every setting has its sentence, is read by the gateway, and does not change after the start."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

import mxgateway_server
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.config.sections import POLICIES, Section
from mxgateway_server.config.settings import Settings, setting_names
from mxgateway_server.config.sources import load

SOURCE = Path(mxgateway_server.__file__).parent


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
    assert settings.galaxy.poll_interval_seconds == 30


def test_settings_do_not_change_after_the_start() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().listen = "x:1"  # type: ignore[misc]


def test_settings_made_without_a_source_are_checked_for_conflicts_too() -> None:
    with pytest.raises(ValidationError, match="nothing to listen on"):
        Settings(listen="")


def test_the_policies_are_those_of_the_contract() -> None:
    assert POLICIES == {
        "fail_fast": pb.BACKPRESSURE_POLICY_FAIL_FAST,
        "disconnect_subscriber": pb.BACKPRESSURE_POLICY_DISCONNECT_SUBSCRIBER,
        "drop_oldest": pb.BACKPRESSURE_POLICY_DROP_OLDEST,
        "conflate": pb.BACKPRESSURE_POLICY_CONFLATE,
    }
    for name, number in POLICIES.items():
        assert load(None, {"events.backpressure_policy": name}).events.policy == number


def _sections(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[str, type[BaseModel]]]:
    yield ".".join(path), model
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from _sections(kind, (*path, name))


SECTIONS = dict(_sections(Settings))


@pytest.mark.parametrize("name", list(setting_names()))
def test_each_setting_has_a_sentence_that_says_more_than_its_name(name: str) -> None:
    section, _, option = name.rpartition(".")
    sentence = SECTIONS[section].model_fields[option].description or ""
    assert sentence.rstrip().endswith((".", "`")), "a sentence of its own, as a docstring below the option"
    words = {word.strip(".,;:`").lower() for word in sentence.split()}
    assert words - set(option.split("_")) - {"the", "a", "of"}, "more than the words of its name"


class _Reads(ast.NodeVisitor):
    """The settings that a module reads: `….section.option`, also by a name that stands for the section."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self._names: dict[str, str] = {}
        self._classes = {kind.__name__: section for section, kind in SECTIONS.items()}

    def visit_arg(self, node: ast.arg) -> None:
        if isinstance(node.annotation, ast.Name) and node.annotation.id in self._classes:
            self._names[node.arg] = self._classes[node.annotation.id]

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                # With a starred one there is no telling which is whose.
                is_starred = any(isinstance(each, ast.Starred) for each in (*target.elts, *node.value.elts))
                pairs = [] if is_starred else list(zip(target.elts, node.value.elts, strict=True))
            for name, value in pairs:
                section = self._section(value)
                spelled = name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", None)
                if section is not None and spelled is not None:
                    self._names[spelled] = section
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        section = self._section(node.value)
        if section is not None:
            self.read.add(f"{section}.{node.attr}" if section else node.attr)
        self.generic_visit(node)

    def _section(self, node: ast.expr) -> str | None:
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
        if isinstance(node, ast.Attribute) and name in SECTIONS and self._section(node.value) == "":
            return name
        return self._names.get(name or "", "" if name in ("settings", "_settings") else None)


def _settings_read() -> set[str]:
    read = set()
    for file in SOURCE.rglob("*.py"):
        if file.parent.name == "config":
            continue
        reads = _Reads()
        # Twice: what a name stands for may be told below the function that uses it.
        for _ in range(2):
            reads.visit(ast.parse(file.read_text(encoding="utf-8")))
        read |= reads.read
    # What others read by a property of the section, and what permits or forbids while the settings are read.
    behind = {
        "state_dir": "state_path",
        "events.backpressure_policy": "events.policy",
        "alarms.subscription_expression": "alarms.expressions",
        **dict.fromkeys(("listen", "listen_client_certificates"), "tls_endpoints"),
        **dict.fromkeys(("operations.enabled", "operations.listen", "operations.listen_plaintext"), "http_endpoints"),
        "metrics.listen_plaintext": "http_endpoints",
    }
    return read | {name for name, property_name in behind.items() if property_name in read} | {"allow_remote_plaintext"}


def test_no_setting_does_nothing() -> None:
    assert sorted(set(setting_names()) - _settings_read()) == []


def test_a_setting_that_nobody_reads_would_be_found() -> None:
    reads = _Reads()
    reads.visit(ast.parse("def f(settings):\n    tls = settings.tls\n    return tls.key_file, settings.worker.command"))
    assert reads.read == {"tls", "worker", "tls.key_file", "worker.command"}
