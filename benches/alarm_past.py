"""The alarms' past: what a change costs the history and the figures, and what a question to a full file costs."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from benches.alarm_server import AREAS, transition
from benches.figures import latency_ms
from mxgateway_server.alarms.decoding import AlarmDecoder
from mxgateway_server.alarms.figures.computing import FigureRules
from mxgateway_server.alarms.figures.keeper import FigureKeeper
from mxgateway_server.alarms.history.file import HistoryFile, HistoryLimits
from mxgateway_server.alarms.history.reading import HistoryReader, Question
from mxgateway_server.alarms.history.rows import CHANGE_COLUMNS
from mxgateway_server.alarms.model import Change, Kind, Origin

ALARMS = 2000
RELOADED = 500_000
"""Changes that a gateway takes into its figures when it starts."""
_PORTION = 1000
_RELOADED_TOGETHER = 5000
_FIGURED = 50_000
_DAY = 24 * 3600 * 10**9
_FLOOR_ROWS = 100_000


def measure_history(folder: Path, rows: int, seconds: float) -> dict[str, Any]:
    """A file of so many changes of one day: how fast more are written to it, and how fast it answers."""
    path = folder / "alarms.db"
    begin_ns = time.time_ns() - _DAY
    step = _DAY // max(rows, 1)
    file = HistoryFile(path, HistoryLimits(max_rows=2 * rows + 10_000_000))
    first = 3 * ALARMS
    for portion in portions(1, first, begin_ns, step):
        file.append(portion)
    file.close()
    _multiply(path, first, rows, begin_ns, step)
    file = HistoryFile(path, HistoryLimits(max_rows=2 * rows + 10_000_000))
    written, spent, cpu = 0, 0.0, 0.0
    for portion in portions(max(rows, first) + 1, 10_000_000, begin_ns, step):
        start, used = time.perf_counter(), time.thread_time()
        file.append(portion)
        spent += time.perf_counter() - start
        cpu += time.thread_time() - used
        written += len(portion)
        if spent >= seconds:
            break
    questions = _questions(path)
    reloaded = _reload(path, max(rows, first) + written)
    bounds = file.bounds()
    file.close()
    return {
        "rows": bounds.changes,
        "written": written,
        "changesPerSecond": round(written / spent),
        "microsecondsPerChange": round(1e6 * spent / written, 1),
        "cpuMicrosecondsPerChange": round(1e6 * cpu / written, 1),
        "floorPerSecond": _floor(folder / "floor.db"),
        "bytesPerChange": round(bounds.file_bytes / bounds.changes),
        "firstPageMs": questions,
        **reloaded,
    }


def portions(first: int, count: int, begin_ns: int, step: int) -> Iterator[list[Change]]:
    """Changes one after the other, so many at most, in the portions in which they are written."""
    decoder = AlarmDecoder(lambda area: (area,))
    reports = [
        decoder.report(transition(number, turn, 0).on_alarm_transition) for turn in range(3) for number in range(ALARMS)
    ]
    for start in range(first, first + count, _PORTION):
        found = []
        for number in range(start, min(start + _PORTION, first + count)):
            report = reports[(number - 1) % len(reports)]
            at_ns = begin_ns + number * step
            alarm = report.alarm.having(changed_ns=at_ns)
            found.append(Change(number, Kind(report.kind), Origin.LIVE, alarm, None, alarm.state.is_listed, at_ns))
        yield found


def _multiply(path: Path, first: int, rows: int, begin_ns: int, step: int) -> None:
    """The changes that are there again and again, each later than the one before: a full file, made in seconds."""
    rest = ", ".join(name for name in CHANGE_COLUMNS if name not in ("sequence", "received", "at"))
    with closing(sqlite3.connect(path)) as connection, connection:
        indexes = connection.execute("SELECT name, sql FROM sqlite_master WHERE name LIKE 'change_%'").fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute("CREATE TEMP TABLE base AS SELECT * FROM change")
        connection.execute(
            "WITH RECURSIVE n(turn) AS (SELECT 1 UNION ALL SELECT turn + 1 FROM n WHERE (turn + 1) * :first < :rows) "
            f"INSERT INTO change (sequence, received, at, {rest}) "
            "SELECT turn * :first + sequence, :begin + (turn * :first + sequence) * :step, "
            f":begin + (turn * :first + sequence) * :step, {rest} FROM n CROSS JOIN base "
            "WHERE turn * :first + sequence <= :rows",
            {"first": first, "rows": rows, "begin": begin_ns, "step": step},
        )
        for _, statement in indexes:
            connection.execute(statement)
        # The list after the copies is the one before them; else the first writing would go through them all.
        connection.execute("UPDATE meta SET value = ? WHERE name = 'listed'", (str(max(rows, first)),))


def _questions(path: Path) -> dict[str, float]:
    """The first page of one area's last day."""
    reader, samples = HistoryReader(path), []
    for turn in range(20):
        area = f"Area_{turn % AREAS}"
        start = time.perf_counter()
        reader.page(Question(page=500), takes_source=lambda source, area=area: source.area == area)  # type: ignore[misc]
        samples.append(time.perf_counter() - start)
    return latency_ms(samples)


def _reload(path: Path, last: int) -> dict[str, float]:
    """What a start takes into the figures, and what each change costs them when it comes."""
    reader, keeper = HistoryReader(path), FigureKeeper({}, FigureRules(), 0.0)
    start, used = time.perf_counter(), time.thread_time()
    reached, reloaded = max(0, last - RELOADED), 0
    while found := reader.moments(reached, last, _RELOADED_TOGETHER):
        reached = found[-1].sequence
        keeper.restore(found, 0.0)
        reloaded += len(found)
    seconds, cpu = time.perf_counter() - start, time.thread_time() - used
    changes = reader.after(max(0, last - _FIGURED), last, _FIGURED)
    used = time.thread_time()
    for change in changes:
        keeper.changed(change)
    return {
        "reloadedChanges": reloaded,
        "reloadSeconds": round(seconds, 2),
        "reloadCpuSeconds": round(cpu, 2),
        "figuresMicrosecondsPerChange": round(1e6 * (time.thread_time() - used) / max(1, len(changes)), 2),
    }


def _floor(path: Path) -> int:
    """Rows a second of bare SQLite with the same commits and indexes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("CREATE TABLE change (sequence INTEGER PRIMARY KEY, alarm, at, received, kind, state, text)")
        connection.execute("CREATE INDEX by_time ON change (at)")
        connection.execute("CREATE INDEX by_received ON change (received)")
        connection.execute("CREATE INDEX by_alarm ON change (alarm, at)")
        begin = time.perf_counter()
        for first in range(0, _FLOOR_ROWS, _PORTION):
            with connection:
                connection.executemany("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?)", _rows(first))
        return round(_FLOOR_ROWS / (time.perf_counter() - begin))


def _rows(first: int) -> Iterator[tuple[Any, ...]]:
    for n in range(first, first + _PORTION):
        yield n, n % ALARMS, n * 1000, n * 1000, n % 3, n % 3, b"0123456789abcdef" * 3
