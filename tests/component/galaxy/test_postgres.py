"""The Galaxy queries on a real PostgreSQL answer as they do on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, func, insert, literal_column, select, text
from sqlalchemy.pool import NullPool
from tests.support.galaxy_answers import (
    attribute_answers,
    expanded_attributes,
    expanded_hierarchy,
    hierarchy_answers,
)
from tests.support.galaxy_rows import DEPLOYED, edge_database, edge_rows
from tests.support.postgres import running_postgres

from mxgateway_server.galaxy import SqlGalaxySource, queries
from mxgateway_server.galaxy.errors import GalaxySourceError, GalaxyTimeoutError
from mxgateway_simulator.building import zb_schema as zb
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


def copy_galaxy(source: Engine, target: Engine) -> None:
    """All rows of the product's tables, from one database to another."""
    zb.zb.drop_all(target)
    zb.zb.create_all(target)
    with source.connect() as reading, target.begin() as writing:
        for table in zb.zb.sorted_tables:
            rows = [dict(row) for row in reading.execute(select(table)).mappings()]
            if rows:
                writing.execute(insert(table), rows)
        writing.execute(text("ANALYZE"))


@pytest.fixture(params=["edge", "plant"])
def both(request: pytest.FixtureRequest, tmp_path: Path, postgres: str) -> Iterator[tuple[Engine, Engine]]:
    path = tmp_path / "galaxy.db"
    if request.param == "edge":
        edge_database(path)
    else:
        build_galaxy(read_description("plant"), path, 0)
    lite = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    real = create_engine(postgres, poolclass=NullPool)
    copy_galaxy(lite, real)
    yield lite, real
    lite.dispose()
    real.dispose()


def test_same_rows(both: tuple[Engine, Engine]) -> None:
    """Both forms of the queries give the same rows on both databases."""
    lite, real = both
    data = SqlGalaxySource(real.url).read_galaxy()
    assert expanded_hierarchy(data) == hierarchy_answers(real) == hierarchy_answers(lite)
    assert expanded_attributes(data) == attribute_answers(real) == attribute_answers(lite)
    assert data.deploy_time == SqlGalaxySource(lite.url).read_deploy_time()


def test_states(postgres: str) -> None:
    """Deploy time to the microsecond; a database that is not there, and one without tables, are told apart."""
    engine = create_engine(postgres, poolclass=NullPool)
    zb.zb.drop_all(engine)
    source = SqlGalaxySource(postgres)
    source.test_connection()
    told = source.read_clock()
    assert told is not None
    assert abs(told - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)
    with pytest.raises(GalaxySourceError, match="cannot be read"):
        source.read_deploy_time()
    edge_rows().write(engine)
    assert source.read_deploy_time() == DEPLOYED
    engine.dispose()
    with pytest.raises(GalaxySourceError, match="cannot be reached"):
        SqlGalaxySource(postgres.replace("/postgres?", "/absent?")).test_connection()


def test_time_with_zone(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that knows its zone gives the same moment in UTC, without zone like all others."""
    moment = literal_column("TIMESTAMP WITH TIME ZONE '2026-07-01 12:00:00.25+02'")
    monkeypatch.setattr(queries, "deploy_time", lambda: select(moment))
    assert SqlGalaxySource(postgres).read_deploy_time() == datetime(2026, 7, 1, 10, 0, 0, 250_000)


def test_slow_answer(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that takes longer than the command timeout is given up by the server."""
    monkeypatch.setattr(queries, "probe", lambda: select(func.pg_sleep(30)))
    with pytest.raises(GalaxyTimeoutError):
        SqlGalaxySource(postgres, command_timeout=0.05).test_connection()
