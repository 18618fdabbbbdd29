"""The edge rows of a Galaxy database, each with its answer, on SQLite, PostgreSQL and through SQL Server's drivers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import create_engine, update
from sqlalchemy.pool import NullPool
from tests.support.galaxy_rows import DEPLOYED, EXPECTED_ATTRIBUTES, EXPECTED_OBJECTS, edge_rows, set_deploy_time
from tests.support.postgres import running_postgres
from tests.support.tds_server import running_tds_server
from tests.support.tds_server_drivers import DRIVERS, need_driver

from mxgateway_server.galaxy import GalaxyComponent, GalaxyTiming
from mxgateway_server.galaxy.index import GalaxyIndex
from mxgateway_server.galaxy.shapes import Attribute
from mxgateway_server.galaxy.sql_source import SqlGalaxySource
from mxgateway_simulator.building import zb_schema as zb

pytestmark = pytest.mark.shares_processes


@dataclass(frozen=True)
class EdgeDatabase:
    """A database that holds the edge rows: how it is read, and how a deployment changes its time."""

    source: SqlGalaxySource
    deploy: Callable[[datetime | None], None]


def _deploy_on_postgres(url: str, deploy_time: datetime | None) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(update(zb.galaxy).values(time_of_last_deploy=deploy_time))
    engine.dispose()


@pytest.fixture(scope="module", params=["sqlite", "postgresql", *DRIVERS])
def edge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EdgeDatabase]:
    with ExitStack() as stack:
        if request.param == "postgresql":
            url = stack.enter_context(running_postgres())
            engine = create_engine(url, poolclass=NullPool)
            edge_rows().write(engine)
            engine.dispose()
            yield EdgeDatabase(SqlGalaxySource(url), partial(_deploy_on_postgres, url))
            return
        path = tmp_path_factory.mktemp("edge") / "edge.db"
        url = edge_rows().write_file(path)
        if request.param != "sqlite":
            need_driver(request.param)
            url = stack.enter_context(running_tds_server(path)).url(request.param)
        yield EdgeDatabase(SqlGalaxySource(url), partial(set_deploy_time, path))


@pytest.fixture(scope="module")
def edge_index(edge: EdgeDatabase) -> GalaxyIndex:
    return GalaxyIndex(edge.source.read_galaxy())


def attributes(index: GalaxyIndex, tag_name: str) -> dict[str, Attribute]:
    place = index.find_tag_name(tag_name)
    assert place is not None
    return {found.name: found for found in index.shapes.get(index.objects[place].shape).attributes}


def test_objects(edge_index: GalaxyIndex) -> None:
    """Undeployed objects, templates, other categories and twin engines are left out; lost parents become the root."""
    found = {
        row.tag_name: (
            edge_index.browse_name(place),
            edge_index.objects[edge_index.parent[place]].tag_name if edge_index.parent[place] >= 0 else "",
            edge_index.template_chain(place),
        )
        for place, row in enumerate(edge_index.objects)
    }
    assert found == EXPECTED_OBJECTS
    assert edge_index.deploy_time == DEPLOYED


@pytest.mark.parametrize("tag_name", EXPECTED_ATTRIBUTES)
def test_attributes(edge_index: GalaxyIndex, tag_name: str) -> None:
    """Each object has exactly the attributes that its deployed package and those above define."""
    assert set(attributes(edge_index, tag_name)) == EXPECTED_ATTRIBUTES[tag_name]


def test_nearest_definition_wins(edge_index: GalaxyIndex) -> None:
    """An attribute overridden on the instance, or on the nearer template in other case, has the nearer type."""
    tank = attributes(edge_index, "Tank_001")
    assert (tank["Level"].mx_data_type, tank["Level"].security_classification) == (4, 5)
    assert (tank["Twice"].mx_data_type, tank["Twice"].mx_attribute_category) == (4, 3)
    assert attributes(edge_index, "Valve_001")["Level"].mx_data_type == 3


def test_configured_wins_over_built_in(edge_index: GalaxyIndex) -> None:
    """A user attribute hides a built-in one of the same name, however near that one is."""
    assert attributes(edge_index, "Tank_001")["Shared"].mx_data_type == 2
    assert attributes(edge_index, "AreaOne")["Shared"].mx_data_type == 5


def test_extension_flags(edge_index: GalaxyIndex) -> None:
    """The attribute that an extension sits on is flagged, even when a template above defines it; its leaves are not."""
    tank = attributes(edge_index, "Tank_001")
    assert {name for name, one in tank.items() if one.is_alarm} == {"Level"}
    assert {name for name, one in tank.items() if one.is_historized} == {"Twice"}
    assert (tank["Level"].is_historized, tank["Twice"].is_alarm) == (False, False)
    assert not any(one.is_alarm for one in attributes(edge_index, "Valve_001").values())


def test_alarms_of_every_kind_are_found(edge_index: GalaxyIndex) -> None:
    """By their own names, which is what is watched; browse means alarm extensions alone."""
    found = [facts.full_tag_reference for facts in edge_index.alarm_attributes()]
    assert found == ["Pump_001.Level.Hi", "Pump_001.Level.Roc.Down", "Pump_001.TWICE.Bad", "Tank_001.Level"]
    assert not any(one.is_alarm for one in attributes(edge_index, "Pump_001").values())
    for reference in found:
        assert edge_index.lookup(f"{reference}.InAlarm") is not None


def test_array_dimensions(edge_index: GalaxyIndex) -> None:
    """A dimension above 255 uses both bytes; `0x00` and NULL leave it unknown."""
    arrays = attributes(edge_index, "Arrays_001")
    dimensions = {
        name: arrays[name].array_dimension for name in ("Long", "Short", "Empty", "Unknown", "Absent", "Area")
    }
    assert dimensions == {"Long": 300, "Short": 50, "Empty": 0, "Unknown": None, "Absent": None, "Area": None}
    assert arrays["Long"].reference("Arrays_001") == "Arrays_001.Long[]"
    assert attributes(edge_index, "Platform_001")["NodeNames"].array_dimension == 4


def test_counts(edge_index: GalaxyIndex) -> None:
    """The number of attributes is what all objects expand to."""
    expanded = sum(len(edge_index.shapes.get(row.shape).attributes) for row in edge_index.objects)
    assert edge_index.attribute_count == expanded


async def test_deploy_times(edge: EdgeDatabase) -> None:
    """Later, earlier (a backup restored) and vanished times are changes; the same one is none."""
    galaxy = GalaxyComponent(edge.source, timing=GalaxyTiming(poll_interval=3600))
    try:
        sequences = []
        for change in (DEPLOYED, DEPLOYED, DEPLOYED + timedelta(hours=1), DEPLOYED - timedelta(days=30), None, None):
            edge.deploy(change)
            await galaxy.refresh()
            entry = await galaxy.entry()
            assert entry.deploy_time == change
            sequences.append(entry.sequence)
        assert sequences == [1, 1, 2, 3, 4, 4]
    finally:
        edge.deploy(DEPLOYED)
