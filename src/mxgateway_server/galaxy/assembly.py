"""Puts the rows of a Galaxy database together as GalaxyData, storing equal facts once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, Generic, TypeVar

from mxgateway_server.galaxy.codes import (
    ALARM_EXTENSION,
    DATA_TYPE_NAMES,
    DESCRIPTION_SUFFIX,
    HISTORY_EXTENSION,
    MAX_DERIVATION_STEPS,
    UNITS_SUFFIX,
)
from mxgateway_server.galaxy.data import (
    AttributeDefinition,
    AttributeText,
    GalaxyData,
    GalaxyObjectRow,
    Layer,
    ObjectTable,
    PrimitiveDefinition,
    PrimitiveUse,
)
from mxgateway_server.galaxy.errors import GalaxyDataError
from mxgateway_server.galaxy.mx_value import array_dimension, text

_T = TypeVar("_T", bound=Hashable)
_Row = Sequence[Any]

_TEXT_PLACES = {
    suffix.removeprefix(".").casefold(): place for place, suffix in enumerate((UNITS_SUFFIX, DESCRIPTION_SUFFIX))
}
_EXTENSIONS = {ALARM_EXTENSION.casefold(), HISTORY_EXTENSION.casefold()}


class Interned(Generic[_T]):
    """Distinct values in the order of their first appearance, known by their index."""

    def __init__(self) -> None:
        self.values: list[_T] = []
        self._index: dict[_T, int] = {}

    def add(self, value: _T) -> int:
        index = self._index.get(value)
        if index is None:
            index = self._index[value] = len(self.values)
            self.values.append(value)
        return index


class Assembly:
    """Takes the row sets of `queries` in the order of the methods, then gives the whole.

    Every method raises GalaxyDataError for rows that cannot be a Galaxy's.
    """

    def __init__(self, deploy_time: datetime | None) -> None:
        if deploy_time is not None and not isinstance(deploy_time, datetime):
            raise GalaxyDataError("the time of the last deployment is no time", f"{type(deploy_time).__name__}")
        self._deploy_time = deploy_time
        self._data_types = dict(DATA_TYPE_NAMES)
        self._definitions: Interned[AttributeDefinition] = Interned()
        self._kinds: list[PrimitiveDefinition] = []
        self._kind_of: dict[int, int] = {}
        self._uses: Interned[PrimitiveUse] = Interned()
        self._layers: Interned[Layer] = Interned()
        self._texts: Interned[AttributeText] = Interned()
        self._configured: dict[int, tuple[int, ...]] = {}
        self._texts_of: dict[int, tuple[int, ...]] = {}
        self._layer_of: dict[int, int] = {}
        self._derived_from: dict[int, int] = {}
        self._templates: dict[int, tuple[str, int]] = {}

    def data_types(self, rows: Iterable[_Row]) -> None:
        """Names of the data types; without this row set the product's usual names stand."""
        self._data_types = {_int(code, "data_type.mx_data_type"): str(name or "") for code, name in rows}

    def primitive_definitions(self, kinds: Iterable[_Row], attributes: Iterable[_Row]) -> None:
        members = {
            _int(kind, "attribute_definition.primitive_definition_id"): tuple(
                self._definitions.add(_definition(row[1:], "attribute_definition")) for row in rows
            )
            for kind, rows in groupby(attributes, itemgetter(0))
        }
        for kind, name in kinds:
            attribute_indexes = members.pop(kind, ())
            # Others add nothing that browse shows, and dropping them lets more objects share a shape.
            if attribute_indexes or str(name or "").casefold() in _EXTENSIONS:
                self._kind(_int(kind, "primitive_definition_id"), str(name or ""), attribute_indexes)
        for kind, attribute_indexes in members.items():
            self._kind(kind, "", attribute_indexes)

    def _kind(self, key: int, name: str, attributes: tuple[int, ...]) -> None:
        self._kind_of[key] = len(self._kinds)
        self._kinds.append(PrimitiveDefinition(name, attributes))

    def packages(self, rows: Iterable[_Row]) -> None:
        for package, derived_from in rows:
            self._derived_from[_int(package, "package.package_id")] = derived_from or 0

    def configured(self, rows: Iterable[_Row]) -> None:
        for package, members in groupby(rows, itemgetter(0)):
            self._configured[package] = tuple(
                self._definitions.add(_definition(row[1:], "dynamic_attribute")) for row in members
            )

    def texts(self, rows: Iterable[_Row]) -> None:
        """Units and descriptions; they belong to attributes of any package that derives from theirs."""
        for package, members in groupby(rows, itemgetter(0)):
            found: dict[str, list[str | None]] = {}
            for _, name, mx_value in members:
                attribute, _, kind = _name(name, "dynamic_attribute.attribute_name").casefold().rpartition(".")
                pair = found.setdefault(attribute, [None, None])
                pair[_TEXT_PLACES[kind]] = text(mx_value)
            self._texts_of[package] = tuple(
                self._texts.add((name, units, description)) for name, (units, description) in found.items()
            )

    def primitives(self, rows: Iterable[_Row]) -> None:
        use_of: dict[tuple[str, int, bool], int | None] = {}
        signatures: dict[tuple[int, ...], tuple[int, ...]] = {}
        for package, members in groupby(rows, itemgetter(0)):
            uses: list[int] = []
            for _, name, kind, is_extension in members:
                key = (name, kind, is_extension)
                if key not in use_of:
                    use_of[key] = self._use(name or "", kind, bool(is_extension))
                if (use := use_of[key]) is not None:
                    uses.append(use)
            signature = tuple(uses)
            signature = signatures.setdefault(signature, signature)
            self._add_layer(package, signature)
        for package in list(dict.fromkeys((*self._configured, *self._texts_of))):
            self._add_layer(package, ())

    def _add_layer(self, package: int, primitives: tuple[int, ...]) -> None:
        configured, texts = self._configured.pop(package, ()), self._texts_of.pop(package, ())
        self._layer_of[package] = self._layers.add((configured, primitives, texts))

    def _use(self, name: str, kind: int, is_extension: bool) -> int | None:
        index = self._kind_of.get(kind)
        if index is None:
            return None
        return self._uses.add(PrimitiveUse(_text(name, "primitive_name"), index, is_extension))

    def templates(self, rows: Iterable[_Row]) -> None:
        for gobject, tag_name, derived_from in rows:
            self._templates[_int(gobject, "gobject_id")] = (_name(tag_name, "tag_name"), derived_from or 0)

    def objects(self, rows: Iterable[_Row]) -> GalaxyData:
        """The last row set: the objects themselves."""
        shapes: Interned[tuple[int, ...]] = Interned()
        chains: Interned[tuple[str, ...]] = Interned()
        above: dict[int, tuple[int, ...]] = {}
        chain_of: dict[int, int] = {}
        found = ObjectTable()
        for gobject, tag_name, contained_name, parent, category, host, template, package in rows:
            if template not in chain_of:
                chain_of[template] = chains.add(self._template_chain(template))
            found.append(
                GalaxyObjectRow(
                    gobject_id=_int(gobject, "gobject.gobject_id"),
                    tag_name=_name(tag_name, "gobject.tag_name"),
                    contained_name=str(contained_name or ""),
                    parent_gobject_id=_int(parent or 0, "gobject.area_gobject_id"),
                    category_id=_int(category, "template_definition.category_id"),
                    hosted_by_gobject_id=_int(host or 0, "gobject.hosted_by_gobject_id"),
                    templates=chain_of[template],
                    shape=shapes.add(self._shape(package, above)),
                )
            )
        return GalaxyData(
            deploy_time=self._deploy_time,
            data_type_names=self._data_types,
            definitions=self._definitions.values,
            primitive_definitions=self._kinds,
            primitive_uses=self._uses.values,
            attribute_texts=self._texts.values,
            layers=self._layers.values,
            shapes=shapes.values,
            template_chains=chains.values,
            objects=found,
        )

    def _shape(self, package: int, above: dict[int, tuple[int, ...]]) -> tuple[int, ...]:
        if package not in self._derived_from:
            return ()
        parent = self._derived_from[package]
        if parent not in above:
            ids = walk(parent, self._derived_from.get, MAX_DERIVATION_STEPS)
            above[parent] = tuple(self._layer_of[one] for one in ids if one in self._layer_of)
        own = self._layer_of.get(package)
        return above[parent] if own is None else (own, *above[parent])

    def _template_chain(self, template: int) -> tuple[str, ...]:
        ids = walk(template, self._template_above, MAX_DERIVATION_STEPS + 1)
        return tuple(self._templates[one][0] for one in ids)

    def _template_above(self, template: int) -> int | None:
        found = self._templates.get(template)
        return None if found is None else found[1]


