"""The SQL source: what a setting means, timeouts, rubbish, and what never leaves it."""

from __future__ import annotations

import gc
import sqlite3
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import literal_column, select
from sqlalchemy.engine import make_url
from tests.support.galaxy_rows import DEPLOYED, array_value, edge_database

from mxgateway_server.galaxy import SqlGalaxySource, queries
from mxgateway_server.galaxy.drivers import connect_arguments, effective_url, place_of, read_only
from mxgateway_server.galaxy.errors import GalaxyDataError, GalaxySourceError, GalaxyTimeoutError
from mxgateway_server.galaxy.mx_value import array_dimension

ODD_TIME = datetime(1999, 12, 31, 23, 59, 59, 997_000)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    edge_database(tmp_path / "edge.db")
    return tmp_path / "edge.db"


@pytest.mark.parametrize(
    ("setting", "driver"),
    [
        ("mssql://u:p@h/ZB", "mssql+pytds"),
        ("mssql+pyodbc://u:p@h/ZB", "mssql+pyodbc"),
        ("postgresql://h/ZB", "postgresql+psycopg"),
        ("galaxy.db", "sqlite"),
        ("sqlite:///galaxy.db", "sqlite"),
    ],
)
def test_driver(setting: str, driver: str) -> None:
    """A URL without driver means python-tds or psycopg, a path an SQLite file, made absolute."""
    url = effective_url(setting)
    assert url.drivername == driver
    if driver == "sqlite":
        assert url.database == str(Path("galaxy.db").absolute())
        assert read_only(url).database == Path("galaxy.db").absolute().as_uri()


def test_memory_is_left_alone() -> None:
    """An in-memory database has no file to protect."""
    assert read_only(effective_url("sqlite://")) == make_url("sqlite://")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("mssql+pytds://sa:Secret1@plant:1433/ZB?x=1", "mssql://plant:1433/ZB"),
        ("mssql+pymssql://other:Secret2@plant:1433/ZB", "mssql://plant:1433/ZB"),
        ("mssql+pyodbc://?odbc_connect=Driver=X;SERVER=plant;Database=ZB;UID=sa;PWD=Secret3", "mssql://plant/ZB"),
    ],
)
def test_place(url: str, place: str) -> None:
    """Place and identity name server and database, never user, password or driver."""
    assert place_of(make_url(url)) == place


def test_identity_is_the_place() -> None:
    """Two drivers and users of one database are one Galaxy; another database is another one."""
    first, second, other = (
        SqlGalaxySource(url).identity
        for url in ("mssql+pytds://a:b@h/ZB", "mssql+pymssql://c:d@H/zb", "mssql+pytds://a:b@h/ZB2")
    )
    assert first == second != other


@pytest.mark.parametrize("setting", ["://", "http://x:notaport/"])
def test_no_url(setting: str) -> None:
    """What is no URL is refused at once, without repeating it."""
    with pytest.raises(GalaxySourceError, match="no URL"):
        SqlGalaxySource(setting)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ("Encrypt=yes", "no option 'Encrypt'"),
        ("cafile=ca.pem&TrustServerCertificate=yes", "no option 'TrustServerCertificate'"),
        ("validate_host=false", "no meaning without cafile"),
        ("cafile=ca.pem&validate_host=perhaps", "must be true or false"),
    ],
)
def test_option_that_would_be_ignored(options: str, what: str) -> None:
    """An option that python-tds drops is refused at once: who asks for encryption must not log in without it."""
    with pytest.raises(GalaxySourceError, match=what):
        SqlGalaxySource(f"mssql+pytds://reader:Secret4@h/ZB?{options}")


def test_encryption_of_python_tds() -> None:
    """A CA file reaches the driver, and with it whether the server's name counts."""
    url = make_url("mssql+pytds://h/ZB?cafile=ca.pem&validate_host=no")
    assert {"cafile": "ca.pem", "validate_host": False}.items() <= connect_arguments(url, 1).items()
    assert connect_arguments(make_url("mssql+pytds://h/ZB?cafile=ca.pem"), 1)["validate_host"] is True
    assert "cafile" not in connect_arguments(make_url("mssql+pytds://h/ZB"), 1)


def test_unknown_driver() -> None:
    """A driver that SQLAlchemy does not know is said so."""
    with pytest.raises(GalaxySourceError, match=r"driver of mssql\+nothing is not installed"):
        SqlGalaxySource("mssql+nothing://h/ZB").test_connection()


@pytest.mark.parametrize("timeout", [0, -1])
def test_timeout_range(timeout: float) -> None:
    """A command timeout is more than nothing."""
    with pytest.raises(GalaxySourceError, match="more than 0"):
        SqlGalaxySource("x.db", command_timeout=timeout)


@pytest.mark.parametrize(
    "url", ["mssql+pytds://h", "mssql+pymssql://h", "postgresql+psycopg://h", "sqlite://", "mssql+pyodbc://h"]
)
def test_every_driver_has_a_timeout(url: str) -> None:
    """Logging in never waits for ever."""
    assert any("timeout" in name for name in connect_arguments(make_url(url), 1.5))


