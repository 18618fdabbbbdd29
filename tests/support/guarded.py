"""The guard of a gateway without authentication, for tests of one service."""

from __future__ import annotations

from typing import cast

from mxgateway_protocol.clock import SystemClock
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.refusal_log import RefusalLog
from mxgateway_server.access.shares import Shares
from mxgateway_server.access.store import KeyStore
from mxgateway_server.rpc.connections import ConnectionWatch
from mxgateway_server.rpc.guard import Guard
from mxgateway_server.rpc.live_streams import LiveStreams


def open_guard() -> Guard:
    """Lets everybody in and tells errors as the gateway does; nothing reaches its audit."""
    clock = SystemClock()
    audit = AuditLog(cast("KeyStore", None), clock)
    return Guard(None, audit, LiveStreams(), RefusalLog(clock), ConnectionWatch(None), Shares())
