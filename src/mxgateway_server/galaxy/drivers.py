"""What differs between database drivers: default driver, timeouts, and how a timeout looks."""

from __future__ import annotations

import math
import re
import socket
import time
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from mxgateway_contract.installing import install_command
from mxgateway_server.galaxy.connection_strings import SqlServerLogin, is_connection_string, parse_connection_string

_EXAMPLES = {
    "mssql": "mssql+pytds://user:password@host/ZB",
    "postgresql": "postgresql+psycopg://user:password@host/ZB",
    "sqlite": "sqlite:///plant.db",
}
_DEFAULT_DRIVERS = {"mssql": "mssql+pytds", "postgresql": "postgresql+psycopg", "sqlite": "sqlite"}
_EXTRAS = {"mssql+pytds": ("server", "sqlserver"), "postgresql+psycopg": ("server", "postgresql")}
_INSTALL = {
    "mssql+mssqlpython": "pip install mssql-python",
    "mssql+pyodbc": "pip install pyodbc, and Microsoft's ODBC driver",
    "mssql+pymssql": "pip install pymssql",
}
_CA_FILE = "cafile"
_VALIDATE_HOST = "validate_host"
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SQLITE_STEPS = 100_000
_BROWSER_PORT, _SQL_SERVER_PORT = 1434, 1433
_REFUSAL_WORDS = ("login failed", "authentication failed", "no password supplied")
# pymssql drops the server's words from the second refused login of a process on: severity 14 at login is what is left.
_REFUSAL_WITHOUT_WORDS = ("message 20018, severity 14", "connection failed")
_TIMEOUT_WORDS = ("timeout", "timed out", "interrupted", "statement timeout", "canceling statement")


def effective_url(url: str | URL) -> URL:
    """What a Galaxy setting means: a path is an SQLite file, a connection string of keywords is for SQL Server; pytds
    and psycopg are the drivers where none is named.

    Raises:
        ValueError: it cannot be understood, or is for a kind of database that holds no Galaxy; the text says what would
            be right, and repeats nothing that may be a secret.
    """
    if isinstance(url, str) and is_connection_string(url):
        return _with_known_driver(_sql_server_url(parse_connection_string(url)))
    if isinstance(url, str) and "://" not in url:
        url = URL.create("sqlite", database=url)
    try:
        made = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError(f"the Galaxy's connection string is no URL; write {_EXAMPLES['mssql']}, say") from None
    if "@" in (made.host or ""):
        raise ValueError(
            "user and password in the Galaxy's URL end at the first @; write one that is part of them as %40, % as %25"
        )
    made = _with_known_driver(made)
    if made.get_backend_name() == "mssql":
        return _with_instance(made)
    if _is_sqlite_file(made):
        return made.set(database=str(Path(made.database or "").absolute()))
    return made


def _with_known_driver(url: URL) -> URL:
    kind, _, driver = url.drivername.partition("+")
    kind = "postgresql" if kind == "postgres" else kind
    if kind not in _EXAMPLES:
        known = "; ".join(_EXAMPLES.values())
        raise ValueError(f"the Galaxy's URL names {kind}, which is no kind of database known here; write {known}")
    named = url.set(drivername=f"{kind}+{driver}" if driver else _DEFAULT_DRIVERS[kind])
    try:
        is_async = named.get_dialect().is_async
    except (NoSuchModuleError, ImportError):
        raise ValueError(driver_missing(named)) from None
    if is_async:
        raise ValueError(f"the Galaxy is read in a thread, which {named.drivername} cannot; write {_EXAMPLES[kind]}")
    return named


def driver_missing(url: URL) -> str:
    """Says that the driver of a URL is not installed, and how it is, where that is known."""
    extras = _EXTRAS.get(url.drivername)
    remedy = install_command(*extras) if extras else _INSTALL.get(url.drivername)
    known = f"install it: {remedy}" if remedy else f"write {_EXAMPLES[url.get_backend_name()]}"
    return f"the driver of {url.drivername} is not installed; {known}"


def _with_instance(url: URL) -> URL:
    """A named instance, also as %5C. Where a port is given, too, the port counts, as for all clients of SQL Server."""
    host, separator, instance = re.sub("%5c", r"\\", url.host or "", flags=re.IGNORECASE).partition("\\")
    if not separator:
        return url
    if url.port or not instance:
        return url.set(host=host)
    return url.set(host=f"{host}\\{instance}")


