"""Expands the shared shapes of objects to the attributes that a client sees."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping
from enum import IntEnum
from functools import lru_cache, partial
from typing import NamedTuple

from mxgateway_server.galaxy.codes import ALARM_EXTENSION, HISTORY_EXTENSION, UNITS_SUFFIX
from mxgateway_server.galaxy.data import AttributeDefinition, GalaxyData

_EXPANDED_SHAPES = 256
_SHARED_PARTS = 2048
_COMPLETED = 16_384
_IN_ALARM = "inalarm"


class Origin(IntEnum):
    """Where an attribute comes from; the numbers of the contract."""

    CONFIGURED = 1
    BUILT_IN = 2
    EXTENSION = 3


SHOWN_ORDER = (Origin.CONFIGURED, Origin.EXTENSION, Origin.BUILT_IN)
"""What an engineer made stands before what every object of its kind has."""


class Attribute(NamedTuple):
    """An attribute of an object; everything but the object's name."""

    name: str
    mx_data_type: int
    data_type_name: str
    is_array: bool
    array_dimension: int | None
    mx_attribute_category: int
    security_classification: int
    origin: Origin
    is_historized: bool = False
    is_alarm: bool = False
    engineering_units: str = ""
    description: str = ""

    def reference(self, tag_name: str) -> str:
        """What AddItem takes."""
        return f"{tag_name}.{self.name}[]" if self.is_array else f"{tag_name}.{self.name}"


class Shape:
    """The attributes of all objects of one shape, in the order of their names without case.

    Attributes:
        alarms: what bears an alarm: an attribute with an alarm extension by itself, and by names such as `Level.Hi`
            what other extensions bring, whether the alarm is turned on or not, which no table tells.
    """

    __slots__ = ("alarms", "attributes")

    def __init__(self, attributes: tuple[Attribute, ...], alarms: tuple[Attribute, ...] = ()) -> None:
        self.attributes = attributes
        self.alarms = alarms

    def find(self, folded_name: str) -> Attribute | None:
        place = bisect_left(self.attributes, folded_name, key=_folded_name)
        if place < len(self.attributes) and _folded_name(self.attributes[place]) == folded_name:
            return self.attributes[place]
        return None


class ShapeTable:
    """The shapes of one Galaxy: facts of all of them, attributes of those in use lately. Threads may share it.

    A Galaxy in which every object differs has as many shapes as objects, so everything but four numbers a shape is
    kept in bounded caches, and put together from parts that many shapes share.

    Attributes:
        attribute_counts, alarm_bearing, historized, has_alarms: by index of the shape. An alarm-bearing one has an
            AlarmExtension, as browse means it; one that has alarms may have others.
    """

    def __init__(self, data: GalaxyData) -> None:
        # Functions bound to data, not methods bound to self: a cycle would keep a replaced Galaxy in memory until the
        # next full collection.
        parts = _Parts(
            configured=lru_cache(maxsize=_SHARED_PARTS)(partial(_configured, data)),
            built_in=lru_cache(maxsize=_SHARED_PARTS)(
                partial(_built_in, lru_cache(maxsize=4 * _SHARED_PARTS)(partial(_of_primitive, data)))
            ),
            extended=lru_cache(maxsize=_SHARED_PARTS)(partial(_extended, data)),
            alarms=lru_cache(maxsize=_SHARED_PARTS)(partial(_alarms, data)),
            texts=lru_cache(maxsize=_SHARED_PARTS)(partial(_texts, data)),
        )
        self.get = lru_cache(maxsize=_EXPANDED_SHAPES)(partial(_expand, data, parts))
        self.attribute_counts = array("i")
        self.alarm_bearing = bytearray()
        self.historized = bytearray()
        self.has_alarms = bytearray()
        for shape in range(len(data.shapes)):
            chosen = _choose(data, parts, shape)
            self.attribute_counts.append(len(chosen.attributes))
            self.alarm_bearing.append(bool(chosen.extended_by_alarm))
            self.historized.append(bool(chosen.historized))
            self.has_alarms.append(bool(chosen.alarms))


_ByName = dict[str, Attribute]
"""Attributes by name without case."""


_Texts = tuple[Mapping[str, str], Mapping[str, str]]
"""Units, and descriptions, by name without case."""


class _Parts(NamedTuple):
    """What layers are made of, from caches."""

    configured: Callable[[tuple[int, ...]], _ByName]
    built_in: Callable[[tuple[int, ...]], _ByName]
    extended: Callable[[tuple[int, ...]], tuple[frozenset[str], frozenset[str]]]
    alarms: Callable[[tuple[int, ...]], frozenset[tuple[str, str]]]
    texts: Callable[[tuple[int, ...]], _Texts]


class _Chosen(NamedTuple):
    """What a shape comes to.

    Attributes:
        extended_by_alarm, historized: names of configured attributes, without case.
        alarms: each as the attribute's name without case, and what comes below it.
    """

    attributes: _ByName
    extended_by_alarm: set[str]
    historized: set[str]
    alarms: set[tuple[str, str]]


def _folded_name(attribute: Attribute) -> str:
    return attribute.name.casefold()


