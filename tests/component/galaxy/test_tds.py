"""Real SQL Server drivers read a Galaxy over TDS, and meet its faults."""

from __future__ import annotations

import importlib
import importlib.util
import sqlite3
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytds
import pytest
from structlog.testing import capture_logs
from tests.support.galaxy_answers import expanded_attributes, expanded_hierarchy
from tests.support.galaxy_rows import DEPLOYED, edge_database, set_deploy_time
from tests.support.tds_server import Fault, TdsServer, running_tds_server

from mxgateway_server.galaxy import GalaxyComponent, GalaxyTiming, SqlGalaxySource
from mxgateway_server.galaxy.cache import CacheStatus
from mxgateway_server.galaxy.errors import GalaxyDataError, GalaxySourceError, GalaxyTimeoutError

OPTIONAL_DRIVERS = {"pyodbc": "pyodbc", "mssqlpython": "mssql_python"}
"""Drivers that need system libraries, and their modules: tested where they are installed."""


def _works(module: str) -> bool:
    if importlib.util.find_spec(module) is None:
        return False
    try:
        loaded = importlib.import_module(module)
    except ImportError:
        return False
    return module != "pyodbc" or "FreeTDS" in loaded.drivers()


DRIVERS = ("pytds", "pymssql", *(name for name, module in OPTIONAL_DRIVERS.items() if _works(module)))


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
    return str(request.param)


def source(server: TdsServer, driver: str, password: str | None = None, timeout: float = 20) -> SqlGalaxySource:
    return SqlGalaxySource(server.url(driver, password=password), command_timeout=timeout)


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


def test_direct_parameters(server: TdsServer) -> None:
    """python-tds alone: plain and parameterised queries, NULL and text beyond ASCII."""
    with (
        pytds.connect("127.0.0.1", "ZB", "reader", "Galaxy#1", port=server.port, timeout=20, login_timeout=20) as raw,
        raw.cursor() as cursor,
    ):
        cursor.execute("SELECT tag_name, contained_name FROM gobject WHERE gobject_id = %s", (117,))
        assert cursor.fetchall() == [("Größe_Öl", "")]
        cursor.execute("SELECT attribute_name, mx_value FROM dynamic_attribute WHERE attribute_name = %s", ("水位",))
        assert cursor.fetchall() == [("水位", None)]


def test_wrong_password(server: TdsServer, driver: str) -> None:
    """A refused login is a clear reason for clients, and the password is nowhere."""
    with pytest.raises(GalaxySourceError) as caught:
        source(server, driver, password="Wrong-Secret-77").test_connection()
    assert caught.value.reason == "the Galaxy database refused the login"
    assert "Wrong-Secret-77" not in f"{caught.value!r} {caught.value.detail} {source(server, driver).display_name}"


def test_error_token(server: TdsServer, driver: str) -> None:
    """An error of the server is a short reason; the statement and the server's words stay out of it."""
    server.faults.append(Fault("template_definition", "error", "Invalid column name 'secret_column'."))
    with pytest.raises(GalaxySourceError) as caught:
        source(server, driver).read_galaxy()
    assert caught.value.reason == "the Galaxy database cannot be read"
    assert "secret_column" in caught.value.detail
    assert "SELECT" not in caught.value.detail


def test_missing_data_types(server: TdsServer, driver: str) -> None:
    """A database whose data_type table cannot be read is browsed with the usual names."""
    server.faults.append(Fault("FROM data_type", "error"))
    found = source(server, driver).read_galaxy()
    assert found.data_type_names[7] == "ElapsedTime"


# FreeTDS takes the garbage for the head of a long token and waits for the rest until its timeout.
@pytest.mark.parametrize(("driver", "kind"), [("pytds", "cut"), ("pytds", "garbage"), ("pymssql", "cut")])
def test_broken_connection(server: TdsServer, driver: str, kind: str) -> None:
    """A connection cut between rows, or rubbish on it, fails that read only; the next one works."""
    reader = source(server, driver)
    server.faults.append(Fault("primitive_instance", kind))
    with pytest.raises(GalaxySourceError):
        reader.read_galaxy()
    server.faults.clear()
    assert len(reader.read_galaxy().objects) == 18


def test_slow_answer(server: TdsServer) -> None:
    """A statement that does not answer within the command timeout is given up as a timeout."""
    server.faults.append(Fault("FROM galaxy", "hang"))
    with pytest.raises(GalaxyTimeoutError):
        source(server, "pytds", timeout=0.2).read_deploy_time()


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
    with capture_logs() as logs:
        await galaxy.refresh()
    assert galaxy.view.status is CacheStatus.STALE
    assert "deadlocked" in logs[-1]["error"]
    assert "Galaxy#1" not in str(logs)
    server.faults.clear()
    set_deploy_time(database, DEPLOYED + timedelta(hours=1))
    await galaxy.refresh()
    assert (galaxy.view.status, (await galaxy.entry()).sequence) == (CacheStatus.HEALTHY, 2)
    assert await galaxy.test_connection()


@pytest.mark.parametrize(("name", "module"), OPTIONAL_DRIVERS.items())
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
