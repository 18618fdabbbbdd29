"""The worker's command line and environment, checked before anything else happens."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mxgateway_contract.constants import WORKER_PROTOCOL_VERSION
from mxgateway_protocol.contract import (
    EVENT_QUEUE_CAPACITY,
    MAX_FRAME_BYTES,
    MAX_SESSION_ITEMS,
    MAX_SESSION_REGISTRATIONS,
    NONCE_VARIABLE,
    WorkerExit,
)
from mxgateway_worker.backends import BACKENDS
from mxgateway_worker.event_queue import Policy


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker was started with. Times in seconds."""

    session_id: str
    backend: str
    nonce: str = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    policy: Policy = Policy.FAIL_FAST
    event_queue_capacity: int = EVENT_QUEUE_CAPACITY
    heartbeat_interval: float = 5.0
    heartbeat_grace: float = 15.0
    stuck_ceiling: float = 75.0
    shutdown_grace: float = 10.0
    read_timeout: float = 5.0
    max_frame_bytes: int = MAX_FRAME_BYTES
    max_items: int = MAX_SESSION_ITEMS
    max_registrations: int = MAX_SESSION_REGISTRATIONS
    allow_fault_injection: bool = False
    allow_backend_path: bool = False
    sandbox: str = "off"
    log_level: str = "info"


class ArgumentsError(Exception):
    """The worker cannot start with these arguments.

    Attributes:
        exit_code: what the process ends with.
    """

    def __init__(self, exit_code: WorkerExit, message: str) -> None:
        self.exit_code = exit_code
        super().__init__(message)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise ArgumentsError(WorkerExit.INVALID_ARGUMENTS, message)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"must be more than 0, not {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {text}")
    return value


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError("must be KEY=VALUE")
    return name, value


def _parser() -> _Parser:
    parser = _Parser(prog="python -m mxgateway_worker", description="One session's worker; started by the gateway.")
    add = parser.add_argument
    add("--session-id", required=True, metavar="ID")
    add("--protocol-version", required=True, metavar="N")
    add("--backend", required=True, metavar="NAME", help=", ".join(BACKENDS))
    add("--option", action="append", default=[], type=_option, metavar="KEY=VALUE", help="option of the backend")
    add("--backpressure-policy", choices=[policy.value for policy in Policy], default=Policy.FAIL_FAST.value)
    add("--event-queue-capacity", type=_count, default=EVENT_QUEUE_CAPACITY, metavar="N")
    add("--heartbeat-interval", type=_positive, default=5.0, metavar="SECONDS")
    add("--heartbeat-grace", type=_positive, default=15.0, metavar="SECONDS")
    add("--stuck-ceiling", type=_positive, default=75.0, metavar="SECONDS")
    add("--shutdown-grace", type=_positive, default=10.0, metavar="SECONDS")
    add("--read-timeout", type=_positive, default=5.0, metavar="SECONDS", help="ReadBulk without a time of its own")
    add("--max-frame-bytes", type=_count, default=MAX_FRAME_BYTES, metavar="N", help="longest message, both ways")
    add("--max-items", type=_count, default=MAX_SESSION_ITEMS, metavar="N", help="items of the session")
    add("--max-registrations", type=_count, default=MAX_SESSION_REGISTRATIONS, metavar="N", help="server handles of it")
    add("--allow-fault-injection", action="store_true")
    add("--allow-backend-path", action="store_true", help="for tests: --backend may be module:factory")
    add("--sandbox", choices=["auto", "off", "required"], default="off", help="give up what is not needed (Linux)")
    add("--log-level", choices=["debug", "info", "warning", "error"], default="info")
    return parser


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> WorkerSettings:
    """The settings in the arguments (without the program's name) and the environment.

    Raises:
        ArgumentsError: one is missing, unknown or wrong.
        SystemExit: help was asked for.
    """
    given = _parser().parse_args(arguments)
    if given.protocol_version != str(WORKER_PROTOCOL_VERSION):
        raise ArgumentsError(
            WorkerExit.INVALID_PROTOCOL_VERSION,
            f"--protocol-version {given.protocol_version}: this worker speaks version {WORKER_PROTOCOL_VERSION}",
        )
    if not given.session_id:
        raise ArgumentsError(WorkerExit.INVALID_ARGUMENTS, "--session-id is empty")
    if given.backend not in BACKENDS and not (given.allow_backend_path and ":" in given.backend):
        raise ArgumentsError(
            WorkerExit.INVALID_ARGUMENTS, f"--backend {given.backend}: unknown; there are {', '.join(BACKENDS)}"
        )
    options: dict[str, str] = {}
    for name, value in given.option:
        if name in options:
            raise ArgumentsError(WorkerExit.INVALID_ARGUMENTS, f"--option {name} is given twice")
        options[name] = value
    if "fault" in options and not given.allow_fault_injection:
        raise ArgumentsError(WorkerExit.INVALID_ARGUMENTS, "--option fault needs --allow-fault-injection")
    nonce = environment.get(NONCE_VARIABLE, "")
    if not nonce:
        raise ArgumentsError(WorkerExit.MISSING_NONCE, f"the environment variable {NONCE_VARIABLE} is not set")
    return WorkerSettings(
        session_id=given.session_id,
        backend=given.backend,
        nonce=nonce,
        options=options,
        policy=Policy(given.backpressure_policy),
        event_queue_capacity=given.event_queue_capacity,
        heartbeat_interval=given.heartbeat_interval,
        heartbeat_grace=given.heartbeat_grace,
        stuck_ceiling=given.stuck_ceiling,
        shutdown_grace=given.shutdown_grace,
        read_timeout=given.read_timeout,
        max_frame_bytes=given.max_frame_bytes,
        max_items=given.max_items,
        max_registrations=given.max_registrations,
        allow_fault_injection=given.allow_fault_injection,
        allow_backend_path=given.allow_backend_path,
        sandbox=given.sandbox,
        log_level=given.log_level,
    )