def test_drivers_are_imported_when_used(database: Path) -> None:
    """An SQLite Galaxy needs no SQL Server driver in memory."""
    code = (
        "import sys; from mxgateway_server.galaxy import SqlGalaxySource;"
        f"SqlGalaxySource({str(database)!r}).read_galaxy();"
        "print([n for n in ('pytds','pymssql','pyodbc','psycopg','mssql_python') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_slow_statement(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that computes for longer than the command timeout is interrupted."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    monkeypatch.setattr(queries, "probe", lambda: select(literal_column(f"({endless})")))
    with pytest.raises(GalaxyTimeoutError):
        SqlGalaxySource(str(database), command_timeout=0.02).test_connection()


def test_absent_file_is_not_made(tmp_path: Path) -> None:
    """A path that is not there is an error, not an empty database."""
    with pytest.raises(GalaxySourceError, match="cannot be reached"):
        SqlGalaxySource(str(tmp_path / "absent.db")).test_connection()
    assert not list(tmp_path.iterdir())


def test_closed(database: Path) -> None:
    """A closed source refuses."""
    source = SqlGalaxySource(str(database))
    source.close()
    with pytest.raises(GalaxySourceError, match="closed"):
        source.read_deploy_time()


def test_close_ends_a_read(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing ends a read that is under way."""
    source = SqlGalaxySource(str(database))
    definition_rows = queries.definition_rows

    def close_then() -> queries.Query:
        source.close()
        return definition_rows()

    monkeypatch.setattr(queries, "definition_rows", close_then)
    with pytest.raises(GalaxySourceError, match="closed"):
        source.read_galaxy()


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ("UPDATE gobject SET tag_name = '' WHERE gobject_id = 105", "gobject.tag_name is empty"),
        ("UPDATE gobject SET gobject_id = 4294967296 WHERE gobject_id = 105", "gobject.gobject_id is out of range"),
        ("UPDATE gobject SET area_gobject_id = 'x' WHERE gobject_id = 105", "gobject.area_gobject_id is of type str"),
        ("UPDATE template_definition SET category_id = 13.5 WHERE category_id = 13", None),
        ("UPDATE dynamic_attribute SET mx_data_type = 'two' WHERE package_id = 20", "mx_data_type is of type str"),
        ("UPDATE attribute_definition SET attribute_name = ''", "attribute_definition.attribute_name is empty"),
        ("UPDATE galaxy SET time_of_last_deploy = 'yesterday'", ""),
        ("INSERT INTO galaxy (galaxy_id, galaxy_name, time_of_last_deploy) VALUES (2, 'x', '2020-01-01 00:00:00')", ""),
        ("UPDATE gobject SET tag_name = CAST(x'FF41' AS TEXT) WHERE gobject_id = 105", ""),
    ],
)
def test_rubbish(database: Path, change: str, detail: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """Rows that cannot be a Galaxy's fail the read as a whole, with the column in the log's detail."""
    raw = sqlite3.connect(database)
    with raw:
        raw.execute(change)
    raw.close()
    source = SqlGalaxySource(str(database))
    if detail is None:
        # A category that is no whole number is outside the browsed ones.
        assert not any(row.category_id == 13 for row in source.read_galaxy().objects)
        return
    with pytest.raises(GalaxySourceError) as caught:
        source.read_galaxy()
    assert isinstance(caught.value, GalaxyDataError) or "cannot be read" in caught.value.problem
    assert detail in caught.value.detail
    assert "SELECT" not in f"{caught.value.problem} {caught.value.detail}"
    gc.collect()
    assert not caplog.records, "a result was left open"


def test_deploy_time(database: Path) -> None:
    """The driver's exact value; no row and NULL are no time."""
    source = SqlGalaxySource(str(database))
    assert source.read_deploy_time() == DEPLOYED
    raw = sqlite3.connect(database)
    for statement, expected in (
        ("UPDATE galaxy SET time_of_last_deploy = '1999-12-31 23:59:59.997000'", ODD_TIME),
        ("UPDATE galaxy SET time_of_last_deploy = NULL", None),
        ("DELETE FROM galaxy", None),
    ):
        with raw:
            raw.execute(statement)
        assert source.read_deploy_time() == expected
    raw.close()


@pytest.mark.parametrize(
    ("mx_value", "dimension"),
    [
        (array_value(2, 0), 0),
        (array_value(2, 255), 255),
        (array_value(2, 256), 256),
        (array_value(5, 65535), 65535),
        (array_value(5, 50).replace("0x", "0X"), 50),
        ("0x4202000000" + "3200" + "04000000" + "FFFF", 50),
        ("0x00", None),
        ("0x", None),
        ("", None),
        (None, None),
        ("0xZZZZZZZZZZZZZZZZ", None),
        ("no hex at all", None),
        ("0x4202000000", None),
    ],
)
def test_array_dimension(mx_value: str | None, dimension: int | None) -> None:
    """Bytes 5 and 6, little-endian; unknown where they are missing or no hex."""
    assert array_dimension(mx_value) == dimension
