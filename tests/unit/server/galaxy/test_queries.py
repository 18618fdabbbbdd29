"""The queries on a Galaxy database: their text per dialect, and both forms' equal answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.dialects import mssql, postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.pool import NullPool
from tests.support.galaxy_answers import (
    attribute_answers,
    expanded_attributes,
    expanded_hierarchy,
    hierarchy_answers,
)
from tests.support.galaxy_rows import edge_database

from mxgateway_server.galaxy import SqlGalaxySource, queries
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description

GOLDEN = Path(__file__).parents[3] / "golden" / "galaxy_sql"
DIALECTS: dict[str, Dialect] = {
    "mssql": mssql.dialect(),
    "postgresql": postgresql.dialect(),
    "sqlite": sqlite.dialect(),
}
QUERIES = (
    "attributes",
    "configured_rows",
    "data_type_rows",
    "definition_rows",
    "deploy_time",
    "hierarchy",
    "object_rows",
    "package_rows",
    "primitive_definition_rows",
    "primitive_rows",
    "probe",
    "template_chains",
    "template_rows",
    "text_rows",
)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_sql_text(dialect: str) -> None:
    """Every query compiles to the text that was reviewed. To renew: delete the file, run, and review the difference."""
    options = {"dialect": DIALECTS[dialect], "compile_kwargs": {"literal_binds": True}}
    texts = [f"-- {name}\n{getattr(queries, name)().compile(**options)};" for name in QUERIES]
    text = "\n\n".join("\n".join(line.rstrip() for line in one.splitlines()) for one in texts) + "\n"
    golden = GOLDEN / f"{dialect}.sql"
    if not golden.exists():
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text, encoding="utf-8")
        pytest.fail(f"{golden.name} did not exist and was written; review it")
    assert text == golden.read_text(encoding="utf-8")


def test_only_reads() -> None:
    """No query writes, locks or calls anything."""
    for name in QUERIES:
        text = str(getattr(queries, name)().compile(dialect=DIALECTS["mssql"])).lstrip()
        assert text.startswith(("SELECT", "WITH")), name
        assert not {"INSERT", "UPDATE", "DELETE", "INTO", "EXEC"} & set(text.upper().split()), name


@pytest.fixture(scope="module", params=["edge", "reference", "plant"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    path = tmp_path_factory.mktemp("queries") / f"{request.param}.db"
    if request.param == "edge":
        edge_database(path)
    else:
        build_galaxy(read_description(request.param), path, 0)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    yield engine
    engine.dispose()


def test_forms_answer_alike(database: Engine) -> None:
    """What the cache expands is row by row what the reference queries answer."""
    data = SqlGalaxySource(database.url).read_galaxy()
    assert len(data.objects) > 10
    assert expanded_hierarchy(data) == hierarchy_answers(database)
    assert expanded_attributes(data) == attribute_answers(database)
