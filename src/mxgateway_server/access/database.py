"""The key store's database: connections for readers and for writers, and its failures in words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path
from typing import Any, Self

import aiosqlite
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from mxgateway_contract.redaction import redact
from mxgateway_contract.windows_rights import make_private
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.state import make_state_folder, own_new_file, require_private, whose, why_not

WRITER_WAIT_MS = 5000
"""How long a writer waits for another process's transaction. Nobody but further writers waits with it."""
READER_WAIT_MS = 500

_WORDS = (
    ("disk is full", "the disk is full: make room"),
    ("No space left", "the disk is full: make room"),
    ("database is locked", "another process holds it locked: end that process, or wait for it"),
    ("readonly database", "it may not be written"),
    ("unable to open", "it may not be opened"),
    ("malformed", "it is damaged: restore it from a backup"),
    ("not a database", "it is no database, or damaged: restore it from a backup, or correct the path"),
)


class Database:
    """One database. Readers have connections of their own, so none ever waits for a writer.

    Attributes:
        name: for people, without a password.
        file: the SQLite file; None for a server, or for memory.
    """

    def __init__(self, name: str, reader: AsyncEngine, writer: AsyncEngine, file: Path | None = None) -> None:
        self.name = name
        self.file = file
        self._reader = reader
        self._writer = writer
        self._glances: aiosqlite.Connection | None = None
        self._address = ""

    @classmethod
    def connect(cls, database: str) -> Self:
        """Prepares connections; none is made yet.

        Args:
            database: path of a SQLite file, or a SQLAlchemy URL.

        Raises:
            ConfigurationError: it cannot be used; the text names the setting, never a password.
        """
        try:
            found = cls(*_engines(database))
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            raise ConfigurationError(
                f"authentication.database: {type(error).__name__}: not a database URL with an asynchronous driver that "
                "is installed, such as sqlite+aiosqlite or postgresql+asyncpg; correct the URL or install the driver"
            ) from error
        except OSError as error:
            path = Path(database).expanduser()
            raise ConfigurationError(
                f"authentication.database: {path}: {why_not(error, path)}; choose a path that the gateway may write"
            ) from error
        found._address = database
        return found

    def again(self) -> Self:
        """The same database on further connections, which are closed apart.

        Raises:
            ConfigurationError: as `connect`.
        """
        return self.connect(self._address)

    @property
    def is_postgresql(self) -> bool:
        return self._writer.dialect.name == "postgresql"

    def read(self) -> AsyncConnection:
        """A connection to read from, as an asynchronous context manager."""
        return self._reader.connect()

    def write(self) -> Any:
        """One transaction of a writer, as an asynchronous context manager."""
        return self._writer.begin()

    async def prepare_glances(self) -> None:
        """Makes the connection for `glance`, where there can be one."""
        if self.file is not None:
            # What fails here fails with the pool as well, which tells of it.
            with contextlib.suppress(sqlite3.Error):
                self._glances = await aiosqlite.connect(self.file, timeout=READER_WAIT_MS / 1000, isolation_level=None)

    async def glance(self, question: str) -> tuple[Any, ...] | None:
        """The first row of the answer to a question that is asked several times a second, all day long.

        A transaction by way of the pool takes a dozen turns between two threads; this takes one. None when there is no
        row, or it has to be asked the long way: the database is no SQLite file, or has an error to tell.
        """
        if self._glances is None:
            return None
        try:
            rows = list(await self._glances.execute_fetchall(question))
        except (sqlite3.Error, ValueError):
            return None
        return tuple(rows[0]) if rows else None

    async def close(self) -> None:
        """Ends all connections."""
        glances, self._glances = self._glances, None
        if glances is not None:
            await glances.close()
        await self._reader.dispose()
        if self._writer is not self._reader:
            await self._writer.dispose()

    def problem(self, error: BaseException) -> str:
        """A failure in one line, with the remedy where it is known."""
        original = getattr(error, "orig", None) or error
        said = redact(str(original).strip().partition("\n")[0])
        words = next((words for sign, words in _WORDS if sign in said), "")
        if not words:
            return f"the key store {self.name}: {type(original).__name__}: {said}"
        if "may not be" in words and self.file is not None:
            words = f"{words}: {whose(self.file)}"
        return f"the key store {self.name}: {words}"


def _make(file: Path) -> None:
    """An empty store; never through a link that leads to nothing, so that nobody chooses where the keys go."""
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if not file.exists():
            raise ConfigurationError(
                f"authentication.database {file}: it is a link to a file that is not there; remove it, or make that "
                "file"
            ) from None
        return  # another process was first
    own_new_file(file)
    make_private(file)


def _engines(database: str) -> tuple[str, AsyncEngine, AsyncEngine, Path | None]:
    if "://" in database:
        url = sa.make_url(database)
        if url.get_backend_name() == "sqlite" and "+" not in url.drivername:
            url = url.set(drivername="sqlite+aiosqlite")
        name, file = url.render_as_string(hide_password=True), None
    else:
        file = Path(database).expanduser().absolute()
        make_state_folder(file.parent)
        if not file.exists():
            _make(file)
        require_private("authentication.database", file)
        url, name = sa.URL.create("sqlite+aiosqlite", database=str(file)), str(file)
    if url.get_backend_name() != "sqlite":
        # Servers read without waiting for writers anyway; a pool apart keeps the connections apart as well.
        return name, create_async_engine(url, pool_size=4), create_async_engine(url, pool_size=2, max_overflow=0), file
    if not url.database or url.database == ":memory:":
        engine = _sqlite(url, WRITER_WAIT_MS, writes=True, poolclass=StaticPool)
        return name, engine, engine, None
    # Each connection has a thread and three files of its own, and only one at a time can write.
    reader = _sqlite(url, READER_WAIT_MS, writes=False, pool_size=2, max_overflow=0)
    writer = _sqlite(url, WRITER_WAIT_MS, writes=True, pool_size=1, max_overflow=0)
    return name, reader, writer, file or Path(url.database)


def _sqlite(url: sa.URL, wait_ms: int, *, writes: bool, **options: Any) -> AsyncEngine:
    engine = create_async_engine(url, connect_args={"timeout": wait_ms / 1000}, **options)

    def begin(connection: sa.Connection) -> None:
        # Writers take the lock at once, so that none dies half-way of another's; readers never wait for it.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    def connect(connection: Any, _: Any) -> None:
        set_pragmas(connection, wait_ms)

    sa.event.listen(engine.sync_engine, "connect", connect)
    sa.event.listen(engine.sync_engine, "begin", begin)
    return engine


def set_pragmas(connection: Any, wait_ms: int) -> None:
    """Prepares a fresh SQLite connection."""
    # The driver must not begin transactions by itself.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={wait_ms}")
    try:
        cursor.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        # This statement alone does not wait for others, who are about the same: the mode is the file's, not ours.
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
