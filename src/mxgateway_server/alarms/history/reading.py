"""Questions to the history: by time, area, priority, operator and whatever a filter takes, in pages that stay the same
while changes are added.

Blocks on the disk; each question has a connection to itself and a time limit.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mxgateway_server.alarms.figures.moments import REPEATED, SHOWN_MODES, TELLING, Moment
from mxgateway_server.alarms.history.file import Loss, Note
from mxgateway_server.alarms.history.rows import CHANGE_COLUMNS, SOURCE_COLUMNS, change_of, is_shelved, source_of
from mxgateway_server.alarms.history.schema import open_for_reading
from mxgateway_server.alarms.model import Alarm, AlarmSource, Change, Kind

MAX_SECONDS = 5.0
MAX_PAGE = 1000
_CHUNK = 2000
_STEPS = 10_000
_SOURCES_SECONDS = 60.0
_FAR = 1 << 62


class HistoryTooSlowError(Exception):
    """The answer would take too long; the text says what to do."""


class BadPageTokenError(Exception):
    """The token is not of the page before, or the question has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which changes.

    Attributes:
        from_ns: the first time, UTC nanoseconds, included.
        until_ns: the last time, not included.
        by_received: the times mean when the gateway learned of it, not when it happened.
        oldest_first: order.
        kinds: of the changes; empty for all.
        operator: part of the operator's name, without case.
        page: changes of one page.
        token: of the page before; empty for the first.
        mark: names what the caller's filter and rights are, so that a token is not used with others.
    """

    from_ns: int = 0
    until_ns: int = _FAR
    by_received: bool = False
    oldest_first: bool = False
    kinds: Collection[Kind] = ()
    operator: str = ""
    page: int = 500
    token: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some changes in order; `token` is for the next page, empty on the last."""

    changes: tuple[Change, ...]
    token: str


class HistoryReader:
    """Reads what is committed.

    Args:
        now: monotonic time in seconds; for tests.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._sources: dict[int, AlarmSource] = {}
        self._sources_since = -math.inf

    def page(
        self,
        question: Question,
        takes_source: Callable[[AlarmSource], bool] = lambda _: True,
        takes: Callable[[Alarm], bool] = lambda _: True,
    ) -> Page:
        """One page.

        Args:
            takes_source: whether changes of this alarm can be wanted at all.
            takes: whether this state of it is.

        Raises:
            HistoryTooSlowError, BadPageTokenError
            sqlite3.Error: the file cannot be read.
        """
        size = min(max(question.page, 1), MAX_PAGE)
        with _Limited(self._path, self._now) as connection:
            sources = _Sources(self._known(connection), takes_source)
            found: list[Change] = []
            place = _place(question)
            # One more than a page tells whether there is another.
            for change in _changes(connection, question, place, sources):
                if takes(change.alarm):
                    found.append(change)
                    if len(found) > size:
                        break
        is_last = len(found) <= size
        changes = found[:size]
        return Page(changes=tuple(changes), token="" if is_last else _token(question, changes[-1]))

    def after(self, sequence: int, until: int, most: int) -> list[Change]:
        """The changes after this number and up to `until`, `most` at most, in order."""
        with _Limited(self._path, self._now) as connection:
            sources = _Sources(self._known(connection), lambda _: True)
            rows = connection.execute(
                f"{_SELECT} WHERE ch.sequence > ? AND ch.sequence <= ? ORDER BY ch.sequence LIMIT ?",
                (sequence, until, most),
            )
            return [_change(row, sources) for row in rows.fetchall()]

    def moments(self, sequence: int, until: int, most: int) -> list[Moment]:
        """What figures are made of, of the changes after this number and up to `until`, in order; see `after`."""
        with _Limited(self._path, self._now) as connection:
            known = self._known(connection)
            rows = connection.execute(_MOMENTS, (sequence, until, most)).fetchall()
        return [
            Moment(
                number,
                kind,
                known[alarm],
                (at or received) / 1e9,
                received / 1e9,
                priority,
                mode in SHOWN_MODES and origin not in REPEATED and not (rest and is_shelved(rest)),
                bool(listed),
            )
            for number, kind, alarm, at, received, priority, mode, origin, listed, rest in rows
        ]

    def losses(self) -> list[Loss]:
        """Every known loss, the oldest first."""
        with _Limited(self._path, self._now) as connection:
            rows = connection.execute("SELECT from_sequence, to_sequence, at, reason FROM loss ORDER BY from_sequence")
            return [Loss(*row) for row in rows.fetchall()]

    def notes(self, from_ns: int, until_ns: int, most: int = MAX_PAGE, *, event: str = "") -> list[Note]:
        """What happened beside the changes within a span, the oldest first; of one event, or of all."""
        with _Limited(self._path, self._now) as connection:
            rows = connection.execute(
                "SELECT sequence, at, event, reference, key_id, text FROM note WHERE at >= ? AND at < ? "
                "AND (? = '' OR event = ?) ORDER BY at, id LIMIT ?",
                (from_ns, until_ns, event, event, most),
            ).fetchall()
        return [
            Note(sequence=row[0], at_ns=row[1], event=row[2], reference=row[3], key_id=row[4], text=row[5])
            for row in rows
        ]

    def _known(self, connection: sqlite3.Connection) -> dict[int, AlarmSource]:
        """Every alarm that the history knows. New ones are there at once, other areas of old ones after a while."""
        is_old = self._now() - self._sources_since > _SOURCES_SECONDS
        known = {} if is_old else dict(self._sources)
        rows = connection.execute(
            f"SELECT id, {', '.join(SOURCE_COLUMNS)} FROM alarm WHERE id > ?",  # noqa: S608
            (max(known, default=0),),
        )
        known.update((row[0], source_of(row[1:])) for row in rows)
        self._sources = known
        if is_old:
            self._sources_since = self._now()
        return known


_SELECT = (
    f"SELECT {', '.join(f'ch.{name}' for name in CHANGE_COLUMNS)}, c.text, d.text FROM change ch "  # noqa: S608
    "LEFT JOIN text c ON c.id = ch.comment LEFT JOIN text d ON d.id = ch.description"
)
_MOMENTS = (
    "SELECT sequence, kind, alarm, at, received, priority, mode, origin, listed, rest FROM change "  # noqa: S608
    f"WHERE sequence > ? AND sequence <= ? AND (kind IN ({', '.join(map(str, sorted(TELLING)))}) OR NOT listed) "
    "ORDER BY sequence LIMIT ?"
)
_WIDTH = len(CHANGE_COLUMNS)
_ALARM = CHANGE_COLUMNS.index("alarm")


class _Limited:
    """A connection that gives up after a while."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._connection = open_for_reading(path)
        self._end = now() + MAX_SECONDS
        self._connection.set_progress_handler(lambda: int(now() > self._end), _STEPS)

    def __enter__(self) -> sqlite3.Connection:
        # One moment for all that is read, so that no change is seen without its alarm.
        self._connection.execute("BEGIN")
        return self._connection

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._connection.close()
        if isinstance(error, sqlite3.OperationalError) and "interrupted" in str(error):
            raise HistoryTooSlowError(
                f"the answer takes longer than {MAX_SECONDS:g} s: ask for a shorter time, fewer areas, or one alarm"
            ) from error


