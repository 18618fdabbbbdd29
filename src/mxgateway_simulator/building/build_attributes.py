"""The attributes of one template or instance on their way into the database: new UDAs, overrides, extensions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from mxgateway_protocol.variants import DataType
from mxgateway_simulator.building import zb_schema as zb
from mxgateway_simulator.building.base_templates import EXECUTION_GROUPS, EXTENSION_ATTRIBUTES, BuiltIn
from mxgateway_simulator.building.build_rows import RowWriter
from mxgateway_simulator.building.configured_values import ConfiguredValueError, configured_value
from mxgateway_simulator.building.description import EXTENSIONS, AttributeSpec
from mxgateway_simulator.classifications import Category, Security
from mxgateway_simulator.errors import GalaxyDescriptionError
from mxgateway_simulator.mx_value import encode

_USER_PRIMITIVE = 100
_FIRST_EXTENSION = 200
_UDA, _USER_EXTENDED = 1, 4


@dataclass(frozen=True, slots=True)
class Primitive:
    """One primitive of an object, as primitive_instance stores it."""

    name: str
    definition_id: int
    extension_type: str
    execution_group: int
    mx_primitive_id: int


@dataclass(frozen=True, slots=True)
class _Uda:
    name: str
    mx_attribute_id: int
    data_type: DataType
    dimension: int = 0
    value: Any = None
    category: Category = Category.Writeable_USC_Lockable
    security: Security = Security.Operate
    locked: bool = False
    enum: tuple[str, ...] = ()


@dataclass(slots=True)
class Layer:
    """What an object consists of so far: inherited and its own."""

    primitives: list[Primitive]
    udas: dict[str, _Uda] = field(default_factory=dict)
    built_in: dict[str, BuiltIn] = field(default_factory=dict)

    @classmethod
    def root(cls, primitive: Primitive, attributes: tuple[BuiltIn, ...]) -> Layer:
        return cls([primitive], {}, {attribute.name.casefold(): attribute for attribute in attributes})

    def derive(self) -> Layer:
        return Layer(list(self.primitives), dict(self.udas), dict(self.built_in))

    def names(self) -> frozenset[str]:
        """All attributes, in lower case."""
        return frozenset(self.udas) | frozenset(self.built_in)

    @property
    def longest_name(self) -> int:
        return max((len(name) for name in (*self.udas, *self.built_in)), default=0)

    def add_primitive(self, name: str, definition_id: int, kind: str, group: int) -> None:
        """Adds an extension; one that stands already (inherited) stays as it is."""
        for primitive in self.primitives:
            if primitive.name.casefold() == name.casefold() and primitive.definition_id == definition_id:
                return
        number = _FIRST_EXTENSION + len(self.primitives)
        self.primitives.append(
            Primitive(
                name=name,
                definition_id=definition_id,
                extension_type=kind,
                execution_group=group,
                mx_primitive_id=number,
            )
        )
        prefix = f"{name}." if name else ""
        for attribute in EXTENSION_ATTRIBUTES[_DEFINITION_NAMES.get(kind, kind)]:
            self.built_in[f"{prefix}{attribute.name}".casefold()] = attribute


_DEFINITION_NAMES = {extension_type: definition for definition, extension_type in EXTENSIONS.values()}


class AttributeWriter:
    """Writes what a description says about the attributes of one package."""

    def __init__(self, rows: RowWriter, file: str) -> None:
        self._rows = rows
        self._file = file
        self._next_attribute_id = 1000
        self.names: set[str] = set()
        """All names that descriptions gave to attributes."""

    def write(
        self,
        layer: Layer,
        gobject_id: int,
        package_id: int,
        specs: Mapping[str, AttributeSpec],
        extension: Callable[[str], int],
    ) -> None:
        """Adds rows for the specs and brings the layer up to date.

        Raises:
            GalaxyDescriptionError: a spec overrides what is not there, or has a value that does not fit.
        """
        for spec in specs.values():
            self.names.add(spec.name)
            key = spec.name.casefold()
            if spec.data_type is not None or key in layer.udas:
                self._uda(layer, gobject_id, package_id, spec)
            elif key in layer.built_in:
                self._built_in(layer.built_in[key], package_id, spec.name, spec)
            else:
                self._fail(spec, "is not inherited and has no `type`; give it one, for example `type: Float`")
            # As it was first written, whatever the spelling of its case here.
            name = layer.udas[key].name if key in layer.udas else spec.name
            for kind, values in spec.extensions.items():
                definition, extension_type = EXTENSIONS[kind]
                layer.add_primitive(name, extension(definition), extension_type, EXECUTION_GROUPS.get(definition, 0))
                self._extension_values(spec, name, package_id, definition, values)
            history = spec.extensions.get("history")
            if history is not None and spec.units and "EngUnits" not in history:
                self._behave(package_id, f"{name}.EngUnits", {"value": spec.units})

    def _fail(self, spec: AttributeSpec, problem: str) -> NoReturn:
        raise GalaxyDescriptionError(self._file, spec.path, problem)

    def _uda(self, layer: Layer, gobject_id: int, package_id: int, spec: AttributeSpec) -> None:
        parent = layer.udas.get(spec.name.casefold())
        uda = self._inherited(parent, spec) if parent else self._new(spec)
        layer.udas[spec.name.casefold()] = uda
        if parent is None or _is_redefined(spec):
            self._dynamic(gobject_id, package_id, uda, _UDA)
        for suffix, text in (("Description", spec.description), ("EngUnits", spec.units)):
            if text:
                extra = _Uda(f"{uda.name}.{suffix}", self._attribute_id(), DataType.STRING, value=text,
                             security=Security.Tune)  # fmt: skip
                self._dynamic(gobject_id, package_id, extra, _USER_EXTENDED)
        if spec.behaviour:
            self._behave(package_id, uda.name, dict(spec.behaviour))

    def _new(self, spec: AttributeSpec) -> _Uda:
        """An attribute that no template has."""
        assert spec.data_type is not None
        uda = _Uda(spec.name, self._attribute_id(), spec.data_type, spec.dimension or 0, enum=_enum(spec, ()))
        return self._changed(replace(uda, value=self._configured(uda, spec)), spec)

    def _inherited(self, parent: _Uda, spec: AttributeSpec) -> _Uda:
        """A template's attribute as this description changes it."""
        if spec.data_type not in (None, parent.data_type):
            self._fail(spec, f"is inherited as {parent.data_type.name}; its type cannot change, leave `type` out")
        uda = replace(parent, dimension=spec.dimension or parent.dimension, enum=_enum(spec, parent.enum))
        if spec.value is not None or uda.dimension != parent.dimension:
            uda = replace(uda, value=self._configured(uda, spec))
        return self._changed(uda, spec)

    def _configured(self, uda: _Uda, spec: AttributeSpec) -> Any:
        try:
            return configured_value(uda.data_type, uda.dimension, spec.value, uda.enum)
        except ConfiguredValueError as error:
            self._fail(spec, f"value: {error}")

    @staticmethod
    def _changed(uda: _Uda, spec: AttributeSpec) -> _Uda:
        return replace(
            uda,
            category=uda.category if spec.category is None else spec.category,
            security=uda.security if spec.security is None else spec.security,
            locked=uda.locked if spec.locked is None else spec.locked,
        )

    def _attribute_id(self) -> int:
        # Signed 16 bits in the product; numbers only have to differ within one object.
        self._next_attribute_id = 1000 if self._next_attribute_id >= 32_000 else self._next_attribute_id + 1
        return self._next_attribute_id

    def _dynamic(self, gobject_id: int, package_id: int, uda: _Uda, kind: int) -> None:
        self._rows.add(
            zb.dynamic_attribute,
            gobject_id=gobject_id,
            package_id=package_id,
            mx_primitive_id=_USER_PRIMITIVE,
            mx_attribute_id=uda.mx_attribute_id,
            attribute_name=uda.name,
            mx_data_type=int(uda.data_type),
            is_array=int(bool(uda.dimension)),
            mx_value=encode(uda.data_type, uda.value, uda.dimension),
            mx_attribute_category=int(uda.category),
            security_classification=int(uda.security),
            dynamic_attribute_type=kind,
            lock_type=int(uda.locked),
        )

    def _built_in(self, attribute: BuiltIn, package_id: int, name: str, spec: AttributeSpec) -> None:
        behaviour = dict(spec.behaviour)
        if spec.value is not None:
            behaviour["value"] = self._value(spec, attribute, spec.value)
        if behaviour:
            self._behave(package_id, name, behaviour)

    def _extension_values(
        self, spec: AttributeSpec, anchor: str, package_id: int, definition: str, values: Mapping[str, Any]
    ) -> None:
        known = {attribute.name.casefold(): attribute for attribute in EXTENSION_ATTRIBUTES[definition]}
        for name, value in values.items():
            attribute = known.get(str(name).casefold())
            if attribute is None:
                names = ", ".join(a.name for a in known.values() if not a.name.startswith("_"))
                self._fail(spec, f"{definition} has no {name!r}; it has {names}")
            self._behave(package_id, f"{anchor}.{attribute.name}", {"value": self._value(spec, attribute, value)})

    def _value(self, spec: AttributeSpec, attribute: BuiltIn, value: Any) -> Any:
        dimension = len(value) if attribute.is_array and isinstance(value, list) else int(attribute.is_array)
        try:
            return configured_value(attribute.data_type, dimension, value)
        except ConfiguredValueError as error:
            self._fail(spec, f"{attribute.name}: {error}")

    def _behave(self, package_id: int, name: str, behaviour: dict[str, Any]) -> None:
        text = json.dumps(behaviour, separators=(",", ":"), default=str)
        self._rows.add(zb.sim_attribute, package_id=package_id, attribute_name=name, behaviour=text)


def _is_redefined(spec: AttributeSpec) -> bool:
    """Whether a spec says something that stands in the attribute's own row."""
    given = (spec.value, spec.dimension or None, spec.category, spec.security, spec.locked)
    return any(part is not None for part in given)


def _enum(spec: AttributeSpec, inherited: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(spec.behaviour.get("enum", inherited))
