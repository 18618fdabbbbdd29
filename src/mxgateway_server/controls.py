"""What whoever runs the gateway can ask of it: how it is, other settings, a drain, and what it does right now."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import traceback
from collections.abc import Callable, Sequence
from traceback import FrameSummary
from typing import Any, TypeAlias

from mxgateway_server import logs
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.errors import InvalidRequestError
from mxgateway_server.health.watcher import HealthWatcher
from mxgateway_server.reloading import Reloading
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.status import GatewayStatus, StatusReader, to_json
from mxgateway_server.upgrade.upgrading import Upgrading

logger = logs.get_logger(__name__)

LEVELS = ("debug", "info", "warning", "error")
MAX_LEVEL_SECONDS = 86_400.0


class Drain:
    """Lets no session open any more, and stops the gateway when the last is over or the time is; a part of it."""

    def __init__(self, sessions: SessionManager, health: HealthWatcher, request_stop: Callable[[], None]) -> None:
        self._sessions = sessions
        self._health = health
        self._request_stop = request_stop
        self._seconds = 0.0
        self._begun = asyncio.Event()
        self._stop = asyncio.Event()

    def begin(self, seconds: float) -> None:
        """Begins it; one that has begun goes on as it is."""
        if not self._begun.is_set():
            self._seconds = seconds
            logger.info("drain_started", sessions=len(self._sessions), seconds=seconds)
            self._sessions.drain()
            self._health.watch_end()
            self._begun.set()

    async def run(self) -> None:
        """Waits for a drain, and then for its end."""
        async with asyncio.TaskGroup() as group:
            work = group.create_task(self._work())
            await self._stop.wait()
            work.cancel()

    async def stop(self) -> None:
        self._stop.set()

    async def _work(self) -> None:
        await self._begun.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._seconds):
                for session in self._sessions.sessions:
                    # What the gateway itself needs goes on for as long as somebody looks.
                    if not session.record.is_apart:
                        await session.ended.wait()
        logger.info("drain_ended", sessions=len(self._sessions))
        self._request_stop()


class Controls:
    """The actions of the control socket.

    Args:
        metrics: the metrics as text; None where there are none.
    """

    def __init__(
        self,
        *,
        status: StatusReader,
        reloading: Reloading,
        drain: Drain,
        upgrading: Upgrading,
        audit: AuditLog,
        metrics: Callable[[], str] | None = None,
    ) -> None:
        self._status = status
        self._reloading = reloading
        self._drain = drain
        self._upgrading = upgrading
        self._audit = audit
        self._metrics = metrics
        self._level_back: asyncio.TimerHandle | None = None

    @property
    def actions(self) -> dict[str, Callable[[dict[str, Any]], Any]]:
        """What can be asked, by name."""
        return {
            "diagnose": self.diagnose,
            "drain": self.drain,
            "log-level": self.log_level,
            "reload": self.reload,
            "status": self.status,
            "upgrade": self.upgrade,
        }

    async def status(self, _: dict[str, Any]) -> Any:
        """The whole picture."""
        return to_json(self._status.take())

    async def reload(self, _: dict[str, Any]) -> Any:
        """Takes changed settings; see Reloading."""
        found = await asyncio.to_thread(self._reloading.read)
        taken = self._reloading.take(found)
        self._note("settings-reloaded", {"changed": list(taken.changed), "needs_restart": list(taken.needs_restart)})
        return {"changed": list(taken.changed), "needsRestart": list(taken.needs_restart)}

    async def drain(self, request: dict[str, Any]) -> Any:
        """Begins to drain the gateway, and stops it at the end."""
        seconds = _number(request, "seconds", 0.0, 7 * 86_400.0)
        self._note("drain-started", {"seconds": seconds})
        self._drain.begin(seconds)
        return {"sessions": len(self._status.take().sessions)}

    async def upgrade(self, request: dict[str, Any]) -> Any:
        """Becomes the installed program, and answers only a dry run: whoever asks sees the connection end."""
        return await self._upgrading.upgrade(is_dry_run=request.get("dry_run") is True)

    async def log_level(self, request: dict[str, Any]) -> Any:
        """Changes the level of the log, for a while."""
        wanted = request.get("level")
        if wanted not in LEVELS:
            raise InvalidRequestError(f"level is one of {', '.join(LEVELS)}")
        seconds = _number(request, "seconds", 1.0, MAX_LEVEL_SECONDS)
        before = logs.level()
        self.set_level(wanted, seconds)
        self._note("log-level-changed", {"level": wanted, "seconds": seconds})
        return {"before": before, "level": wanted, "seconds": seconds}

    def set_level(self, level: str, seconds: float) -> None:
        """Changes the level of the log; after so many seconds it is again what the settings say."""
        if self._level_back is not None:
            self._level_back.cancel()
        logs.set_level(level)
        logger.warning("log_level_changed", to=level, seconds=seconds)
        loop = asyncio.get_running_loop()
        self._level_back = loop.call_later(seconds, lambda: logs.set_level(self._reloading.level))

    def close(self) -> None:
        """Forgets a level that would fall back."""
        if self._level_back is not None:
            self._level_back.cancel()

    async def diagnose(self, _: dict[str, Any]) -> Any:
        """What the process does now: tasks and threads with their stacks, without what their variables hold."""
        status = self._status.take()
        tasks = [(task.get_name(), _places(task)) for task in asyncio.all_tasks()]
        # Only what has to be is taken on the loop; thousands of records, and lines of source read from the disk, would
        # hold it for longer than calls may wait.
        return await asyncio.to_thread(_told, status, tasks, self._metrics)

    def _note(self, event: str, details: dict[str, Any]) -> None:
        self._audit.add(AuditRecord(event=event, outcome="ok", details=details))


def _number(request: dict[str, Any], name: str, least: float, most: float) -> float:
    value = request.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidRequestError(f"{name} is a number from {least:g} to {most:g}")
    return float(value)


_Places: TypeAlias = list[tuple[str, int, str]]
"""Where a task waits: file, line and function of each frame, the outermost first."""


def _places(task: asyncio.Task[Any]) -> _Places:
    return [(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name) for frame in task.get_stack(limit=20)]


def _told(
    status: GatewayStatus, tasks: Sequence[tuple[str, _Places]], metrics: Callable[[], str] | None
) -> dict[str, Any]:
    """What `diagnose` answers; any thread may call it."""
    return {
        "status": to_json(status),
        "metrics": "" if metrics is None else metrics(),
        "logs": [
            {"number": each.number, "level": each.level, "event": each.event, **_plain(each.facts)}
            for each in logs.recent.after()
        ],
        "tasks": [
            {"name": name, "stack": traceback.format_list([FrameSummary(*place) for place in places])}
            for name, places in tasks
        ],
        "threads": {str(number): traceback.format_stack(frame) for number, frame in sys._current_frames().items()},
        "gc": {"counts": list(gc.get_count()), "stats": gc.get_stats(), "frozen": gc.get_freeze_count()},
    }


def _plain(facts: Any) -> dict[str, Any]:
    return {
        name: value if isinstance(value, str | int | float | bool | None) else str(value)
        for name, value in facts.items()
        if name not in ("number", "level", "event")
    }
