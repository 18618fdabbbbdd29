"""Names and numbers of the pipe between gateway and worker, and of the COM class behind it."""

from __future__ import annotations

from enum import IntEnum

NONCE_VARIABLE = "MXGATEWAY_WORKER_NONCE"
"""Environment variable that hands the worker its nonce; never on the command line, where other users can read it."""

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""Longest frame payload of the pipe, in bytes."""

EVENT_QUEUE_CAPACITY = 10_000
"""Most events that wait in a worker's queue or in a subscriber's queue before the backpressure policy acts."""

CALM_AFTER_ADDING = 5.0
"""Seconds after items were advised in which a full queue of events still counts as theirs: of their first values."""

MAX_SESSION_ITEMS = 50_000
"""Items that a session may hold, unless a gateway says otherwise."""

MAX_SESSION_REGISTRATIONS = 100
"""Registrations that a session may hold at once, unless a gateway says otherwise."""

PROG_ID = "LMXProxy.LMXProxyServer.1"
CLASS_ID = "{C30B52F5-2CB5-4760-AF0A-3A344A7EB5DC}"


class WorkerExit(IntEnum):
    """Exit codes of the worker process; the first five are decided before the backend is touched."""

    SUCCESS = 0
    UNEXPECTED_FAILURE = 1
    INVALID_ARGUMENTS = 2
    INVALID_PROTOCOL_VERSION = 3
    MISSING_NONCE = 4
    NONCE_REFUSED = 5
    PROTOCOL_VIOLATION = 6
    BACKEND_FAILED = 7
    GATEWAY_GONE = 8
    SHUTDOWN_TIMEOUT = 9
    OUT_OF_MEMORY = 10
