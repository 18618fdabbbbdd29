"""Names and numbers that are fixed for every gateway, worker and client of this contract."""

from __future__ import annotations

from enum import IntEnum

GATEWAY_PROTOCOL_VERSION = 3
"""Version of the public gRPC contract, checked by clients when a session opens."""

WORKER_PROTOCOL_VERSION = 1
"""Version of the pipe between gateway and worker, checked in every envelope."""

NONCE_VARIABLE = "MXGATEWAY_WORKER_NONCE"
"""Environment variable that hands the worker its nonce; never on the command line, where other users can read it."""

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""Longest frame payload of the pipe, and longest gRPC message, in bytes."""

MAX_BULK_ITEMS = 1000
"""Most entries of one bulk command."""

EVENT_QUEUE_CAPACITY = 10_000
"""Most events that wait in a worker's queue or in a subscriber's queue before the backpressure policy acts."""

PROG_ID = "LMXProxy.LMXProxyServer.1"
CLASS_ID = "{C30B52F5-2CB5-4760-AF0A-3A344A7EB5DC}"

CAPABILITY_BULK_READ = "bulk-read-commands"
CAPABILITY_BULK_WRITE = "bulk-write-commands"
CAPABILITY_EVENT_BATCHES = "event-batches"
CAPABILITY_COMMAND_STREAM = "command-stream"


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
