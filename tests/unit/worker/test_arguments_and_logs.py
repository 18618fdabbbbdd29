"""Command line, fault texts and log lines of a worker."""

from __future__ import annotations

import logging

import pytest

from mxgateway_contract.redaction import redact
from mxgateway_protocol.contract import NONCE_VARIABLE, WorkerExit
from mxgateway_worker import faults
from mxgateway_worker.arguments import ArgumentsError, parse
from mxgateway_worker.event_queue import Policy
from mxgateway_worker.logs import KeyValueFormatter

GOOD = ["--session-id", "s", "--protocol-version", "1", "--backend", "simulator"]
ENVIRONMENT = {NONCE_VARIABLE: "n"}


def test_defaults_are_those_of_the_reference() -> None:
    """Heartbeat 5 s, grace 15 s, ceiling 75 s, 10 000 events, fail fast."""
    settings = parse(GOOD, ENVIRONMENT)
    assert (settings.heartbeat_interval, settings.heartbeat_grace, settings.stuck_ceiling) == (5.0, 15.0, 75.0)
    assert (settings.event_queue_capacity, settings.policy) == (10_000, Policy.FAIL_FAST)
    assert not settings.allow_fault_injection
    assert "nonce" not in repr(settings)


def test_options_are_key_value_pairs() -> None:
    """A value may hold an equals sign."""
    settings = parse([*GOOD, "--option", "galaxy=/a=b", "--option", "profile=test"], ENVIRONMENT)
    assert settings.options == {"galaxy": "/a=b", "profile": "test"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--option", "galaxy"], "--option"),
        (["--option", "=x"], "--option"),
        (["--option", "a=1", "--option", "a=2"], "twice"),
        (["--event-queue-capacity", "0"], "--event-queue-capacity"),
        (["--heartbeat-interval", "soon"], "--heartbeat-interval"),
        (["--backpressure-policy", "hope"], "--backpressure-policy"),
        (["--backend", "com2"], "--backend"),
        (["--backend", "os:abort"], "--backend"),
        (["--option", "fault=crash"], "--allow-fault-injection"),
        (["--session-id", ""], "--session-id"),
    ],
)
def test_a_wrong_argument_is_named(arguments: list[str], named: str) -> None:
    """The message names the argument; the exit code says that arguments are wrong."""
    with pytest.raises(ArgumentsError, match=named) as caught:
        parse([*GOOD, *arguments], ENVIRONMENT)
    assert caught.value.exit_code is WorkerExit.INVALID_ARGUMENTS


def test_an_empty_nonce_is_a_missing_one() -> None:
    """The environment variable must hold something."""
    with pytest.raises(ArgumentsError, match=NONCE_VARIABLE):
        parse(GOOD, {NONCE_VARIABLE: ""})


def test_fault_options_have_a_name_and_parameters() -> None:
    """`name` or `name:key=value,key=value`."""
    assert faults.parse("crash") == ("crash", {})
    assert faults.parse("slow_call:method=write,seconds=2") == ("slow_call", {"method": "write", "seconds": "2"})
    for text in ("", ":a=b", "x:y"):
        with pytest.raises(ValueError):
            faults.parse(text)


@pytest.mark.parametrize(
    "text",
    ["nonce=abc", "password: abc", 'verify_user_password="abc"', "API_KEY = abc", "x token=abc,y", "{'secret': 'abc'}"],
)
def test_secrets_are_blotted_out_by_name(text: str) -> None:
    """Whatever is named like a secret loses its value."""
    assert "abc" not in redact(text)


def test_a_log_line_is_one_line_of_pairs() -> None:
    """Line breaks and quotes in a message stay inside it."""
    record = logging.LogRecord("a.b", logging.INFO, "f", 1, 'say "%s"', ("x\ny",), None)
    line = KeyValueFormatter("s1").format(record)
    assert line.endswith('level=info session=s1 logger=a.b msg="say \\"x\\ny\\""')
    assert "\n" not in line
