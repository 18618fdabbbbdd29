"""A Galaxy database behind SQLAlchemy: SQLite, PostgreSQL, or the SQL Server of a plant."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from mxgateway_server.galaxy import queries
from mxgateway_server.galaxy.assembly import Assembly
from mxgateway_server.galaxy.data import GalaxyData
from mxgateway_server.galaxy.drivers import (
    CommandLimit,
    check_options,
    connect_arguments,
    driver_missing,
    effective_url,
    explained,
    isolation,
    looks_like_refusal,
    looks_like_timeout,
    origin_of,
    place_of,
    read_only,
    without_secrets,
)
from mxgateway_server.galaxy.errors import GalaxyDataError, GalaxySourceError, GalaxyTimeoutError
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

_ROWS_AT_ONCE = 500
UNREACHABLE = "the Galaxy database cannot be reached"
UNREADABLE = "the Galaxy database cannot be read"
REFUSED = "the Galaxy database refused the login"
TIMED_OUT = "the Galaxy database did not answer in time"
CLOSED = "the Galaxy source is closed"


class SqlGalaxySource:
    """Reads a Galaxy database with a connection per call, so that a database that went away and came back is met fresh.

    Nothing is ever written. The driver's module is imported on the first call.

    Args:
        url: SQLAlchemy URL (`sqlite:///…`, `postgresql+psycopg://…`, `mssql://…`; `mssql` without a driver is
            `mssql+pytds`), a connection string of SQL Server (ADO.NET, ODBC), or the path of an SQLite file.
        command_timeout: seconds that one statement may take.
        connect_timeout: seconds that connecting and logging in may take.
        probe_timeout: the same for `test_connection`, where somebody waits for the answer.

    Raises:
        GalaxySourceError: the URL cannot be understood, or has an option that its driver does not know.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        command_timeout: float = 60.0,
        connect_timeout: float = 5.0,
        probe_timeout: float = 5.0,
    ) -> None:
        if min(command_timeout, connect_timeout, probe_timeout) <= 0:
            raise GalaxySourceError("the Galaxy's timeouts must be more than 0 seconds")
        try:
            named = effective_url(url)
            check_options(named)
        except ValueError as error:
            raise GalaxySourceError(str(error)) from None
        self._timeout = command_timeout
        self._connect_timeout = connect_timeout
        self._probe_timeout = min(probe_timeout, command_timeout)
        self._is_closed = False
        self._url = read_only(named)
        self._display_name = place_of(named)
        self._identity = hashlib.sha256(self._display_name.casefold().encode()).hexdigest()[:32]

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def display_name(self) -> str:
        return self._display_name

    @property
    def time_identifies(self) -> bool:
        # A file is built anew from a description under the same name, and its first deploy time stands in that.
        return self._url.get_backend_name() != "sqlite"

    def test_connection(self) -> None:
        with self._connection(timeout=self._probe_timeout) as connection:
            connection.execute(queries.probe()).all()

    def read_clock(self) -> datetime | None:
        """The time of the database's server, in UTC without a zone; None for a file, which has no clock.

        Raises:
            GalaxySourceError: the database cannot be read.
        """
        question = queries.clock(self._url.get_backend_name())
        if question is None:
            return None
        with self._connection(timeout=self._probe_timeout) as connection:
            told = connection.execute(question).scalar_one()
        if not isinstance(told, datetime):
            raise GalaxyDataError("the Galaxy database returned unexpected rows", "its clock is no time")
        return told

    def read_deploy_time(self) -> datetime | None:
        with self._connection() as connection:
            return _deploy_time(connection)

    def count_objects(self) -> int:
        """How many objects `read_galaxy` gives.

        Raises:
            GalaxySourceError: the database cannot be read.
        """
        with self._connection() as connection:
            return int(connection.execute(queries.browsable_count()).scalar_one())

    def read_galaxy(self) -> GalaxyData:
        names = self._data_type_names()
        with self._connection(streaming=True) as connection:
            return self._read(connection, names)

    def close(self) -> None:
        self._is_closed = True

    def _data_type_names(self) -> Sequence[Sequence[Any]] | None:
        """None when they cannot be read: the table's columns are not certain in every version of the product."""
        try:
            with self._connection() as connection:
                return connection.execute(queries.data_type_rows()).all()
        except GalaxyTimeoutError:
            raise
        except GalaxySourceError as error:
            logger.info("galaxy_data_types_unread", source=self._display_name, error=error.detail)
            return None

    def _read(self, connection: Connection, data_types: Sequence[Sequence[Any]] | None) -> GalaxyData:
        assembly = Assembly(_deploy_time(connection))
        if data_types is not None:
            assembly.data_types(data_types)
        with ExitStack() as results:
            # Closed before the connection is, also when the rows turn out to be rubbish half-way.
            def rows(query: Callable[[], queries.Query]) -> Iterator[Sequence[Any]]:
                return results.enter_context(closing(self._rows(connection, query)))

            assembly.primitive_definitions(list(rows(queries.primitive_definition_rows)), rows(queries.definition_rows))
            assembly.packages(rows(queries.package_rows))
            assembly.configured(rows(queries.configured_rows))
            assembly.texts(rows(queries.text_rows))
            assembly.primitives(rows(queries.primitive_rows))
            assembly.templates(rows(queries.template_rows))
            return assembly.objects(rows(queries.object_rows))

    def _rows(self, connection: Connection, query: Callable[[], queries.Query]) -> Generator[Sequence[Any]]:
        # Only PostgreSQL's driver needs to be told to stream; pytds would then fetch by a round trip a row.
        stream = self._url.get_backend_name() == "postgresql"
        options = {"stream_results": stream, "max_row_buffer": _ROWS_AT_ONCE}
        with connection.execute(query(), execution_options=options) as result:
            for chunk in result.partitions(_ROWS_AT_ONCE):
                if self._is_closed:
                    raise GalaxySourceError(CLOSED)
                # Lets the event loop's thread have the interpreter between two chunks.
                time.sleep(0)
                yield from chunk

    @contextmanager
    def _connection(self, *, streaming: bool = False, timeout: float | None = None) -> Iterator[Connection]:
        if self._is_closed:
            raise GalaxySourceError(CLOSED)
        timeout = timeout or self._timeout
        connected = False
        try:
            level = isolation(self._url, streaming=streaming)
            engine = create_engine(
                self._url,
                poolclass=NullPool,
                hide_parameters=True,
                connect_args=connect_arguments(self._url, timeout, min(self._connect_timeout, timeout)),
                **({"isolation_level": level} if level else {}),
            )
            limit = CommandLimit(self._url, timeout)
            # First of all listeners: SQLAlchemy's own questions at the first connect are statements that can hang too.
            event.listen(engine, "connect", limit.connected, insert=True)
            event.listen(engine, "before_cursor_execute", limit.statement_begins)
            with engine.connect() as connection:
                connected = True
                yield connection
        except (GalaxySourceError, GeneratorExit):
            raise
        except (ImportError, NoSuchModuleError) as error:
            raise GalaxySourceError(driver_missing(self._url), f"{type(error).__name__}: {error}") from None
        except (SQLAlchemyError, OSError, ValueError, TypeError, LookupError, RuntimeError) as error:
            # Drivers raise what their sockets and decoders raise.
            raise self._translated(error, connected) from None

    def _translated(self, error: Exception, connected: bool) -> GalaxySourceError:
        detail = None if connected else explained(error, self._url, self._connect_timeout)
        detail = detail or without_secrets(_detail(error), self._url)
        if looks_like_timeout(error):
            return GalaxyTimeoutError(TIMED_OUT, detail)
        if not connected and isinstance(error, RuntimeError):
            return GalaxySourceError(UNREACHABLE, detail)
        if isinstance(error, (ValueError, TypeError, LookupError)):
            return GalaxyDataError("the Galaxy database returned unexpected rows", detail)
        if looks_like_refusal(error):
            return GalaxySourceError(REFUSED, detail)
        return GalaxySourceError(UNREADABLE if connected else UNREACHABLE, detail)


def _deploy_time(connection: Connection) -> datetime | None:
    found = connection.execute(queries.deploy_time()).scalars().all()
    times = [value for value in found if value is not None]
    if not times:
        return None
    if len(found) > 1 or not isinstance(times[0], datetime):
        raise GalaxyDataError("the Galaxy database returned unexpected rows", "galaxy is not one row with a time")
    value = times[0]
    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def _detail(error: Exception) -> str:
    """The driver's own words, without the statement that SQLAlchemy adds."""
    origin = origin_of(error)
    return f"{type(origin).__name__}: {origin}".splitlines()[0][:500]
