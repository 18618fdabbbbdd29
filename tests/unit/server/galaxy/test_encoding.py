"""Objects as bytes that protobuf reads as the message."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.support.galaxy_rows import EXPECTED_ORIGINS, EXPECTED_TEXTS, edge_database
from tests.support.galaxy_source import galaxy_data

from mxgateway.generated import galaxy_repository_pb2 as pb
from mxgateway_server.galaxy import SqlGalaxySource
from mxgateway_server.galaxy.encoding import OBJECTS_KEY, ObjectEncoder
from mxgateway_server.galaxy.index import GalaxyIndex
from mxgateway_server.galaxy.shapes import SHOWN_ORDER, Origin


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200), st.integers(0, 40))
def test_bytes_are_the_message(tag_name: str, attributes: int) -> None:
    """The bytes put together from pieces parse to the message that would have been built, for any name length."""
    index = GalaxyIndex(galaxy_data([(7, tag_name, "In", 0, 13)], attributes=attributes))
    expected = pb.GalaxyObject(
        gobject_id=7,
        tag_name=tag_name,
        contained_name="In",
        browse_name="In",
        is_area=True,
        category_id=13,
        template_chain=["$Thing", "$UserDefined"],
        attributes=[
            pb.GalaxyAttribute(
                attribute_name=f"A{number}",
                full_tag_reference=f"{tag_name}.A{number}",
                mx_data_type=2,
                data_type_name="Integer",
                mx_attribute_category=10,
                security_classification=1,
                is_alarm=number == 0,
                is_historized=number == 1,
                origin=pb.ATTRIBUTE_ORIGIN_CONFIGURED,
                engineering_units="bar" if number == 2 else "",
            )
            for number in sorted(range(attributes), key=str)
        ],
    )
    encoder = ObjectEncoder(index)
    assert pb.DiscoverHierarchyReply.FromString(encoder.field(OBJECTS_KEY, 0, frozenset(Origin))).objects[0] == expected
    del expected.attributes[:]
    assert pb.DiscoverHierarchyReply.FromString(encoder.field(OBJECTS_KEY, 0, ())).objects[0] == expected


def test_attributes_of_some_origins_in_the_shown_order(tmp_path: Path) -> None:
    """What an engineer made stands first; other origins are left out where they are not asked for."""
    index = GalaxyIndex(SqlGalaxySource(edge_database(tmp_path / "edge.db")).read_galaxy())
    encoder = ObjectEncoder(index)
    for tag_name, expected in EXPECTED_ORIGINS.items():
        place = index.find_tag_name(tag_name)
        assert place is not None
        for asked in (frozenset(Origin), *({each} for each in Origin)):
            sent = pb.DiscoverHierarchyReply.FromString(encoder.field(OBJECTS_KEY, place, asked)).objects[0].attributes
            wanted = [
                name for origin, names in zip(SHOWN_ORDER, expected, strict=True) if origin in asked for name in names
            ]
            assert [each.attribute_name for each in sent] == wanted, (tag_name, asked)


def test_texts_are_those_of_the_nearest_package(tmp_path: Path) -> None:
    """Units and descriptions come each from the nearest package that gives them, for configured attributes only."""
    index = GalaxyIndex(SqlGalaxySource(edge_database(tmp_path / "edge.db")).read_galaxy())
    for tag_name, expected in EXPECTED_TEXTS.items():
        place = index.find_tag_name(tag_name)
        assert place is not None
        found = index.shapes.get(index.objects.shapes[place]).attributes
        told = [(each.name, each.engineering_units, each.description) for each in found]
        assert [each for each in told if each[1] or each[2]] == expected


def test_numbers_of_origins_are_the_contracts() -> None:
    """The origins that the index knows are those of the contract."""
    values = pb.AttributeOrigin.items()
    assert {name.removeprefix("ATTRIBUTE_ORIGIN_"): number for name, number in values if number} == {
        each.name: each.value for each in Origin
    }
