"""Where lines of the log go: a thread of its own writes them, so that a slow disk or a full pipe stops no call.

What cannot be written is counted, and the gateway goes on. The last records are kept in memory, for whoever asks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TextIO

QUEUE_RECORDS = 10_000
WARNING_WAIT_SECONDS = 0.05
"""How long a warning waits for room at most; what is less is dropped at once."""
_END_SECONDS = 2.0
_SYSLOG = ((logging.ERROR, "<3>"), (logging.WARNING, "<4>"), (logging.INFO, "<6>"))
_DEBUG = "<7>"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record as it is kept in memory.

    Attributes:
        number: grows by one with each record.
        level: `debug`, `info`, `warning`, `error`.
        event: its name.
        facts: everything else of it, secrets replaced; the time as `timestamp`.
    """

    number: int
    level: str
    event: str
    facts: Mapping[str, Any]


class LogRing:
    """The last records.

    Attributes:
        counts: how many there were of each level.
        dropped: of them, those that were too many to be written.
        newest: number of the last one.
    """

    def __init__(self, size: int = 5000) -> None:
        self._records: deque[LogRecord] = deque(maxlen=size)
        self._lock = threading.Lock()
        self.counts: dict[str, int] = {}
        self.dropped = 0
        self.newest = 0

    def resize(self, size: int) -> None:
        """Keeps so many from now on."""
        with self._lock:
            self._records = deque(self._records, maxlen=size)

    def add(self, event: Mapping[str, Any]) -> None:
        """Takes a record as structlog has it; any thread may."""
        facts = dict(event)
        level, name = str(facts.pop("level", "info")), str(facts.pop("event", ""))
        with self._lock:
            self.newest += 1
            self.counts[level] = self.counts.get(level, 0) + 1
            self._records.append(LogRecord(self.newest, level, name, facts))

    def after(self, number: int = 0, limit: int | None = None) -> list[LogRecord]:
        """Records younger than this number, the oldest first; the youngest `limit` of them."""
        with self._lock:
            found = [each for each in self._records if each.number > number]
        return found if limit is None else found[max(0, len(found) - limit) :]


class LogWriter(logging.Handler):
    """Hands lines to its thread, which writes them.

    Args:
        write: writes one line, with its end; by default stderr, whatever that is then.
        file: rotated file beside it; None for none.
        max_bytes: length at which the file is put aside, and `count` how many of these are kept.
        ring: counts what had to be dropped.

    Attributes:
        unwritten: lines that stderr or the file did not take.
    """

    def __init__(
        self,
        write: Callable[[str], None] | None = None,
        *,
        file: Path | None = None,
        max_bytes: int = 20 * 1024 * 1024,
        count: int = 10,
        capacity: int = QUEUE_RECORDS,
        ring: LogRing | None = None,
    ) -> None:
        super().__init__()
        self._write = write or _to_stderr
        self._prefixes = write is None and _is_journal()
        self._file = _open(file, max_bytes, count)
        self._queue: queue.Queue[tuple[int, str] | threading.Event | None] = queue.Queue(capacity)
        self._ring = ring or LogRing()
        self.unwritten = 0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record; a thread writes it."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - what cannot be written must not end who told it
            self.handleError(record)
            return
        try:
            if record.levelno >= logging.WARNING:
                self._queue.put((record.levelno, line), timeout=WARNING_WAIT_SECONDS)
            else:
                self._queue.put_nowait((record.levelno, line))
        except queue.Full:
            self._ring.dropped += 1

    def close(self) -> None:
        """Writes what waits, for a moment, and ends the thread."""
        try:
            self._queue.put(None, timeout=WARNING_WAIT_SECONDS)
        except queue.Full:
            return  # whoever reads the lines reads no more: nothing of them can be saved
        self._thread.join(_END_SECONDS)
        if self._file is not None and not self._thread.is_alive():
            self._file.close()
        super().close()

    def flush_for(self, seconds: float) -> None:
        """Waits until what waits is written, at most so long."""
        written = threading.Event()
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(written)
            written.wait(seconds)

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            if isinstance(entry, threading.Event):
                entry.set()
                continue
            level, line = entry
            try:
                self._write(f"{_prefix(level)}{line}\n" if self._prefixes else f"{line}\n")
            except (OSError, ValueError):
                self.unwritten += 1
            if self._file is not None:
                self._to_file(self._file, level, line)

    def _to_file(self, file: RotatingFileHandler, level: int, line: str) -> None:
        record = logging.LogRecord("mxgateway", level, "", 0, line, None, None)
        try:
            if file.stream is not None and _is_gone(file.stream, file.baseFilename):
                file.stream.close()
                file.stream = None
            if file.shouldRollover(record):
                file.doRollover()
            if file.stream is None:
                file.stream = file._open()
            file.stream.write(f"{line}\n")
            file.stream.flush()
        except (OSError, ValueError):
            self.unwritten += 1


def _is_gone(stream: TextIO, name: str) -> bool:
    """Whether the file that is written is not the one that lies there: somebody put it aside, or its folder is new."""
    written = os.fstat(stream.fileno())
    try:
        there = os.stat(name)
    except OSError:
        return True
    return (written.st_dev, written.st_ino) != (there.st_dev, there.st_ino)


def _open(file: Path | None, max_bytes: int, count: int) -> RotatingFileHandler | None:
    if file is None:
        return None
    return RotatingFileHandler(
        file, maxBytes=max_bytes, backupCount=count, encoding="utf-8", errors="backslashreplace", delay=True
    )


def _to_stderr(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _prefix(level: int) -> str:
    return next((prefix for least, prefix in _SYSLOG if level >= least), _DEBUG)


def _is_journal() -> bool:
    """Whether stderr leads to systemd's journal, which takes the level from a prefix."""
    named = os.environ.get("JOURNAL_STREAM", "")
    try:
        there = os.fstat(2)
    except OSError:
        return False
    return named == f"{there.st_dev}:{there.st_ino}"
