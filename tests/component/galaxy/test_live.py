"""The same checks on the TDS endpoint and, where MXGATEWAY_GALAXY_URL names one, on a true Galaxy database.

MXGATEWAY_GALAXY_URL='mssql+pytds://user:password@host/ZB' pytest -m live
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool
from tests.support.galaxy_answers import (
    attribute_answers,
    expanded_attributes,
    expanded_hierarchy,
    hierarchy_answers,
)
from tests.support.galaxy_rows import edge_database
from tests.support.tds_server import running_tds_server

from mxgateway_server.galaxy import SqlGalaxySource
from mxgateway_server.galaxy.errors import GalaxySourceError
from mxgateway_server.galaxy.index import GalaxyIndex

VARIABLE = "MXGATEWAY_GALAXY_URL"
_LIVE = [
    pytest.mark.live,
    pytest.mark.timeout(900),
    pytest.mark.skipif(VARIABLE not in os.environ, reason=f"{VARIABLE} is not set"),
]


@pytest.fixture(params=["endpoint", pytest.param("live", marks=_LIVE)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "live":
        yield os.environ[VARIABLE]
        return
    edge_database(tmp_path / "edge.db")
    with running_tds_server(tmp_path / "edge.db") as server:
        yield server.url()


def test_poll_and_read(url: str) -> None:
    """The probe answers, the deploy time is stable between two looks, and the Galaxy builds an index."""
    source = SqlGalaxySource(url)
    source.test_connection()
    before = source.read_deploy_time()
    index = GalaxyIndex(source.read_galaxy())
    assert index.deploy_time == before == source.read_deploy_time()
    assert len(index) > 0
    assert index.attribute_count > 0


def test_both_forms(url: str) -> None:
    """The reference queries run and answer what the cache expands."""
    data = SqlGalaxySource(url).read_galaxy()
    engine = create_engine(url, poolclass=NullPool)
    try:
        assert expanded_hierarchy(data) == hierarchy_answers(engine)
        assert expanded_attributes(data) == attribute_answers(engine)
    finally:
        engine.dispose()


def test_wrong_password(url: str) -> None:
    """A wrong password is refused with a reason, and nothing of it is told."""
    wrong = make_url(url).set(password="certainly-wrong")
    with pytest.raises(GalaxySourceError) as caught:
        SqlGalaxySource(wrong).test_connection()
    assert "certainly-wrong" not in f"{caught.value} {caught.value.detail}"
