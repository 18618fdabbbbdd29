"""From pictures of the gateway to what the dashboard shows: rates over the time between two, and their history.

Pure: it is given a picture and the time. Every counter that it makes rates of is counted by its owner anyway.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from mxgateway_server.dashboard.attention import AttentionRules, attention
from mxgateway_server.dashboard.series import SeriesBook, rate
from mxgateway_server.sessions.picture import SessionStatus
from mxgateway_server.status import GatewayStatus, to_json

FINE_SECONDS = 600
MINUTES = 1440
SESSION_SECONDS = 300
GAP_SECONDS = 2.5
"""Intervals above this are gaps: what happened in them is no rate of now."""
MAX_GAP_SAMPLES = 60

MAX_FAULTS = 10

GATEWAY_SERIES = (
    "eventsIn",
    "commands",
    "dropped",
    "sessions",
    "workers",
    "waiting",
    "loopLag",
    "cpu",
    "memory",
)
SESSION_SERIES = ("events", "commands", "dropped", "waiting", "inFlight")


@dataclass(slots=True)
class _Seen:
    """What is remembered of a session from picture to picture."""

    events: int
    commands: int
    dropped: int
    series: SeriesBook = field(default_factory=lambda: SeriesBook(SESSION_SERIES, seconds=SESSION_SECONDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """The gateway's own process: seconds of CPU that it has used, bytes of memory, and how late its loop ran, in
    seconds; NaN for what cannot be told."""

    cpu_seconds: float = math.nan
    memory_bytes: float = math.nan
    loop_lag: float = math.nan


class Sampler:
    """Keeps what happened, picture after picture."""

    def __init__(self, rules: AttentionRules) -> None:
        self._rules = rules
        self._number = 0
        self._before: GatewayStatus | None = None
        self._process = Process()
        self._at = 0.0
        self._seen: dict[str, _Seen] = {}
        self._series = SeriesBook(GATEWAY_SERIES, seconds=FINE_SECONDS, minutes=MINUTES)

    def take(self, status: GatewayStatus, process: Process, now: float) -> dict[str, Any]:
        """The frame that follows from a picture at a monotonic time in seconds."""
        seconds = now - self._at if self._before is not None else 0.0
        is_gap = seconds > GAP_SECONDS
        if is_gap:
            self._series.gap(min(int(seconds) - 1, MAX_GAP_SAMPLES))
        over = 0.0 if is_gap else seconds
        rows = [self._row(session, over) for session in status.sessions]
        alive = {session.session_id for session in status.sessions}
        self._seen = {session_id: seen for session_id, seen in self._seen.items() if session_id in alive}
        totals = _sums(rows)
        cpu = rate(self._process.cpu_seconds, process.cpu_seconds, over) if over else math.nan
        if over:
            self._series.add(
                {
                    **{name: totals[name] for name in ("eventsIn", "commands", "dropped", "waiting")},
                    "sessions": len(rows),
                    "workers": status.workers.alive,
                    "loopLag": process.loop_lag,
                    "cpu": cpu,
                    "memory": process.memory_bytes,
                }
            )
        self._number += 1
        self._before, self._process, self._at = status, process, now
        return {
            "n": self._number,
            "at": status.taken_ns // 1_000_000,
            "uptime": status.uptime_seconds,
            "isStopping": status.is_stopping,
            "health": to_json(status.health),
            "maxSessions": status.max_sessions,
            "totals": to_json(status.session_totals),
            "workers": to_json(status.workers),
            "liveStreams": status.live_streams,
            "rates": totals,
            "process": {"cpu": _plain(cpu), "memory": _plain(process.memory_bytes), "lag": _plain(process.loop_lag)},
            "galaxy": to_json(status.galaxy),
            "audit": to_json(status.audit),
            "certificate": None if status.certificate is None else to_json(status.certificate),
            "alarms": None if status.alarms is None else to_json(status.alarms),
            "faults": [
                {
                    "at": fault.at_ns // 1_000_000,
                    "sessionId": fault.session_id,
                    "name": fault.name,
                    "key": fault.owner_key_id,
                    "reason": fault.reason,
                    "text": fault.text,
                }
                for fault in status.faults[-MAX_FAULTS:]
            ],
            "sessions": rows,
        }

    def _row(self, session: SessionStatus, seconds: float) -> dict[str, Any]:
        dropped = session.events_dropped
        waiting = sum(stream.waiting_events for stream in session.event_streams)
        seen = self._seen.get(session.session_id)
        if seen is None:
            # What it did before the first look at it was done in no known time.
            seen = self._seen[session.session_id] = _Seen(session.events_received, session.commands_started, dropped)
        events = rate(seen.events, session.events_received, seconds)
        commands = rate(seen.commands, session.commands_started, seconds)
        lost = max(0.0, dropped - seen.dropped) / seconds if seconds else 0.0
        seen.events, seen.commands, seen.dropped = session.events_received, session.commands_started, dropped
        if seconds:
            # In the order of SESSION_SERIES.
            seen.series.add_row((events, commands, lost, waiting, session.commands_under_way))
        told: dict[str, Any] = to_json(session)
        # In milliseconds: no browser has digits for nanoseconds since 1970.
        told["opened"] = told.pop("openedNs") // 1_000_000
        told["eventsPerSecond"] = round(events, 2)
        told["commandsPerSecond"] = round(commands, 2)
        told["droppedPerSecond"] = round(lost, 2)
        told["dropped"] = dropped
        told["waiting"] = waiting
        told["silence"] = 0.0 if session.worker is None else round(session.worker.heartbeat_age_seconds, 1)
        told["why"] = attention(session, self._rules, dropped=lost)
        return told

    def history(self, span: str) -> dict[str, Any]:
        """The gateway's figures of the last five or ten minutes (`5m`, `10m`) by the second, or of the last hour or day
        (`1h`, `24h`) by the minute.

        Raises:
            KeyError: there is no such span.
        """
        count, step = {"5m": (300, 1), "10m": (FINE_SECONDS, 1), "1h": (60, 60), "24h": (MINUTES, 60)}[span]
        series: dict[str, Any] = self._series.seconds(count) if step == 1 else self._series.minutes(count)
        return {"span": span, "step": step, "series": series}

    def session_history(self, session_id: str) -> dict[str, list[float | None]]:
        """The figures of one session, by the second; nothing for one that is not there."""
        seen = self._seen.get(session_id)
        return {} if seen is None else seen.series.seconds(SESSION_SECONDS)


def _sums(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {
        "eventsIn": round(sum(row["eventsPerSecond"] for row in rows), 2),
        "commands": round(sum(row["commandsPerSecond"] for row in rows), 2),
        "dropped": round(sum(row["droppedPerSecond"] for row in rows), 2),
        "waiting": sum(row["waiting"] for row in rows),
    }


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 5)
