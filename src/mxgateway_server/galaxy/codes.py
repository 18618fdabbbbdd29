"""Numbers of the Galaxy database that browse depends on."""

from __future__ import annotations

from typing import Final

AREA: Final = 13

BROWSE_CATEGORIES: Final = (1, 3, 4, 10, 11, 13, 17, 24, 26)
"""template_definition.category_id of what browse shows: platforms, engines, application objects, device integration
objects, areas and view applications; no templates' helpers, symbols or displays."""

CONFIGURED_CATEGORIES: Final = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 24)
"""dynamic_attribute.mx_attribute_category of attributes that exist at run time."""

AUTOMATION_NAMESPACE: Final = 1
"""gobject.namespace_id of automation objects; engines appear a second time in namespace 2, graphics are in 3."""

MAX_DERIVATION_STEPS: Final = 10
"""Longest walk from an object's package or template towards the base template; guards against cycles."""

HISTORY_EXTENSION: Final = "HistoryExtension"
ALARM_EXTENSION: Final = "AlarmExtension"

UNITS_SUFFIX: Final = ".EngUnits"
DESCRIPTION_SUFFIX: Final = ".Description"
"""Attributes of an attribute that say what it is: texts of the configuration, extensions of the attribute before the
dot."""

DATA_TYPE_NAMES: Final = {
    -1: "Unknown",
    0: "NoData",
    1: "Boolean",
    2: "Integer",
    3: "Float",
    4: "Double",
    5: "String",
    6: "Time",
    7: "ElapsedTime",
    8: "ReferenceType",
    9: "StatusType",
    10: "DataTypeEnum",
    11: "SecurityClassificationEnum",
    12: "DataQuality",
    13: "QualifiedEnum",
    14: "QualifiedStruct",
    15: "InternationalizedString",
    16: "BigString",
}
"""Names of mx_data_type for a database whose data_type table cannot be read."""
