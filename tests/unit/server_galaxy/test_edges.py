"""The edge rows of a Galaxy database, each with its answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.galaxy_rows import DEPLOYED, EXPECTED_ATTRIBUTES, EXPECTED_OBJECTS, edge_rows

from mxgateway_server.galaxy.index import GalaxyIndex
from mxgateway_server.galaxy.shapes import Attribute
from mxgateway_server.galaxy.sql_source import SqlGalaxySource


@pytest.fixture(scope="module")
def edge_index(tmp_path_factory: pytest.TempPathFactory) -> GalaxyIndex:
    url = edge_rows().write_file(Path(tmp_path_factory.mktemp("edge")) / "edge.db")
    return GalaxyIndex(SqlGalaxySource(url).read_galaxy())


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
    assert not any(one.is_alarm for one in attributes(edge_index, "Valve_001").values())


def test_array_dimensions(edge_index: GalaxyIndex) -> None:
    """A dimension above 255 uses both bytes; `0x00` and NULL leave it unknown."""
    arrays = attributes(edge_index, "Arrays_001")
    dimensions = {name: arrays[name].array_dimension for name in ("Long", "Short", "Unknown", "Absent", "Area")}
    assert dimensions == {"Long": 300, "Short": 50, "Unknown": None, "Absent": None, "Area": None}
    assert arrays["Long"].reference("Arrays_001") == "Arrays_001.Long[]"
    assert attributes(edge_index, "Platform_001")["NodeNames"].array_dimension == 4


def test_counts(edge_index: GalaxyIndex) -> None:
    """The number of attributes is what all objects expand to."""
    expanded = sum(len(edge_index.shapes.get(row.shape).attributes) for row in edge_index.objects)
    assert edge_index.attribute_count == expanded
