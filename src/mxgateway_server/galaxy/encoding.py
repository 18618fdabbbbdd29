"""Builds browse replies as bytes.

A page of a hundred objects holds about thirty thousand attributes, and building them as messages would take longer than
everything else together. All objects of one shape send the same attributes but for the object's name in each reference,
so the bytes between the names are made once per shape and length of name, and joined by the name.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache, partial

from mxgateway_contract.generated import galaxy_repository_pb2 as pb
from mxgateway_contract.varints import varint
from mxgateway_server.galaxy.codes import AREA
from mxgateway_server.galaxy.index import GalaxyIndex
from mxgateway_server.galaxy.shapes import SHOWN_ORDER, Attribute, Origin, ShapeTable

_LENGTH_DELIMITED = 2
_TEMPLATES = 1024
_BODIES = 16_384


def _key(message: type, field: str) -> bytes:
    number = message.DESCRIPTOR.fields_by_name[field].number  # type: ignore[attr-defined]
    return varint(number << 3 | _LENGTH_DELIMITED)


_REFERENCE_KEY = _key(pb.GalaxyAttribute, "full_tag_reference")
_ATTRIBUTE_KEY = _key(pb.GalaxyObject, "attributes")
OBJECTS_KEY = _key(pb.DiscoverHierarchyReply, "objects")
_ORIGINS = {origin: pb.AttributeOrigin.Value(f"ATTRIBUTE_ORIGIN_{origin.name}") for origin in Origin}
CHILDREN_KEY = _key(pb.BrowseChildrenReply, "children")


class ObjectEncoder:
    """Serialises the objects of one index."""

    def __init__(self, index: GalaxyIndex) -> None:
        self._index = index
        self._pieces = lru_cache(maxsize=_TEMPLATES)(partial(attribute_pieces, index.shapes))

    def field(self, key: bytes, place: int, origins: Collection[Origin]) -> bytes:
        """One object, with its attributes of some origins, as a field of a reply: key, length, GalaxyObject."""
        index, row = self._index, self._index.objects[place]
        head = pb.GalaxyObject(
            gobject_id=row.gobject_id,
            tag_name=row.tag_name,
            contained_name=row.contained_name,
            browse_name=index.browse_name(place),
            parent_gobject_id=index.parent_gobject_id(place),
            is_area=row.category_id == AREA,
            category_id=row.category_id,
            hosted_by_gobject_id=row.hosted_by_gobject_id,
            template_chain=index.template_chain(place),
        ).SerializeToString()
        attributes = b""
        if origins:
            tag_name = row.tag_name.encode()
            attributes = tag_name.join(self._pieces(row.shape, len(tag_name), frozenset(origins)))
        return b"".join((key, varint(len(head) + len(attributes)), head, attributes))


def attribute_pieces(shapes: ShapeTable, shape: int, name_length: int, origins: Collection[Origin]) -> Sequence[bytes]:
    """The bytes of a shape's attributes between the places where the object's name stands."""
    pieces: list[bytes] = []
    pending = b""
    attributes = [each for each in shapes.get(shape).attributes if each.origin in origins]
    # A stable sort: within one origin they stay in the order of their names.
    for attribute in sorted(attributes, key=lambda each: SHOWN_ORDER.index(each.origin)):
        head, suffix = _around_name(attribute, name_length)
        pieces.append(pending + head)
        pending = suffix
    if pieces:
        pieces.append(pending)
    # A tuple of bytes costs the garbage collector nothing, a list of them does.
    return tuple(pieces)


@lru_cache(maxsize=_BODIES)
def _around_name(attribute: Attribute, name_length: int) -> tuple[bytes, bytes]:
    """The bytes of one attribute before and after the object's name."""
    suffix = attribute.reference("").encode()
    body = _attribute_body(attribute) + _REFERENCE_KEY + varint(name_length + len(suffix))
    return _ATTRIBUTE_KEY + varint(len(body) + name_length + len(suffix)) + body, suffix


@lru_cache(maxsize=_BODIES)
def _attribute_body(attribute: Attribute) -> bytes:
    return pb.GalaxyAttribute(
        attribute_name=attribute.name,
        mx_data_type=attribute.mx_data_type,
        data_type_name=attribute.data_type_name,
        is_array=attribute.is_array,
        array_dimension=attribute.array_dimension or 0,
        array_dimension_present=attribute.array_dimension is not None,
        mx_attribute_category=attribute.mx_attribute_category,
        security_classification=attribute.security_classification,
        is_historized=attribute.is_historized,
        is_alarm=attribute.is_alarm,
        origin=_ORIGINS[attribute.origin],
        engineering_units=attribute.engineering_units,
        description=attribute.description,
    ).SerializeToString()
