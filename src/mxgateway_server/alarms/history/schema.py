"""The tables of the history, and how its file is opened: SQLite, since it needs no server and can be copied."""

from __future__ import annotations

import os
import secrets
import sqlite3
from pathlib import Path

from mxgateway_contract.private_files import write_private
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

VERSION = 2

_STATE = """
    alarm INTEGER NOT NULL REFERENCES alarm (id),
    at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    provider INTEGER NOT NULL,
    guid BLOB,
    raised INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    cleared INTEGER NOT NULL,
    operator TEXT NOT NULL,
    comment INTEGER NOT NULL,
    description INTEGER NOT NULL,
    value BLOB,
    limit_value BLOB,
    rest TEXT
"""

_SCHEMA = f"""
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE alarm (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    reference TEXT NOT NULL,
    provider TEXT NOT NULL,
    group_name TEXT NOT NULL,
    name TEXT NOT NULL,
    object TEXT NOT NULL,
    area TEXT NOT NULL,
    area_path TEXT NOT NULL,
    class TEXT NOT NULL,
    type TEXT NOT NULL
);
CREATE TABLE text (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, used INTEGER NOT NULL);
CREATE INDEX text_used ON text (used);
CREATE TABLE change (
    sequence INTEGER PRIMARY KEY,
    received INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    listed INTEGER NOT NULL,
    {_STATE}
);
CREATE INDEX change_at ON change (at, sequence);
CREATE INDEX change_received ON change (received, sequence);
CREATE INDEX change_alarm ON change (alarm, at, sequence);
CREATE TABLE present ({_STATE}, PRIMARY KEY (alarm));
CREATE TABLE note (
    id INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    reference TEXT NOT NULL,
    key_id TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX note_at ON note (at);
CREATE TABLE loss (
    id INTEGER PRIMARY KEY,
    from_sequence INTEGER NOT NULL,
    to_sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL
);
"""


# Version 1 had the list brought up with each change.
_FROM_1 = """
BEGIN;
INSERT OR REPLACE INTO meta SELECT 'listed', coalesce(max(sequence), 0) FROM change;
PRAGMA user_version = 2;
COMMIT;
"""
# A page of the index of alarms is written again for nearly every change: fewer checkpoints write it fewer times.
_PRAGMAS = ("synchronous = NORMAL", "journal_size_limit = 67108864", "wal_autocheckpoint = 4000", "cache_size = -8192")


class UnusableHistoryError(Exception):
    """The file is not a history, is damaged, or is a newer program's; the text says which."""


def open_file(path: Path) -> sqlite3.Connection:
    """The history for writing; made when it is not there, set aside and made anew when it is damaged.

    Raises:
        UnusableHistoryError: it is a newer program's.
        OSError, sqlite3.Error: the folder cannot be written.
    """
    try:
        return _open(path)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        aside = _set_aside(path)
        logger.warning("alarm_history_damaged", file=str(path), kept_as=str(aside), error=error)
        return _open(path)


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that can only read; used by one thread at a time."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():
        write_private(path, b"", exclusive=True)
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise UnusableHistoryError(
                f"{path} was written by a newer version of the gateway; install that, or move the file away"
            )
        if version == 0:
            connection.executescript(_SCHEMA)
            first = (("epoch", secrets.token_hex(16)), ("reserved", "0"), ("is_closed", "1"), ("listed", "0"))
            connection.executemany("INSERT INTO meta VALUES (?, ?)", first)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        elif connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("the quick check found damage")
        elif version == 1:
            connection.executescript(_FROM_1)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _set_aside(path: Path) -> Path:
    for number in range(1, 1000):
        aside = path.with_name(f"{path.name}.damaged-{number}")
        if not aside.exists():
            break
    os.replace(path, aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside
