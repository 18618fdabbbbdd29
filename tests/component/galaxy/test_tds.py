"""Real SQL Server drivers read a Galaxy over TDS, and meet its faults."""

from __future__ import annotations

import io
import logging
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs
from tests.support.certificates import earlier_pair
from tests.support.galaxy_answers import expanded_attributes, expanded_hierarchy
from tests.support.galaxy_rows import DEPLOYED, EXPECTED_OBJECTS, edge_database, set_deploy_time
from tests.support.tds_server import Fault, TdsServer, running_tds_server
from tests.support.tds_server_drivers import DRIVERS, need_driver
from tests.support.tds_server_tokens import NOT_SUPPORTED, ON, REQUIRED
from tests.support.waiting import wait_until

from mxgateway_server import logs
from mxgateway_server.galaxy import GalaxyComponent, GalaxyTiming, SqlGalaxySource
from mxgateway_server.galaxy.cache import CacheStatus
from mxgateway_server.galaxy.errors import GalaxyDataError, GalaxySourceError, GalaxyTimeoutError


@pytest.fixture
def database(tmp_path: Path) -> Path:
    edge_database(tmp_path / "edge.db")
    return tmp_path / "edge.db"


@pytest.fixture
def server(database: Path) -> Iterator[TdsServer]:
    with running_tds_server(database) as server:
        yield server


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    need_driver(request.param)
    return str(request.param)


def source(server: TdsServer, driver: str, password: str | None = None, timeout: float = 20) -> SqlGalaxySource:
    return SqlGalaxySource(server.url(driver, password=password), command_timeout=timeout)


def test_the_servers_clock(server: TdsServer, driver: str) -> None:
    """In UTC, whatever the server's zone; a file has none."""
    told = source(server, driver).read_clock()
    assert told is not None
    assert abs(told.replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(minutes=1)


def test_reads_the_galaxy(server: TdsServer, driver: str, database: Path) -> None:
    """Objects, attributes, Unicode names, NULLs, bits and the deploy time come through as from SQLite."""
    found = source(server, driver).read_galaxy()
    expected = SqlGalaxySource(str(database)).read_galaxy()
    assert expanded_hierarchy(found) == expanded_hierarchy(expected)
    assert expanded_attributes(found) == expanded_attributes(expected)
    assert found.deploy_time == DEPLOYED
    assert set(server.logins) == {("reader", "ZB")}


def test_deploy_time_keeps_its_ticks(server: TdsServer, driver: str, database: Path) -> None:
    """SQL Server's datetime has steps of a three-hundredth of a second; a step is a change, and NULL is no time."""
    times = set()
    for milliseconds in (0, 3.4, 6.7, 10):
        set_deploy_time(database, datetime(2026, 12, 31, 23, 59, 59) + timedelta(milliseconds=milliseconds))
        times.add(source(server, driver).read_deploy_time())
    assert len(times) == 4
    set_deploy_time(database, None)
    assert source(server, driver).read_deploy_time() is None


@pytest.mark.parametrize(
    "deploy_time",
    [datetime(1753, 1, 1), datetime(1899, 12, 31, 23, 59, 59, 997_000), datetime(9999, 12, 31, 23, 59, 59, 997_000)],
)
def test_ends_of_datetime(server: TdsServer, driver: str, database: Path, deploy_time: datetime) -> None:
    """The first and last day of `datetime`, and days before its zero, come through with their milliseconds."""
    set_deploy_time(database, deploy_time)
    found = source(server, driver).read_deploy_time()
    assert found is not None
    # Some drivers give the three-hundredths as they are, others round them to milliseconds.
    assert abs(found - deploy_time) < timedelta(milliseconds=1)


def _connected(server: TdsServer, driver: str, password: str = "Galaxy#1") -> Any:
    """A connection of the driver itself, without SQLAlchemy."""
    module = need_driver(driver)
    if driver == "pytds":
        settings = {"port": server.port, "timeout": 20, "login_timeout": 20}
        return module.connect("127.0.0.1", "ZB", "reader", password, **settings)
    if driver == "pymssql":
        return module.connect("127.0.0.1", "reader", password, "ZB", port=str(server.port))
    if driver == "pyodbc":
        place = f"Driver=FreeTDS;Server=127.0.0.1;Port={server.port};TDS_Version=7.4"
        return module.connect(f"{place};Database=ZB;UID=reader;PWD={password}")
    place = f"Server=127.0.0.1,{server.port};Encrypt=no"
    return module.connect(f"{place};Database=ZB;UID=reader;PWD={password}")


def test_direct_parameters(server: TdsServer, driver: str) -> None:
    """The driver alone: parameters and results with NULL, and text beyond ASCII and the first plane of Unicode."""
    mark = "%s" if driver in {"pytds", "pymssql"} else "?"
    with closing(_connected(server, driver)) as raw, closing(raw.cursor()) as cursor:
        cursor.execute(f"SELECT tag_name, contained_name FROM gobject WHERE gobject_id = {mark}", (117,))
        assert [tuple(row) for row in cursor.fetchall()] == [("Größe_Öl", "")]
        for name in ("水位", "𝔗emp_🔥"):
            cursor.execute(
                f"SELECT attribute_name, mx_value FROM dynamic_attribute WHERE attribute_name = {mark}", (name,)
            )
            assert [tuple(row) for row in cursor.fetchall()] == [(name, None)]


def test_login_error_token(server: TdsServer, driver: str) -> None:
    """A wrong password is error 18456 to the driver itself, and no statement follows."""
    words = "severity 14" if driver == "pymssql" else "Login failed for user 'reader'"
    with pytest.raises(Exception, match=words) as caught:
        _connected(server, driver, "wrong")
    numbered = {"pytds": lambda error: error.number, "pymssql": lambda error: error.args[0][0]}
    if driver in numbered:
        assert numbered[driver](caught.value) == 18456
    elif driver == "pyodbc":
        assert "(18456)" in str(caught.value)
    assert (server.logins, server.statements) == ([("reader", "ZB")], [])


def test_refused_login_leaves_no_traceback(server: TdsServer, driver: str) -> None:
    """The gateway looks every half minute: what a driver logs of its own at each refused login would bury the log."""
    stream = io.StringIO()
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    logs.configure("info", "console", stream)
    try:
        with pytest.raises(GalaxySourceError):
            source(server, driver, password="wrong").test_connection()
        assert stream.getvalue() == ""
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
        structlog.reset_defaults()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pytds", "?cafile={ca_file}"),
        ("pyodbc", "?driver=FreeTDS&TDS_Version=7.4&Encryption=require"),
        ("mssqlpython", "?Encrypt=yes"),
    ],
)
def test_no_login_without_the_encryption_asked_for(server: TdsServer, name: str, options: str, tmp_path: Path) -> None:
    """A driver told to encrypt does not log in to a server that cannot, so that the password never travels bare."""
    need_driver(name)
    earlier_pair(tmp_path, datetime.now(UTC))
    ca_file = tmp_path / "gateway.crt"
    reader = SqlGalaxySource(server.url(name, options=options.format(ca_file=ca_file)), command_timeout=20)
    with pytest.raises(GalaxySourceError, match="cannot be reached"):
        reader.test_connection()
    assert (server.asked_encryption, server.logins) == ([ON], [])


