"""Names and numbers that are fixed for every gateway, worker and client of this contract."""

from __future__ import annotations

GATEWAY_PROTOCOL_VERSION = 3
"""Version of the public gRPC contract; a client compares its own with the gateway's when a session opens."""

MINIMUM_CLIENT_PROTOCOL_VERSION = 3
"""Oldest client version that this gateway serves: a gateway may be renewed before its clients."""

WORKER_PROTOCOL_VERSION = 1
"""Version of the pipe between gateway and worker, checked in every envelope."""

MAX_BULK_ITEMS = 1000
"""Most entries of one bulk call, and most commands in one message of a command stream."""

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Longest gRPC message in bytes; gateway and clients use the same limit."""

MAX_REQUEST_BYTES = 1024 * 1024
"""Longest request in bytes that carries no write and no bulk command, unless a gateway says otherwise."""

ENVELOPE_BYTES = 512
"""Most bytes that surround one command or one reply in its message."""

MAX_AGGREGATE_EVENTS = 10_000
"""Most events that a command collects before it prints them as one document."""

CAPABILITY_EVENT_BATCHES = "event-batches"
CAPABILITY_COMMAND_STREAM = "command-stream"
CAPABILITY_LIST_SESSIONS = "list-sessions"
CAPABILITY_CLIENT_HANDLES = "client-handles"
CAPABILITY_RECOVERED_VALUES = "recovered-values"
CAPABILITY_ALARM_BATCHES = "alarm-batches"
CAPABILITY_ALARM_HISTORY = "alarm-history"
CAPABILITY_ALARM_STATISTICS = "alarm-statistics"
"""Told by the status of the alarm monitor, as alarm calls have no session."""
CAPABILITY_BULK_READ = "bulk-read-commands"
CAPABILITY_BULK_WRITE = "bulk-write-commands"
