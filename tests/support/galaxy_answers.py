"""What the two forms of the Galaxy queries answer, in one comparable shape."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Engine

from mxgateway_server.galaxy import queries
from mxgateway_server.galaxy.data import GalaxyData
from mxgateway_server.galaxy.mx_value import array_dimension
from mxgateway_server.galaxy.shapes import Origin, ShapeTable


class AttributeAnswer(NamedTuple):
    """A row of `queries.attributes`, or the same attribute expanded from the cache."""

    gobject_id: int
    tag_name: str
    attribute_name: str
    full_tag_reference: str
    mx_data_type: int
    data_type_name: str
    is_array: bool
    array_dimension: int | None
    mx_attribute_category: int
    security_classification: int
    is_historized: bool
    is_alarm: bool
    origin: Origin


def attribute_answers(engine: Engine) -> list[AttributeAnswer]:
    """By the reference query; names that differ only in case are one, as on SQL Server, and the better one stays."""
    with engine.connect() as connection:
        rows = connection.execute(queries.attributes()).all()
    best: dict[tuple[int, str], Any] = {}
    for row in sorted(rows, key=lambda row: (row.source_rank, row.depth)):
        best.setdefault((row.gobject_id, row.attribute_name.casefold()), row)
    return sorted(
        AttributeAnswer(
            row.gobject_id,
            row.tag_name,
            row.attribute_name,
            row.full_tag_reference,
            row.mx_data_type,
            row.data_type_name or "",
            bool(row.is_array),
            array_dimension(row.mx_value_head) if row.is_array else None,
            row.mx_attribute_category,
            row.security_classification,
            bool(row.is_historized),
            bool(row.is_alarm),
            Origin.EXTENSION if row.is_extension else Origin.BUILT_IN if row.source_rank else Origin.CONFIGURED,
        )
        for row in best.values()
    )


def hierarchy_answers(engine: Engine) -> list[tuple[Any, ...]]:
    """By the reference queries: the hierarchy's columns and the template chain."""
    chains: dict[int, list[str]] = {}
    with engine.connect() as connection:
        for gobject_id, _, name in connection.execute(queries.template_chains()).all():
            chains.setdefault(gobject_id, []).append(name)
        rows = connection.execute(queries.hierarchy()).all()
    return sorted((*row[:5], bool(row.is_area), *row[6:], tuple(chains.get(row.gobject_id, ()))) for row in rows)


def expanded_attributes(data: GalaxyData) -> list[AttributeAnswer]:
    """The same from what the cache holds."""
    shapes = ShapeTable(data)
    return sorted(
        AttributeAnswer(
            row.gobject_id,
            row.tag_name,
            found.name,
            found.reference(row.tag_name),
            found.mx_data_type,
            found.data_type_name,
            found.is_array,
            found.array_dimension,
            found.mx_attribute_category,
            found.security_classification,
            found.is_historized,
            found.is_alarm,
            found.origin,
        )
        for row in data.objects
        for found in shapes.get(row.shape).attributes
    )


def expanded_hierarchy(data: GalaxyData) -> list[tuple[Any, ...]]:
    """The same from what the cache holds."""
    return sorted(
        (
            row.gobject_id,
            row.tag_name,
            row.contained_name,
            row.contained_name or row.tag_name,
            row.parent_gobject_id,
            row.category_id == 13,
            row.category_id,
            row.hosted_by_gobject_id,
            data.template_chains[row.templates],
        )
        for row in data.objects
    )
