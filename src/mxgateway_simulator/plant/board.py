"""What has been changed in the plant from outside: writes, acknowledgements, scan state, stopped engines.

One small SQLite file in WAL mode that all workers of a Galaxy watch. `PRAGMA data_version` tells at almost no cost
whether anybody else has written; then only entries with a higher sequence are read. Everything is mirrored in memory.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from mxgateway_simulator.errors import BoardError
from mxgateway_simulator.plant.alarms.states import Acknowledgement
from mxgateway_simulator.plant.entries import (
    ACK,
    VALUE,
    Entry,
    EntryError,
    Key,
    Switched,
    Written,
    decode,
    encode,
)
from mxgateway_simulator.watch.counter import SharedCounter

logger = logging.getLogger(__name__)

_BUSY_SECONDS = 2.0
# Changes that whoever keeps something by keys can catch up with.
_LATEST = 65_536
_WAL_ATTEMPTS, _WAL_PAUSE_SECONDS = 200, 0.01
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    kind TEXT NOT NULL, name TEXT NOT NULL, seq INTEGER NOT NULL, payload TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entry_seq ON entry (seq);
CREATE TABLE IF NOT EXISTS board (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class Entries:
    """Entries by kind and name, each with its own type."""

    def get(self, kind: str, name: str) -> Entry | None:
        """An entry of any kind, or None."""
        raise NotImplementedError

    def written(self, name: str) -> Written | None:
        """What was written to an attribute."""
        entry = self.get(VALUE, name)
        return entry if isinstance(entry, Written) else None

    def acked(self, name: str) -> Acknowledgement | None:
        """The last acknowledgement of an alarm."""
        entry = self.get(ACK, name)
        return entry if isinstance(entry, Acknowledgement) else None

    def switched(self, kind: str, name: str) -> Switched | None:
        """The scan state of an object (SCAN), or whether an engine runs (ENGINE); None where nobody ever switched."""
        entry = self.get(kind, name)
        return entry if isinstance(entry, Switched) else None


class Board(Entries):
    """The shared board, opened by one worker, or by a command that changes the plant.

    Args:
        path: the file; made when it is missing.
        build_id: the Galaxy that it belongs to; what stands on the board of another Galaxy is dropped.

    Raises:
        BoardError: it is corrupt, locked for too long, or cannot be written.
    """

    def __init__(self, path: str | Path, build_id: str) -> None:
        self.path = Path(path)
        self._entries: dict[Key, Entry] = {}
        self.revision = 0
        """Counts what has changed since the board was opened."""
        self._seen = 0
        self._unreported: set[Key] = set()
        self._latest: deque[Key] = deque(maxlen=_LATEST)
        self._kinds: set[str] = set()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        except (sqlite3.Error, OSError) as error:
            raise self._error("cannot be opened", error) from error
        try:
            self._prepare(build_id)
            self._data_version = self._version()
            self._read_new()
        except (sqlite3.Error, EntryError) as error:
            self._connection.close()
            raise self._error("cannot be read", error) from error
        self._unreported.clear()
        self._counter = self._open_counter()
        self._counted = b""

    def _open_counter(self) -> SharedCounter | None:
        try:
            return SharedCounter.beside(self.path)
        except OSError as error:
            # Others then find out by themselves, somewhat later.
            logger.warning("the board has no counter path=%s reason=%s", self.path, error)
            return None

    def _error(self, what: str, error: Exception) -> BoardError:
        corrupt = not isinstance(error, (sqlite3.OperationalError, OSError))
        remedy = (
            "remove it: only values written to the simulated plant are lost"
            if corrupt
            else "check who holds it, and that its directory can be written"
        )
        return BoardError(f"the plant's board {self.path} {what}: {error}; {remedy}")

    def _prepare(self, build_id: str) -> None:
        connection = self._connection
        # Making an empty board need not wait for the disk.
        connection.execute("PRAGMA synchronous = OFF")
        self._use_wal()
        self._make(build_id)
        connection.execute("PRAGMA synchronous = NORMAL")

    def _use_wal(self) -> None:
        # The first change to WAL does not wait for another worker that opens the same new board, whatever the timeout.
        for attempt in range(_WAL_ATTEMPTS):
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if attempt == _WAL_ATTEMPTS - 1:
                    raise
                time.sleep(_WAL_PAUSE_SECONDS)
            else:
                return

    def _make(self, build_id: str) -> None:
        connection = self._connection
        row = None
        with suppress(sqlite3.OperationalError):  # no such table: a new board
            row = connection.execute("SELECT value FROM board WHERE name = 'build_id'").fetchone()
        if row and row[0] == build_id:
            return
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        with self._transaction():
            row = connection.execute("SELECT value FROM board WHERE name = 'build_id'").fetchone()
            if row and row[0] == build_id:
                return
            if row:
                logger.warning("the board belonged to another Galaxy and starts empty path=%s", self.path)
            connection.execute("DELETE FROM entry")
            connection.execute("INSERT OR REPLACE INTO board VALUES ('build_id', ?)", (build_id,))

    def close(self) -> None:
        self._connection.close()
        if self._counter is not None:
            self._counter.close()

    def get(self, kind: str, name: str) -> Entry | None:
        """An entry, or None; as of the last poll or change."""
        return self._entries.get((kind, name))

    def holds(self, kind: str) -> bool:
        """Whether there has been an entry of a kind since the board was opened."""
        return kind in self._kinds

    def entries(self) -> dict[Key, Entry]:
        """All entries, as of the last poll or change."""
        return dict(self._entries)

    @property
    def sequence(self) -> int:
        """How far this board has been read; grows with each change, and is the same for all who have it open."""
        return self._seen

    @property
    def is_behind(self) -> bool:
        """Whether others have changed it since the last poll, as far as can be told without a system call."""
        return bool(self._unreported) or (self._counter is not None and self._counter.value != self._counted)

    def poll(self) -> set[Key]:
        """The keys that others have changed since the last poll.

        Raises:
            BoardError: the file can not be read any more.
        """
        if self._counter is not None:
            # Before reading: what comes in between shows as another number.
            self._counted = self._counter.value
        try:
            version = self._version()
            if version != self._data_version:
                self._data_version = version
                self._read_new()
        except (sqlite3.Error, EntryError) as error:
            raise self._error("cannot be read", error) from error
        if not self._unreported:
            return self._unreported
        changed, self._unreported = self._unreported, set()
        return changed

    def change(self, edit: Callable[[Edit], None]) -> None:
        """Runs an edit on the newest state in one transaction; all of it takes hold, or nothing.

        Raises:
            BoardError: the board stayed locked, or cannot be written.
        """
        changes = Edit(self._entries)
        try:
            with self._transaction():
                self._read_new()
                edit(changes)
                seq = self._seen
                for (kind, name), entry in changes.made.items():
                    seq += 1
                    self._connection.execute(
                        "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?)", (kind, name, seq, encode(entry))
                    )
        except (sqlite3.Error, EntryError) as error:
            raise self._error("cannot be written", error) from error
        self._seen = seq
        for key, entry in changes.made.items():
            self._mirror(key, entry)
        if changes.made and self._counter is not None:
            self._counted = self._counter.change()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _read_new(self) -> None:
        rows = self._connection.execute(
            "SELECT kind, name, seq, payload FROM entry WHERE seq > ? ORDER BY seq", (self._seen,)
        ).fetchall()
        for kind, name, seq, payload in rows:
            self._mirror((kind, name), decode(kind, payload))
            self._seen = seq
            self._unreported.add((kind, name))

    def changed_since(self, revision: int) -> set[Key] | None:
        """The keys that have changed since the board had a revision; None when that is too long ago to tell."""
        count = self.revision - revision
        if count > len(self._latest):
            return None
        return set(islice(reversed(self._latest), count))

    def _mirror(self, key: Key, entry: Entry | None) -> None:
        self.revision += 1
        self._latest.append(key)
        if entry is None:
            self._entries.pop(key, None)
        else:
            self._entries[key] = entry
            self._kinds.add(key[0])


class Edit(Entries):
    """Changes of the board under way: reads see what the same edit has put."""

    def __init__(self, entries: dict[Key, Entry]) -> None:
        self._entries = entries
        self.made: dict[Key, Entry | None] = {}

    def get(self, kind: str, name: str) -> Entry | None:
        key = (kind, name)
        return self.made[key] if key in self.made else self._entries.get(key)

    def put(self, kind: str, name: str, entry: Entry | None) -> None:
        """Sets an entry; None removes it."""
        self.made[kind, name] = entry