def _expand(data: GalaxyData, parts: _Parts, shape: int) -> Shape:
    chosen, alarms, histories, all_alarms = _choose(data, parts, shape)
    units, descriptions = _all_texts(data, parts, shape)
    for name in alarms | histories | units.keys() | descriptions.keys():
        # Of an attribute that is not there, or that no engineer made, the texts say nothing.
        if (found := chosen.get(name)) is not None and found.origin is Origin.CONFIGURED:
            texts = units.get(name, ""), descriptions.get(name, "")
            chosen[name] = _completed(found, name in histories, name in alarms, *texts)
    bearing = [
        chosen[name]._replace(name=f"{chosen[name].name}.{below}", is_array=False) if below else chosen[name]
        for name, below in sorted(all_alarms)
    ]
    return Shape(tuple(map(chosen.__getitem__, sorted(chosen))), tuple(bearing))


def _choose(data: GalaxyData, parts: _Parts, shape: int) -> _Chosen:
    """One attribute per name: configured before built-in, then the nearest package; and which of them are extended."""
    layers = [data.layers[layer] for layer in reversed(data.shapes[shape])]
    chosen: _ByName = {}
    configured: _ByName = {}
    alarms: set[str] = set()
    histories: set[str] = set()
    all_alarms: set[tuple[str, str]] = set()
    for own, primitives, _ in layers:
        chosen.update(parts.built_in(primitives))
        configured.update(parts.configured(own))
        more_alarms, more_histories = parts.extended(primitives)
        alarms |= more_alarms
        histories |= more_histories
        all_alarms |= parts.alarms(primitives)
    chosen.update(configured)
    return _Chosen(
        chosen,
        alarms & configured.keys(),
        histories & configured.keys(),
        {each for each in all_alarms if each[0] in configured},
    )


def _all_texts(data: GalaxyData, parts: _Parts, shape: int) -> tuple[dict[str, str], dict[str, str]]:
    """Units and descriptions of a shape, each as the nearest package gives it."""
    units: dict[str, str] = {}
    descriptions: dict[str, str] = {}
    for layer in reversed(data.shapes[shape]):
        more_units, more_descriptions = parts.texts(data.layers[layer][2])
        units.update(more_units)
        descriptions.update(more_descriptions)
    return units, descriptions


def _texts(data: GalaxyData, indexes: tuple[int, ...]) -> _Texts:
    texts = [data.attribute_texts[index] for index in indexes]
    units = {name: given for name, given, _ in texts if given is not None}
    return units, {name: given for name, _, given in texts if given is not None}


def _configured(data: GalaxyData, definitions: tuple[int, ...]) -> _ByName:
    found: _ByName = {}
    for index in definitions:
        definition = data.definitions[index]
        folded = definition.name.casefold()
        origin = Origin.EXTENSION if folded.endswith(UNITS_SUFFIX.casefold()) else Origin.CONFIGURED
        found.setdefault(folded, _attribute(data, definition.name, definition, origin))
    return found


def _built_in(of_primitive: Callable[[int], _ByName], primitives: tuple[int, ...]) -> _ByName:
    found: _ByName = {}
    for index in reversed(primitives):
        found.update(of_primitive(index))
    return found


def _of_primitive(data: GalaxyData, index: int) -> _ByName:
    use = data.primitive_uses[index]
    origin = Origin.EXTENSION if use.is_extension else Origin.BUILT_IN
    found: _ByName = {}
    for attribute in data.primitive_definitions[use.definition].attributes:
        definition = data.definitions[attribute]
        name = f"{use.name}.{definition.name}" if use.name else definition.name
        found.setdefault(name.casefold(), _attribute(data, name, definition, origin))
    return found


def _extended(data: GalaxyData, primitives: tuple[int, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Names that carry an alarm extension, and those that carry a history extension."""
    names: dict[str, set[str]] = {ALARM_EXTENSION.casefold(): set(), HISTORY_EXTENSION.casefold(): set()}
    for index in primitives:
        use = data.primitive_uses[index]
        kind = data.primitive_definitions[use.definition].name.casefold()
        if kind in names:
            names[kind].add(use.name.casefold())
    alarms, histories = names.values()
    return frozenset(alarms), frozenset(histories)


def _alarms(data: GalaxyData, primitives: tuple[int, ...]) -> frozenset[tuple[str, str]]:
    """Every alarm that extensions bring: the name that one sits on, without case, and what comes below it.

    An alarm extension is one whatever attributes it is said to have; of others each name with an InAlarm and an Acked.
    """
    found: set[tuple[str, str]] = set()
    for index in primitives:
        use = data.primitive_uses[index]
        if not use.name:
            continue
        definition = data.primitive_definitions[use.definition]
        if definition.name.casefold() == ALARM_EXTENSION.casefold():
            found.add((use.name.casefold(), ""))
        names = [data.definitions[each].name for each in definition.attributes]
        folded = {name.casefold() for name in names}
        for name in names:
            owner = name[: -len(_IN_ALARM)]
            if name.casefold().endswith(_IN_ALARM) and f"{owner}acked".casefold() in folded and owner[-1:] in ("", "."):
                found.add((use.name.casefold(), owner.rstrip(".")))
    return frozenset(found)


def _attribute(data: GalaxyData, name: str, definition: AttributeDefinition, origin: Origin) -> Attribute:
    return Attribute(
        name=name,
        mx_data_type=definition.mx_data_type,
        data_type_name=data.data_type_names.get(definition.mx_data_type, ""),
        is_array=definition.is_array,
        array_dimension=definition.array_dimension,
        mx_attribute_category=definition.mx_attribute_category,
        security_classification=definition.security_classification,
        origin=origin,
    )


@lru_cache(maxsize=_COMPLETED)
def _completed(attribute: Attribute, is_historized: bool, is_alarm: bool, units: str, description: str) -> Attribute:
    return attribute._replace(
        is_historized=is_historized, is_alarm=is_alarm, engineering_units=units, description=description
    )
