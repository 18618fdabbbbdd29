"""What a worker may have and what it tells of itself: the terms on which it is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from mxgateway_server.workers.watchdog import WatchdogLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """Bounds and times of one worker, in seconds; `memory` in bytes, 0 for any number."""

    max_pending: int = 128
    startup: float = 30.0
    shutdown: float = 10.0
    terminate: float = 2.0
    memory: int = 0
    watchdog: WatchdogLimits = field(default_factory=WatchdogLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerIdentity:
    """What a worker told of itself."""

    pid: int
    version: str
    backend_name: str
    prog_id: str
    class_id: str