def test_server_that_wants_encryption(server: TdsServer, driver: str) -> None:
    """A server that demands encryption, from a driver not set up for it, is a clear failure and no login."""
    server.encryption = REQUIRED
    with pytest.raises(GalaxySourceError, match="cannot be reached"):
        source(server, driver).test_connection()
    assert server.logins == []
    server.encryption = NOT_SUPPORTED
    source(server, driver).test_connection()


def test_wrong_password(server: TdsServer, driver: str) -> None:
    """A refused login is a clear reason for clients, time and again, and the password is nowhere."""
    for _ in range(3):
        with pytest.raises(GalaxySourceError) as caught:
            source(server, driver, password="Wrong-Secret-77").test_connection()
        assert caught.value.problem == "the Galaxy database refused the login"
    assert "Wrong-Secret-77" not in f"{caught.value!r} {caught.value.detail} {source(server, driver).display_name}"


def test_error_token(server: TdsServer, driver: str) -> None:
    """An error of the server is a short reason; the statement and the server's words stay out of it."""
    server.faults.append(Fault("template_definition", "error", "Invalid column name 'secret_column'."))
    with pytest.raises(GalaxySourceError) as caught:
        source(server, driver).read_galaxy()
    assert caught.value.problem == "the Galaxy database cannot be read"
    assert "secret_column" in caught.value.detail
    assert "SELECT" not in caught.value.detail


def test_missing_data_types(server: TdsServer, driver: str) -> None:
    """A database whose data_type table cannot be read is browsed with the usual names."""
    server.faults.append(Fault("FROM data_type", "error"))
    found = source(server, driver).read_galaxy()
    assert found.data_type_names[7] == "ElapsedTime"