def walk(start: int, following: Callable[[int], int | None], most: int) -> list[int]:
    """Ids from `start` along `following` until 0 or an unknown id, at most `most`."""
    found: list[int] = []
    while start and len(found) < most:
        after = following(start)
        if after is None:
            break
        found.append(start)
        start = after
    return found


def _definition(row: _Row, table: str) -> AttributeDefinition:
    name, data_type, is_array, head, category, security = row
    return AttributeDefinition(
        name=_name(name, f"{table}.attribute_name"),
        mx_data_type=_int(data_type, f"{table}.mx_data_type"),
        is_array=bool(is_array),
        array_dimension=array_dimension(head) if is_array else None,
        mx_attribute_category=_int(category, f"{table}.mx_attribute_category"),
        security_classification=_int(security, f"{table}.security_classification"),
    )


def _int(value: object, column: str) -> int:
    if isinstance(value, int) and -(2**31) <= value < 2**31:
        return int(value)
    raise _unexpected(value, column)


def _text(value: object, column: str) -> str:
    if isinstance(value, str):
        return value
    raise _unexpected(value, column)


def _name(value: object, column: str) -> str:
    if isinstance(value, str) and value:
        return value
    raise _unexpected(value, column)


def _unexpected(value: object, column: str) -> GalaxyDataError:
    what = "empty" if value == "" else "out of range" if isinstance(value, int) else f"of type {type(value).__name__}"
    return GalaxyDataError("the Galaxy database returned unexpected rows", f"{column} is {what}")
