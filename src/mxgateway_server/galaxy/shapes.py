"""Expands the shared shapes of objects to the attributes that a client sees."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

from mxgateway_server.galaxy.codes import ALARM_EXTENSION, HISTORY_EXTENSION
from mxgateway_server.galaxy.data import AttributeDefinition, GalaxyData

_EXPANDED_SHAPES = 1024


class Attribute(NamedTuple):
    """An attribute of an object; everything but the object's name."""

    name: str
    mx_data_type: int
    data_type_name: str
    is_array: bool
    array_dimension: int | None
    mx_attribute_category: int
    security_classification: int
    is_historized: bool
    is_alarm: bool

    def reference(self, tag_name: str) -> str:
        """What AddItem takes."""
        return f"{tag_name}.{self.name}[]" if self.is_array else f"{tag_name}.{self.name}"


@dataclass(frozen=True, slots=True)
class Shape:
    """The attributes of all objects of one shape, by name without case, and the place of each folded name."""

    attributes: tuple[Attribute, ...]
    by_name: dict[str, int]

    def find(self, folded_name: str) -> Attribute | None:
        position = self.by_name.get(folded_name)
        return None if position is None else self.attributes[position]


class ShapeFacts(NamedTuple):
    """What filters and counts need of a shape, without expanding it."""

    attribute_count: int
    is_alarm: bool
    is_historized: bool


class ShapeTable:
    """The shapes of one Galaxy: facts of all of them, attributes of those in use lately. Threads may share it."""

    def __init__(self, data: GalaxyData) -> None:
        self.attribute_counts = array("i")
        self.alarm_bearing = bytearray()
        self.historized = bytearray()
        for shape in range(len(data.shapes)):
            facts = _facts(data, shape)
            self.attribute_counts.append(facts.attribute_count)
            self.alarm_bearing.append(facts.is_alarm)
            self.historized.append(facts.is_historized)
        # Bound to the data, not to self: a cycle would keep a replaced Galaxy in memory until the next full collection.
        self.get = lru_cache(maxsize=_EXPANDED_SHAPES)(partial(expand_shape, data))


def expand_shape(data: GalaxyData, shape: int) -> Shape:
    """One attribute per name without case: configured before built-in, then the nearest package."""
    alarms, histories = _extended_names(data, shape, ALARM_EXTENSION), _extended_names(data, shape, HISTORY_EXTENSION)
    chosen: dict[str, Attribute] = {}
    for folded, name, definition, configured in _definitions(data, shape):
        if folded in chosen:
            continue
        chosen[folded] = Attribute(
            name=name,
            mx_data_type=definition.mx_data_type,
            data_type_name=data.data_type_names.get(definition.mx_data_type, ""),
            is_array=definition.is_array,
            array_dimension=definition.array_dimension,
            mx_attribute_category=definition.mx_attribute_category,
            security_classification=definition.security_classification,
            is_historized=configured and folded in histories,
            is_alarm=configured and folded in alarms,
        )
    names = sorted(chosen)
    return Shape(tuple(chosen[name] for name in names), {name: place for place, name in enumerate(names)})


def _definitions(data: GalaxyData, shape: int) -> Iterator[tuple[str, str, AttributeDefinition, bool]]:
    layers = [data.layers[layer] for layer in data.shapes[shape]]
    for layer in layers:
        for index in layer[0]:
            definition = data.definitions[index]
            yield definition.name.casefold(), definition.name, definition, True
    for layer in layers:
        for index in layer[1]:
            use = data.primitive_uses[index]
            for attribute in data.primitive_definitions[use.definition].attributes:
                definition = data.definitions[attribute]
                name = f"{use.name}.{definition.name}" if use.name else definition.name
                yield name.casefold(), name, definition, False


def _extended_names(data: GalaxyData, shape: int, extension: str) -> set[str]:
    wanted = extension.casefold()
    uses = (data.primitive_uses[index] for layer in data.shapes[shape] for index in data.layers[layer][1])
    return {use.name.casefold() for use in uses if data.primitive_definitions[use.definition].name.casefold() == wanted}


def _facts(data: GalaxyData, shape: int) -> ShapeFacts:
    names: set[str] = set()
    configured_names: set[str] = set()
    for folded, _, _, configured in _definitions(data, shape):
        names.add(folded)
        if configured:
            configured_names.add(folded)
    return ShapeFacts(
        attribute_count=len(names),
        is_alarm=not configured_names.isdisjoint(_extended_names(data, shape, ALARM_EXTENSION)),
        is_historized=not configured_names.isdisjoint(_extended_names(data, shape, HISTORY_EXTENSION)),
    )