@pytest.mark.parametrize("kind", ["cut", "garbage"])
def test_broken_connection(server: TdsServer, driver: str, kind: str) -> None:
    """A connection cut in the middle of a row, or rubbish on it, fails that read only; the next one works."""
    reader = source(server, driver)
    server.faults.append(Fault("primitive_instance", kind))
    with pytest.raises(GalaxySourceError) as caught:
        reader.read_galaxy()
    assert caught.value.problem == "the Galaxy database cannot be read"
    server.faults.clear()
    assert len(reader.read_galaxy().objects) == len(EXPECTED_OBJECTS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hang", "stall"])
def test_slow_answer(server: TdsServer, driver: str, kind: str) -> None:
    """A statement that does not answer, or stops in the middle of a row, is given up after the command timeout."""
    server.faults.append(Fault("primitive_instance", kind))
    with pytest.raises(GalaxyTimeoutError) as caught:
        source(server, driver, timeout=1).read_galaxy()
    assert caught.value.problem == "the Galaxy database did not answer in time"


def test_connection_has_a_limit_of_its_own(server: TdsServer, driver: str) -> None:
    """The probe is given up after its own limit, not after that of statements."""
    server.faults.append(Fault("SELECT 1", "hang"))  # Some drivers' own questions at the beginning too.
    reader = SqlGalaxySource(server.url(driver), command_timeout=600, probe_timeout=1)
    with pytest.raises(GalaxyTimeoutError):
        reader.test_connection()


def test_answer_that_pauses(server: TdsServer, driver: str) -> None:
    """An answer that stands still in the middle of a row, and then goes on within the limit, is whole."""
    server.faults.append(Fault("primitive_instance", "stall"))
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(len(source(server, driver).read_galaxy().objects)))
    thread.start()
    wait_until(lambda: server.stalled == 1)
    assert found == []
    server.go_on()
    thread.join(20)
    assert found == [len(EXPECTED_OBJECTS)]


def test_server_gone(database: Path, driver: str) -> None:
    """A server that is not there is a clear reason; python-tds tries again until the timeout."""
    with running_tds_server(database) as server:
        pass
    with pytest.raises(GalaxySourceError, match=r"cannot be reached|did not answer in time"):
        source(server, driver, timeout=0.2).test_connection()


async def test_states_over_tds(server: TdsServer, database: Path) -> None:
    """The whole refresher on a real driver: healthy, stale while the server fails, healthy again, changed."""
    reader = source(server, "pytds")
    galaxy = GalaxyComponent(reader, timing=GalaxyTiming(poll_interval=3600, probe=30, read=30))
    await galaxy.refresh()
    assert galaxy.view.status is CacheStatus.HEALTHY
    server.faults.append(Fault("time_of_last_deploy", "error", "Transaction was deadlocked."))
    with capture_logs() as heard:
        await galaxy.refresh()
    assert galaxy.view.status is CacheStatus.STALE
    assert "deadlocked" in heard[-1]["error"]
    assert "Galaxy#1" not in str(heard)
    server.faults.clear()
    set_deploy_time(database, DEPLOYED + timedelta(hours=1))
    await galaxy.refresh()
    assert (galaxy.view.status, (await galaxy.entry()).sequence) == (CacheStatus.HEALTHY, 2)
    assert await galaxy.test_connection()


@pytest.mark.parametrize(("name", "module"), [("pyodbc", "pyodbc"), ("mssqlpython", "mssql_python")])
def test_driver_that_is_not_installed(
    server: TdsServer, name: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that the URL names and the machine lacks is said so, with its name."""
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(GalaxySourceError, match=f"driver of mssql\\+{name} is not installed"):
        source(server, name).test_connection()


def test_rubbish_rows(server: TdsServer, database: Path) -> None:
    """Rows that cannot be a Galaxy's are refused as a whole."""
    with sqlite3.connect(database) as raw:
        raw.execute("UPDATE gobject SET tag_name = '' WHERE gobject_id = 105")
    raw.close()
    with pytest.raises(GalaxyDataError) as caught:
        source(server, "pytds").read_galaxy()
    assert caught.value.detail == "gobject.tag_name is empty"


def test_only_reads(server: TdsServer, driver: str) -> None:
    """Whatever the driver adds: nothing but SELECT and settings reaches the server."""
    source(server, driver).read_galaxy()
    catalogue = "SP_DATATYPE_INFO"  # an ODBC driver's own question about types
    first_words = {statement.split()[0].upper() for statement in server.statements}
    first_words = {word for word in first_words if not word.startswith(catalogue)}
    assert first_words <= {"SELECT", "WITH", "SET", "IF", "USE", "BEGIN", "ROLLBACK", "COMMIT"}
