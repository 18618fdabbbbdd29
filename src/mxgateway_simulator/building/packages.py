"""Packages, primitives and attribute definitions: what every template and instance is stored as."""

from __future__ import annotations

import hashlib

from mxgateway_simulator.building import zb_schema as zb
from mxgateway_simulator.building.base_templates import EXECUTION_GROUPS, EXTENSION_ATTRIBUTES, BuiltIn, default_of
from mxgateway_simulator.building.build_attributes import Layer
from mxgateway_simulator.building.build_rows import RowWriter
from mxgateway_simulator.mx_value import encode


class PackageWriter:
    """Writes packages and what defines their primitives; numbers all that a Galaxy numbers."""

    def __init__(self, rows: RowWriter, galaxy: str) -> None:
        self._rows = rows
        self._galaxy = galaxy
        self._next = {"gobject": 0, "package": 0, "definition": 0, "primitive": 0, "attribute": 0}
        self._extensions: dict[str, int] = {}

    def new_id(self, kind: str) -> int:
        """The next number of a kind: gobject, package, definition, primitive or attribute."""
        self._next[kind] += 1
        return self._next[kind]

    def guids(self, name: str) -> dict[str, str]:
        """The two GUIDs of an object, the same in each build."""
        digest = hashlib.blake2b(f"{self._galaxy}/{name}".encode(), digest_size=32).hexdigest()
        return {"identity_guid": digest[:32], "configuration_guid": digest[32:]}

    def write(self, package_id: int, gobject_id: int, derived_from: int, layer: Layer) -> None:
        """Writes a package with its primitives."""
        add = self._rows.add
        add(zb.package, package_id=package_id, derived_from_package_id=derived_from, gobject_id=gobject_id)
        for primitive in layer.primitives:
            add(
                zb.primitive_instance,
                gobject_id=gobject_id,
                package_id=package_id,
                mx_primitive_id=primitive.mx_primitive_id,
                primitive_definition_id=primitive.definition_id,
                primitive_name=primitive.name,
                extension_type=primitive.extension_type,
                execution_group=primitive.execution_group,
                created_by_parent=0,
            )

    def extension(self, name: str) -> int:
        """The definition of an extension primitive, written when it is first asked for."""
        if name not in self._extensions:
            self._extensions[name] = self.primitive_definition(0, name, EXTENSION_ATTRIBUTES[name])
        return self._extensions[name]

    def primitive_definition(self, definition_id: int, name: str, attributes: tuple[BuiltIn, ...]) -> int:
        """Writes a primitive's definition and those of its attributes."""
        primitive_id = self.new_id("primitive")
        self._rows.add(
            zb.primitive_definition,
            primitive_definition_id=primitive_id,
            template_definition_id=definition_id,
            primitive_name=name,
            execution_group=EXECUTION_GROUPS.get(name, 0),
            supports_dynamic_attributes=int(not name),
        )
        for number, attribute in enumerate(attributes, 100):
            value = default_of(attribute)
            dimension = _dimension(attribute)
            self._rows.add(
                zb.attribute_definition,
                attribute_definition_id=self.new_id("attribute"),
                primitive_definition_id=primitive_id,
                attribute_name=attribute.name,
                mx_attribute_id=number,
                mx_data_type=int(attribute.data_type),
                security_classification=int(attribute.security),
                mx_attribute_category=int(attribute.category),
                mx_value=encode(attribute.data_type, value if value is not None else 0, dimension),
                is_array=int(attribute.is_array),
            )
        return primitive_id


_COUNTS = 13
_OTHER_ARRAYS = 5


def _dimension(attribute: BuiltIn) -> int:
    """Elements of a built-in attribute; 0 for a scalar."""
    if not attribute.is_array:
        return 0
    return _COUNTS if attribute.name.startswith("AlarmCnts") else _OTHER_ARRAYS
