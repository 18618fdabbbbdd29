"""Objects as bytes that protobuf reads as the message."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.support.galaxy_source import galaxy_data

from mxgateway.generated import galaxy_repository_pb2 as pb
from mxgateway_server.galaxy.encoding import OBJECTS_KEY, ObjectEncoder
from mxgateway_server.galaxy.index import GalaxyIndex


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
            )
            for number in sorted(range(attributes), key=str)
        ],
    )
    encoder = ObjectEncoder(index)
    assert pb.DiscoverHierarchyReply.FromString(encoder.field(OBJECTS_KEY, 0, True)).objects[0] == expected
    del expected.attributes[:]
    assert pb.DiscoverHierarchyReply.FromString(encoder.field(OBJECTS_KEY, 0, False)).objects[0] == expected
