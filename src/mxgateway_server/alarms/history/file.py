"""The history's one writing connection: appends changes, keeps the list as it is now, and lets the oldest go.

Blocks on the disk; one thread at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from mxgateway_server.alarms.history.rows import (
    CHANGE_COLUMNS,
    NULLABLE,
    SOURCE_COLUMNS,
    STATE_COLUMNS,
    alarm_of,
    change_row,
    source_of,
    source_row,
    state_row,
)
from mxgateway_server.alarms.history.schema import open_file
from mxgateway_server.alarms.model import Alarm, AlarmSource, Change

DAY_NS = 86_400 * 1_000_000_000
PORTION = 1000
_REMEMBERED_TEXTS = 20_000
_NOTE_USE_EVERY = 10_000
_NO_TEXT = (0, 1 << 62)
_RESERVE = 1_000_000
"""Numbers that are given up when the gateway ends without closing the file."""
_FOLD_EVERY = 20_000
"""Changes after which the list in the file is brought up to them: in a storm that is much less than with each."""
_AT_ONCE = 40
"""Changes of one statement. The interpreter lock is given up for each, and comes back late in a busy gateway. Not more:
an older SQLite takes 999 values at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLimits:
    """How much is kept; the oldest goes when one of them is reached.

    Attributes:
        max_days: age.
        max_rows: changes.
        max_bytes: size of the file.
    """

    max_days: float = 30.0
    max_rows: int = 2_000_000
    max_bytes: int = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What happened beside the changes: a switch of the provider, an acknowledgement that was asked for, a flood.

    Attributes:
        sequence: number of the last change before it.
        at_ns: when, UTC nanoseconds.
    """

    sequence: int
    at_ns: int
    event: str
    reference: str = ""
    key_id: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """Changes that the history does not have, both ends included."""

    from_sequence: int
    to_sequence: int
    at_ns: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What an earlier run left.

    Attributes:
        epoch: names the numbering.
        last: number of the last change, lost ones included.
        alarms: the list as it was then.
        has_list: whether there was one, be it empty.
        is_complete: whether nothing of it may be missing: the earlier run ended in order.
    """

    epoch: str
    last: int
    alarms: tuple[Alarm, ...]
    has_list: bool = False
    is_complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is there: times in UTC nanoseconds, 0 without changes; `complete_after` is the number after which no change
    is missing."""

    oldest_ns: int
    newest_ns: int
    changes: int
    file_bytes: int
    complete_after: int


def _insert(table: str, columns: Sequence[str], *, how: str = "INSERT", rows: int = 1) -> str:
    row = ", ".join("nullif(?, '')" if name in NULLABLE else "?" for name in columns)
    return f"{how} INTO {table} ({', '.join(columns)}) VALUES {', '.join([f'({row})'] * rows)}"


_ADD_SOURCE = (
    _insert("alarm", SOURCE_COLUMNS)
    + " ON CONFLICT (key) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in SOURCE_COLUMNS[1:])
)
_ADD_CHANGE = _insert("change", CHANGE_COLUMNS, how="INSERT OR REPLACE")
_ADD_CHANGES = _insert("change", CHANGE_COLUMNS, how="INSERT OR REPLACE", rows=_AT_ONCE)
_PUT_PRESENT = _insert("present", STATE_COLUMNS, how="INSERT OR REPLACE")
# The newest change of each alarm since the list was brought up. Not by the index of alarms, which has all of them; and
# by number first, as sorting whole rows would take as long as writing them.
_NEWEST = "sequence IN (SELECT max(sequence) FROM change NOT INDEXED WHERE sequence > ? GROUP BY alarm)"
_FOLD = (
    f"INSERT OR REPLACE INTO present ({', '.join(STATE_COLUMNS)}) "  # noqa: S608
    f"SELECT {', '.join(STATE_COLUMNS)} FROM change WHERE {_NEWEST} AND listed",
    f"DELETE FROM present WHERE alarm IN (SELECT alarm FROM change WHERE {_NEWEST} AND NOT listed)",  # noqa: S608
)


class HistoryFile:
    """The history for writing.

    Raises:
        UnusableHistoryError, OSError, sqlite3.Error: see `open_file`.
    """

    def __init__(self, path: Path, limits: HistoryLimits) -> None:
        self._path = path
        self._limits = limits
        self._connection = open_file(path)
        self._sources: dict[str, tuple[int, AlarmSource]] = {}
        # Number of each text, and the change that its last use is noted with.
        self._texts: dict[str, tuple[int, int]] = {"": _NO_TEXT}
        self._rows: int = self._one("SELECT count(*) FROM change")
        self._reserved = int(self._one("SELECT value FROM meta WHERE name = 'reserved'"))
        # Number of the last change that the list in the file has in it.
        self._listed = int(self._one("SELECT value FROM meta WHERE name = 'listed'"))
        self._was_closed = self._begin()

    def close(self) -> None:
        """Ends it in order: the numbering goes on where it is."""
        try:
            self._bring_list_up()
            self._connection.execute("UPDATE meta SET value = '1' WHERE name = 'is_closed'")
        finally:
            self._connection.close()

    def kept(self) -> Kept:
        """What an earlier run left."""
        self._bring_list_up()
        epoch = self._one("SELECT value FROM meta WHERE name = 'epoch'")
        adopted = self._one("SELECT count(*) FROM meta WHERE name = 'adopted'")
        return Kept(
            epoch=epoch,
            last=self._last(),
            alarms=self._present(),
            has_list=bool(adopted),
            is_complete=self._was_closed,
        )

    def bounds(self) -> Bounds:
        """What is there now."""
        oldest = self._one("SELECT coalesce(min(at), 0) FROM change")
        newest = self._one("SELECT coalesce(max(at), 0) FROM change")
        first = self._one("SELECT min(sequence) FROM change")
        lost = self._one("SELECT coalesce(max(to_sequence), 0) FROM loss")
        pages = self._one("PRAGMA page_count") - self._one("PRAGMA freelist_count")
        return Bounds(
            oldest_ns=oldest,
            newest_ns=newest,
            changes=self._rows,
            file_bytes=pages * self._one("PRAGMA page_size"),
            complete_after=max(lost, (first or lost + 1) - 1),
        )

    def append(self, changes: Sequence[Change], notes: Iterable[Note] = (), losses: Iterable[Loss] = ()) -> None:
        """Everything or nothing, in one transaction.

        Raises:
            sqlite3.Error: nothing was written.
        """
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            rows = [self._row(change) for change in changes]
            whole = len(rows) - len(rows) % _AT_ONCE
            for start in range(0, whole, _AT_ONCE):
                connection.execute(_ADD_CHANGES, tuple(chain.from_iterable(rows[start : start + _AT_ONCE])))
            connection.executemany(_ADD_CHANGE, rows[whole:])
            listed = self._listed
            if changes and changes[-1].sequence - listed >= _FOLD_EVERY:
                listed = self._fold(changes[-1].sequence)
            connection.executemany(
                "INSERT INTO note (sequence, at, event, reference, key_id, text) VALUES (?, ?, ?, ?, ?, ?)",
                [(note.sequence, note.at_ns, note.event, note.reference, note.key_id, note.text) for note in notes],
            )
            connection.executemany(
                "INSERT INTO loss (from_sequence, to_sequence, at, reason) VALUES (?, ?, ?, ?)",
                [(loss.from_sequence, loss.to_sequence, loss.at_ns, loss.reason) for loss in losses],
            )
            reserved = self._reserve(changes[-1].sequence) if changes else self._reserved
            connection.execute("COMMIT")
        except BaseException:
            self._undo()
            raise
        self._rows += len(rows)
        self._reserved, self._listed = reserved, listed

    def adopt(self, alarms: Iterable[Alarm]) -> None:
        """The list as it is now, whatever was known before.

        Raises:
            sqlite3.Error: nothing was written.
        """
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute("DELETE FROM present")
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('adopted', 'yes')")
            last = self._last()
            rest = iter(alarms)
            # Not all rows of a long list at once: what holds them stays with the process.
            while portion := [self._state(alarm, last) for alarm in islice(rest, PORTION)]:
                connection.executemany(_PUT_PRESENT, portion)
            self._note_listed(last)
            connection.execute("COMMIT")
        except BaseException:
            self._undo()
            raise
        self._listed = last
        # A list comes once: what held it is given back, and changes fill it again as they come.
        connection.execute("PRAGMA shrink_memory")

    def prune(self, now_ns: int) -> int:
        """Lets one portion of what is too old, or too much, go; returns how many changes that were.

        Raises:
            sqlite3.Error: nothing was written.
        """
        oldest_kept = now_ns - round(self._limits.max_days * DAY_NS)
        surplus = max(0, self._rows - self._limits.max_rows)
        if not surplus and self.bounds().file_bytes > self._limits.max_bytes:
            surplus = PORTION
        self._bring_list_up()
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            # By number, so that what is left has no holes.
            border = connection.execute(
                "SELECT max(sequence) FROM (SELECT sequence, row_number() OVER (ORDER BY sequence) AS place, received "
                "FROM change ORDER BY sequence LIMIT ?) WHERE place <= ? OR received < ?",
                (PORTION, surplus, oldest_kept),
            ).fetchone()[0]
            gone = 0
            if border is not None:
                gone = connection.execute("DELETE FROM change WHERE sequence <= ?", (border,)).rowcount
                connection.execute("DELETE FROM loss WHERE to_sequence <= ?", (border,))
                self._drop_texts(border)
            connection.execute("DELETE FROM note WHERE at < ?", (oldest_kept,))
            connection.execute("COMMIT")
        except BaseException:
            self._undo()
            raise
        self._rows -= gone
        if gone:
            connection.execute("PRAGMA incremental_vacuum(200)").fetchall()
        return gone

    # --------------------------------------------------------------------------------------------------------- details

    def _begin(self) -> bool:
        """Whether the earlier run had closed it."""
        connection = self._connection
        last = self._last()
        was_closed: bool = self._one("SELECT value FROM meta WHERE name = 'is_closed'") == "1"
        if not was_closed and self._reserved > last:
            # Readers may have got changes that were not written yet: their numbers must not be given again.
            connection.execute(
                "INSERT INTO loss (from_sequence, to_sequence, at, reason) VALUES (?, ?, ?, ?)",
                (last + 1, self._reserved, 0, "the gateway ended before it could write them, if there were any"),
            )
            last = self._reserved
        connection.execute("UPDATE meta SET value = '0' WHERE name = 'is_closed'")
        self._reserved = self._reserve(last)
        return was_closed

    def _last(self) -> int:
        written: int = self._one("SELECT coalesce(max(sequence), 0) FROM change")
        lost: int = self._one("SELECT coalesce(max(to_sequence), 0) FROM loss")
        return max(written, lost)

    def _reserve(self, last: int) -> int:
        if self._reserved - last >= _RESERVE // 2:
            return self._reserved
        self._connection.execute("UPDATE meta SET value = ? WHERE name = 'reserved'", (str(last + _RESERVE),))
        return last + _RESERVE

    def _bring_list_up(self) -> None:
        """Has the list in the file as it is after the last change."""
        newest = self._one("SELECT coalesce(max(sequence), 0) FROM change")
        if newest <= self._listed:
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            listed = self._fold(newest)
            self._connection.execute("COMMIT")
        except BaseException:
            self._undo()
            raise
        self._listed = listed

    def _fold(self, newest: int) -> int:
        for statement in _FOLD:
            self._connection.execute(statement, (self._listed,))
        self._note_listed(newest)
        return newest

    def _note_listed(self, sequence: int) -> None:
        self._connection.execute("UPDATE meta SET value = ? WHERE name = 'listed'", (str(sequence),))

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        # Numbers given within the transaction are void with it.
        self._sources.clear()
        self._texts = {"": _NO_TEXT}

    def _one(self, statement: str, *values: Any) -> Any:
        return self._connection.execute(statement, values).fetchone()[0]

    def _row(self, change: Change) -> tuple[Any, ...]:
        alarm, number = change.alarm, change.sequence
        comment = self._text(alarm.comment, number) if alarm.comment else 0
        return change_row(change, self._source(alarm.source), comment, self._text(alarm.description, number))

    def _state(self, alarm: Alarm, number: int) -> tuple[Any, ...]:
        texts = (self._text(alarm.comment, number), self._text(alarm.description, number))
        return state_row(alarm, self._source(alarm.source), *texts)

    def _source(self, source: AlarmSource) -> int:
        known = self._sources.get(source.key)
        if known is not None and (known[1] is source or known[1].facts() == source.facts()):
            return known[0]
        self._connection.execute(_ADD_SOURCE, source_row(source))
        number = int(self._one("SELECT id FROM alarm WHERE key = ?", source.key))
        self._sources[source.key] = (number, source)
        return number

    def _drop_texts(self, border: int) -> None:
        """Texts that no change after this one, and no alarm in the list, can have."""
        gone = self._connection.execute(
            "DELETE FROM text WHERE used < ? AND id NOT IN (SELECT comment FROM present) "
            "AND id NOT IN (SELECT description FROM present)",
            (border - _NOTE_USE_EVERY,),
        ).rowcount
        if gone:
            self._texts = {"": _NO_TEXT}

    def _text(self, text: str, sequence: int) -> int:
        """The number of a text that this change uses."""
        number, noted = self._texts.get(text) or self._find_text(text, sequence)
        if sequence - noted >= _NOTE_USE_EVERY:
            self._connection.execute("UPDATE text SET used = ? WHERE id = ?", (sequence, number))
            self._texts[text] = (number, sequence)
        return number

    def _find_text(self, text: str, sequence: int) -> tuple[int, int]:
        found = self._connection.execute("SELECT id, used FROM text WHERE text = ?", (text,)).fetchone()
        if found is None:
            added = self._connection.execute("INSERT INTO text (text, used) VALUES (?, ?)", (text, sequence))
            found = (added.lastrowid or 0, sequence)
        if len(self._texts) >= _REMEMBERED_TEXTS:
            self._texts = {"": _NO_TEXT}
        self._texts[text] = (int(found[0]), int(found[1]))
        return self._texts[text]

    def _present(self) -> tuple[Alarm, ...]:
        columns = [*(f"p.{name}" for name in STATE_COLUMNS), "c.text", "d.text", *(f"a.{n}" for n in SOURCE_COLUMNS)]
        rows = self._connection.execute(
            f"SELECT {', '.join(columns)} FROM present p JOIN alarm a ON a.id = p.alarm "  # noqa: S608
            "LEFT JOIN text c ON c.id = p.comment LEFT JOIN text d ON d.id = p.description ORDER BY a.key"
        )
        width = len(STATE_COLUMNS)
        return tuple(
            alarm_of(row[:width], source_of(row[width + 2 :]), row[width] or "", row[width + 1] or "") for row in rows
        )