class _Sources:
    """The alarms that can be wanted, by number."""

    def __init__(self, known: dict[int, AlarmSource], takes: Callable[[AlarmSource], bool]) -> None:
        self.by_number = {number: source for number, source in known.items() if takes(source)}
        self.is_all = len(self.by_number) == len(known)
        self.share = len(self.by_number) / max(len(known), 1)


def _changes(
    connection: sqlite3.Connection, question: Question, place: tuple[int, int] | None, sources: _Sources
) -> Iterator[Change]:
    column = "received" if question.by_received else "at"
    wanted, values = _conditions(question, column, sources, _rows(connection))
    direction, beyond = ("ASC", ">") if question.oldest_first else ("DESC", "<")
    # Mostly a page and one more are enough.
    chunk = min(question.page + 1, _CHUNK)
    while True:
        conditions, bound = list(wanted), list(values)
        if place is not None:
            conditions.append(f"(ch.{column}, ch.sequence) {beyond} (?, ?)")
            bound += place
        rows = connection.execute(
            f"{_SELECT} WHERE {' AND '.join(conditions)} "
            f"ORDER BY ch.{column} {direction}, ch.sequence {direction} LIMIT {chunk}",
            bound,
        ).fetchall()
        for row in rows:
            yield _change(row, sources)
        if len(rows) < chunk:
            return
        last, chunk = rows[-1], _CHUNK
        place = (last[CHANGE_COLUMNS.index(column)], last[0])


def _rows(connection: sqlite3.Connection) -> int:
    """About how many changes there are; counting them would take longer than the answer."""
    first, last = connection.execute(
        "SELECT (SELECT min(sequence) FROM change), (SELECT max(sequence) FROM change)"
    ).fetchone()
    return 0 if first is None else last - first + 1


def sooner_by_time(share: float, rows: int, page: int) -> bool:
    """Whether a page is found sooner in the order of time than by sorting all that the wanted alarms have.

    Args:
        share: of the wanted alarms among all.
        rows: changes of all alarms.
        page: changes of the page.
    """
    # In the order of time, page / share changes are looked at; by the index of the alarms, rows * share.
    return share * share * rows > page


def _conditions(question: Question, column: str, sources: _Sources, rows: int) -> tuple[list[str], list[Any]]:
    conditions = [f"ch.{column} >= ?", f"ch.{column} < ?"]
    values: list[Any] = [question.from_ns, min(question.until_ns, _FAR)]
    if question.kinds:
        conditions.append(f"ch.kind IN ({', '.join(str(int(kind)) for kind in sorted(question.kinds))})")
    if question.operator:
        conditions.append("instr(lower(ch.operator), lower(?)) > 0")
        values.append(question.operator)
    if not sources.is_all:
        # The plus forbids the index of the alarms.
        plus = "+" if sooner_by_time(sources.share, rows, question.page) else ""
        conditions.append(f"{plus}ch.alarm IN ({', '.join(map(str, sources.by_number)) or 'NULL'})")
    return conditions, values


def _change(row: tuple[Any, ...], sources: _Sources) -> Change:
    source = sources.by_number[row[_ALARM]]
    return change_of(row[:_WIDTH], source, row[_WIDTH] or "", row[_WIDTH + 1] or "")


def _fingerprint(question: Question) -> str:
    asked = (
        *(question.from_ns, question.until_ns, question.by_received, question.oldest_first),
        *(sorted(int(kind) for kind in question.kinds), question.operator.casefold(), question.mark),
    )
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:16]


def _token(question: Question, last: Change) -> str:
    at = last.received_ns if question.by_received else last.alarm.changed_ns
    return base64.urlsafe_b64encode(f"{at}:{last.sequence}:{_fingerprint(question)}".encode()).decode()


def _place(question: Question) -> tuple[int, int] | None:
    if not question.token:
        return None
    try:
        at, sequence, fingerprint = base64.urlsafe_b64decode(question.token.encode()).decode().split(":")
        place = (int(at), int(sequence))
    except (ValueError, binascii.Error) as error:
        raise BadPageTokenError("page_token is not one that this gateway gave") from error
    if fingerprint != _fingerprint(question):
        raise BadPageTokenError("page_token belongs to another question: ask the same, or begin anew without a token")
    return place
