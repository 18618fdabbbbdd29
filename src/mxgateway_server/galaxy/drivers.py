"""What differs between database drivers: default driver, timeouts, and how a timeout looks."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

_CA_FILE = "cafile"
_VALIDATE_HOST = "validate_host"
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SQLITE_STEPS = 100_000
_REFUSAL_WORDS = ("login failed", "authentication failed", "no password supplied")
# pymssql drops the server's words from the second refused login of a process on: severity 14 at login is what is left.
_REFUSAL_WITHOUT_WORDS = ("message 20018, severity 14", "connection failed")
_TIMEOUT_WORDS = ("timeout", "timed out", "interrupted", "statement timeout", "canceling statement")


def effective_url(url: str | URL) -> URL:
    """What a Galaxy setting means: a path is an SQLite file; pytds and psycopg are the drivers where none is named.

    Raises:
        ArgumentError: it is no URL.
    """
    if isinstance(url, str) and "://" not in url:
        url = URL.create("sqlite", database=url)
    made = make_url(url)
    if made.drivername == "mssql":
        return made.set(drivername="mssql+pytds")
    if made.drivername in {"postgresql", "postgres"}:
        return made.set(drivername="postgresql+psycopg")
    if _is_sqlite_file(made):
        return made.set(database=str(Path(made.database or "").absolute()))
    return made


def read_only(url: URL) -> URL:
    """An SQLite file is opened for reading: a wrong path must not make an empty database."""
    if not _is_sqlite_file(url):
        return url
    return url.set(database=Path(url.database or "").as_uri(), query={**url.query, "mode": "ro", "uri": "true"})


def _is_sqlite_file(url: URL) -> bool:
    path = url.database
    return (
        url.get_backend_name() == "sqlite" and bool(path) and path != ":memory:" and not str(path).startswith("file:")
    )


def connect_arguments(url: URL, timeout: float) -> dict[str, Any]:
    """Arguments that limit logging in and, where the driver takes it here, each statement."""
    seconds = math.ceil(timeout)
    match url.get_dialect().name, url.get_driver_name():
        case "sqlite", _:
            return {"timeout": timeout, "check_same_thread": False}
        case "postgresql", "psycopg":
            return {"connect_timeout": max(2, seconds), "options": f"-c statement_timeout={round(timeout * 1000)}"}
        case "mssql", "pytds":
            return {"timeout": timeout, "login_timeout": timeout, "autocommit": True, **_encryption(url)}
        case "mssql", "pymssql":
            return {"timeout": seconds, "login_timeout": seconds}
        case "mssql", "pyodbc" | "mssqlpython":
            return {"timeout": seconds}
        case _:
            return {}


def check_options(url: URL) -> None:
    """Raises ValueError for an option that the driver would ignore, as one that asks for encryption must not be.

    SQLAlchemy's dialect for python-tds drops all options of a URL, so only those handed on here have a meaning.
    """
    if url.get_driver_name() != "pytds":
        return
    unknown = sorted(set(url.query) - {_CA_FILE, _VALIDATE_HOST})
    if unknown:
        raise ValueError(
            f"python-tds has no option {unknown[0]!r}: it takes {_CA_FILE} (a PEM file; encrypts) and {_VALIDATE_HOST}"
            " (false for a certificate of another name)"
        )
    if str(url.query.get(_VALIDATE_HOST, "true")).casefold() not in _BOOLEANS:
        raise ValueError(f"{_VALIDATE_HOST} must be true or false")
    if _VALIDATE_HOST in url.query and _CA_FILE not in url.query:
        raise ValueError(f"{_VALIDATE_HOST} has no meaning without {_CA_FILE}")


def _encryption(url: URL) -> dict[str, Any]:
    if _CA_FILE not in url.query:
        return {}
    validate = _BOOLEANS[str(url.query.get(_VALIDATE_HOST, "true")).casefold()]
    return {_CA_FILE: str(url.query[_CA_FILE]), _VALIDATE_HOST: validate}


def isolation(url: URL, *, streaming: bool) -> str | None:
    """Isolation level of a connection that only reads, and so need not hold a transaction open.

    PostgreSQL streams rows inside a transaction only; there it also gives one consistent view. pytds does not know
    AUTOCOMMIT as a level and takes it as an argument.
    """
    if url.get_driver_name() == "pytds":
        return None
    return "REPEATABLE READ" if streaming and url.get_backend_name() == "postgresql" else "AUTOCOMMIT"


class CommandLimit:
    """Limits each statement of one engine's connection, for drivers that take the limit there."""

    def __init__(self, url: URL, timeout: float) -> None:
        self._driver = url.get_driver_name()
        self._timeout = timeout
        self._began = time.monotonic()

    def connected(self, connection: Any, _record: object) -> None:
        if self._driver == "pysqlite":
            connection.set_progress_handler(self._is_over, _SQLITE_STEPS)
        elif self._driver in {"pyodbc", "mssqlpython"}:
            connection.timeout = math.ceil(self._timeout)

    def statement_begins(self, *_: object) -> None:
        self._began = time.monotonic()

    def _is_over(self) -> bool:
        return time.monotonic() - self._began > self._timeout


def place_of(url: URL) -> str:
    """Kind, server and database of a URL, without credentials: for logs, and to tell one Galaxy from another."""
    host, database = url.host, url.database
    if "odbc_connect" in url.query:
        parts = dict(part.partition("=")[::2] for part in str(url.query["odbc_connect"]).split(";"))
        known = {key.strip().casefold(): value.strip() for key, value in parts.items()}
        host, database = known.get("server", host), known.get("database", database)
    return URL.create(url.get_backend_name(), host=host, port=url.port, database=database).render_as_string()


def looks_like_timeout(error: Exception) -> bool:
    """Whether a driver's error says that time ran out."""
    return isinstance(origin_of(error), TimeoutError) or _says(error, _TIMEOUT_WORDS)


def looks_like_refusal(error: Exception) -> bool:
    """Whether a driver's error says that user or password are wrong."""
    return _says(error, _REFUSAL_WORDS) or all(_says(error, (words,)) for words in _REFUSAL_WITHOUT_WORDS)


def origin_of(error: Exception) -> BaseException:
    """The driver's own exception inside SQLAlchemy's."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _says(error: Exception, words: tuple[str, ...]) -> bool:
    text = str(origin_of(error)).casefold()
    return any(word in text for word in words)