def _sql_server_url(login: SqlServerLogin) -> URL:
    host = f"{login.host}\\{login.instance}" if login.instance else login.host
    made = URL.create(
        "mssql+pytds", login.user or None, login.password or None, host, login.port, login.database or None
    )
    if login.user and login.encrypt in ("", "no"):
        return made
    # python-tds encrypts only for a certificate authority that is named; Microsoft's driver knows the same keywords.
    query = {"Encrypt": login.encrypt} if login.encrypt else {}
    if login.trusts_any_certificate:
        query["TrustServerCertificate"] = "yes"
    if not login.user:
        query["Trusted_Connection"] = "yes"
    return made.set(drivername="mssql+mssqlpython", query=query)


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


def connect_arguments(url: URL, timeout: float, connect_timeout: float | None = None) -> dict[str, Any]:
    """Arguments that limit connecting (by `timeout`, if nothing else is said) and, where done here, statements."""
    connect_timeout = connect_timeout or timeout
    seconds = math.ceil(connect_timeout)
    match url.get_dialect().name, url.get_driver_name():
        case "sqlite", _:
            return {"timeout": timeout, "check_same_thread": False}
        case "postgresql", "psycopg":
            return {"connect_timeout": max(2, seconds), "options": f"-c statement_timeout={round(timeout * 1000)}"}
        case "mssql", "pytds":
            # Its own tries get a twelfth of the time, then more: too short for a server that answers, but slowly.
            limits = {"timeout": timeout, "login_timeout": connect_timeout, "disable_connect_retry": True}
            return {**limits, "autocommit": True, **_encryption(url)}
        case "mssql", "pymssql":
            return {"timeout": math.ceil(timeout), "login_timeout": seconds}
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
    return not isinstance(_cause_of(error), ConnectionRefusedError) and (
        isinstance(origin_of(error), TimeoutError) or _says(error, _TIMEOUT_WORDS)
    )


def looks_like_refusal(error: Exception) -> bool:
    """Whether a driver's error says that user or password are wrong."""
    return _says(error, _REFUSAL_WORDS) or all(_says(error, (words,)) for words in _REFUSAL_WITHOUT_WORDS)


def origin_of(error: Exception) -> BaseException:
    """The driver's own exception inside SQLAlchemy's."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def _cause_of(error: Exception) -> BaseException:
    # python-tds tries for as long as it may, and then tells of that; what it met stands behind.
    origin = origin_of(error)
    return origin.__cause__ if isinstance(origin, TimeoutError) and origin.__cause__ else origin


def _says(error: Exception, words: tuple[str, ...]) -> bool:
    text = str(origin_of(error)).casefold()
    return any(word in text for word in words)


def explained(error: Exception, url: URL, connect_timeout: float) -> str | None:
    """What most likely keeps this gateway from the server, where the driver's words do not say it; else None."""
    cause = _cause_of(error)
    host, _, instance = (url.host or "").partition("\\")
    if url.get_backend_name() != "mssql" or not host:
        return None
    port = url.port or _SQL_SERVER_PORT
    if isinstance(cause, socket.gaierror):
        return f"the name {host} is not known to this machine"
    if instance and (isinstance(cause, (OSError, RuntimeError)) or "error locating server" in str(cause).casefold()):
        return (
            f"the SQL Server Browser of {host} (UDP {_BROWSER_PORT}) did not tell the port of the instance {instance}:"
            f" is the service running, and not behind a firewall? Or name the port, {host}:PORT"
        )
    if instance and "not found on server" in str(cause):
        return f"{host} has no instance {instance}, or it is not running"
    if isinstance(cause, ConnectionRefusedError):
        return f"nothing listens at {host}:{port}: is that the port of SQL Server, and is TCP/IP switched on there?"
    if isinstance(cause, TimeoutError):
        return f"no answer from {host}:{port} within {connect_timeout:g} s: is it the right address, and no firewall?"
    return None


def without_secrets(text: str, url: URL) -> str:
    """The text without the password of the URL, in case that a driver repeats it."""
    secrets = [url.password, *(value for name, value in url.query.items() if re.search("pass|pwd|secret", name, re.I))]
    for secret in secrets:
        if isinstance(secret, str) and secret:
            text = text.replace(secret, "[redacted]")
    return text
