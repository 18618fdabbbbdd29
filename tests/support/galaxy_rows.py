"""Small Galaxy databases, row by row: the plain one and the one with every edge that browse must get right."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, insert, update
from sqlalchemy.pool import NullPool

from mxgateway_protocol.variants import DataType
from mxgateway_simulator.building import zb_schema as zb
from mxgateway_simulator.mx_value import encode

GUID = "00000000-0000-0000-0000-000000000000"
DEPLOYED = datetime(2026, 3, 14, 9, 26, 53, 590_000)


def array_value(type_code: int, dimension: int) -> str:
    """The head of an array's mx_value, as the database spells it."""
    header = bytes([0x40 | type_code]) + (100).to_bytes(4, "little") + dimension.to_bytes(2, "little") + bytes(4)
    return "0x" + header.hex().upper()


@dataclass
class GalaxyRows:
    """Collects rows; ids are given by the caller so that tests can name them."""

    deploy_time: datetime | None = DEPLOYED
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _attribute_ids: int = 0

    def add(self, table: str, **values: Any) -> None:
        self.rows.setdefault(table, []).append(values)

    def template_definition(self, number: int, name: str, category: int) -> None:
        self.add(
            "template_definition",
            template_definition_id=number,
            base_gobject_id=number,
            original_template_tagname=name,
            category_id=category,
            codebase="",
        )

    def package(self, number: int, derived_from: int = 0, gobject: int = 0) -> None:
        self.add("package", package_id=number, derived_from_package_id=derived_from, gobject_id=gobject)

    def gobject(self, number: int, tag_name: str, definition: int, **values: Any) -> None:
        """An object; `package` is both its checked-in and its deployed package unless those are given."""
        package = values.pop("package", 0)
        row = {
            "gobject_id": number,
            "template_definition_id": definition,
            "derived_from_gobject_id": 0,
            "contained_by_gobject_id": 0,
            "area_gobject_id": 0,
            "hosted_by_gobject_id": 0,
            "default_symbol_gobject_id": 0,
            "default_display_gobject_id": 0,
            "checked_in_package_id": package,
            "checked_out_package_id": 0,
            "deployed_package_id": package,
            "last_deployed_package_id": package,
            "tag_name": tag_name,
            "contained_name": "",
            "identity_guid": GUID,
            "configuration_guid": GUID,
            "configuration_version": 1,
            "deployed_version": 1,
            "is_template": False,
            "is_hidden": False,
            "software_upgrade_needed": False,
            "hosting_tree_level": 0,
            "hierarchical_name": tag_name,
            "namespace_id": 1,
            "deployment_pending_status": False,
        }
        self.add("gobject", **(row | values))

    def template(self, number: int, tag_name: str, definition: int, derived_from: int = 0, package: int = 0) -> None:
        self.gobject(
            number,
            tag_name,
            definition,
            derived_from_gobject_id=derived_from,
            is_template=True,
            checked_in_package_id=package,
        )

    def attribute(self, package: int, name: str, data_type: int = 2, **values: Any) -> None:
        self._attribute_ids += 1
        row = {
            "gobject_id": 0,
            "package_id": package,
            "mx_primitive_id": 100,
            "mx_attribute_id": self._attribute_ids,
            "attribute_name": name,
            "mx_data_type": data_type,
            "is_array": False,
            "mx_value": None,
            "mx_attribute_category": 10,
            "security_classification": 1,
            "dynamic_attribute_type": 1,
            "lock_type": 0,
        }
        self.add("dynamic_attribute", **(row | values))

    def primitive_definition(self, number: int, name: str, attributes: Mapping[str, int | dict[str, Any]]) -> None:
        self.add(
            "primitive_definition",
            primitive_definition_id=number,
            template_definition_id=1,
            parent_mx_primitive_id=0,
            mx_primitive_id=0,
            primitive_name=name,
            execution_group=0,
            is_virtual=False,
            supports_dynamic_attributes=True,
            major_version=1,
        )
        for place, (attribute, details) in enumerate(attributes.items()):
            values = {"mx_data_type": details} if isinstance(details, int) else details
            row = {
                "attribute_definition_id": number * 1000 + place,
                "primitive_definition_id": number,
                "attribute_name": attribute,
                "mx_attribute_id": place,
                "has_config_set_handler": False,
                "security_classification": 1,
                "mx_attribute_category": 12,
                "is_locked": False,
                "mx_value": None,
                "is_array": False,
            }
            self.add("attribute_definition", **(row | values))

    def text(self, package: int, name: str, text: str) -> None:
        """Units or a description of an attribute."""
        self.attribute(package, name, 5, dynamic_attribute_type=4, mx_value=encode(DataType.STRING, text))

    def primitive(self, package: int, number: int, definition: int, name: str = "") -> None:
        self.add(
            "primitive_instance",
            gobject_id=0,
            package_id=package,
            mx_primitive_id=number,
            primitive_definition_id=definition,
            primitive_name=name,
            extension_type=EXTENSION_TYPES.get(definition, ""),
            execution_group=0,
            created_by_parent=False,
            primitive_attributes=None,
        )

    def write(self, engine: Engine) -> None:
        """Makes the tables and fills them."""
        zb.zb.create_all(engine)
        with engine.begin() as connection:
            connection.execute(
                insert(zb.galaxy),
                [{"galaxy_id": 1, "galaxy_name": "Edge", "time_of_last_deploy": self.deploy_time}],
            )
            connection.execute(insert(zb.data_type), [{"mx_data_type": c, "description": n} for c, n in DATA_TYPES])
            for name in TABLES:
                if found := self.rows.get(name):
                    connection.execute(insert(zb.zb.tables[name]), found)

    def write_file(self, path: Path) -> str:
        """An SQLite file; returns its URL."""
        engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
        # Nobody needs these files after a crash.
        event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
        self.write(engine)
        engine.dispose()
        return f"sqlite:///{path}"


TABLES = (
    "template_definition",
    "package",
    "gobject",
    "primitive_definition",
    "attribute_definition",
    "primitive_instance",
    "dynamic_attribute",
)
DATA_TYPES = [(1, "Boolean"), (2, "Integer"), (3, "Float"), (4, "Double"), (5, "String"), (6, "Time")]


def set_deploy_time(path: Path, deploy_time: datetime | None) -> None:
    """What a deployment does to the time that browse polls."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(update(zb.galaxy).values(time_of_last_deploy=deploy_time))
    engine.dispose()


PLATFORM, ENGINE, USER_DEFINED, AREA, SYMBOL, VIEW_APP = 1, 2, 3, 4, 5, 6
OBJECT_PRIMITIVE, ALARM, HISTORY, PLATFORM_PRIMITIVE, SCRIPT, SCHEDULER, ANALOG, BAD_VALUE = 1, 2, 3, 4, 5, 6, 7, 8
EXTENSION_TYPES = {
    ALARM: "alarmextension",
    HISTORY: "historyextension",
    SCRIPT: "ScriptExtension",
    ANALOG: "analogextension",
    BAD_VALUE: "badvaluealarmextension",
}


_ANALOG_NAMES = ("Hi.InAlarm", "Hi.Acked", "Roc.Down.INALARM", "roc.down.Acked", "NoAcked.InAlarm", "LevelAlarmed")


def base_rows() -> GalaxyRows:
    """Template definitions, primitives and base templates, and no object yet."""
    rows = GalaxyRows()
    for number, name, category in (
        (PLATFORM, "$WinPlatform", 1),
        (ENGINE, "$AppEngine", 3),
        (USER_DEFINED, "$UserDefined", 10),
        (AREA, "$Area", 13),
        (SYMBOL, "$Symbol", 16),
        (VIEW_APP, "$ViewApp", 26),
    ):
        rows.template_definition(number, name, category)
        rows.package(number, 0, number)
        rows.template(number, name, number, 0, number)
        rows.primitive(number, 1, PLATFORM_PRIMITIVE if number in (PLATFORM, ENGINE) else OBJECT_PRIMITIVE)
    rows.primitive_definition(OBJECT_PRIMITIVE, "", {"ShortDesc": 15, "Area": 5, "_Hidden": 2, "Shared": 5})
    rows.primitive_definition(ALARM, "AlarmExtension", {"InAlarm": 1, "Acked": 1, "AckMsg": 5, "_Internal": 2})
    rows.primitive_definition(HISTORY, "HistoryExtension", {})
    rows.primitive_definition(
        PLATFORM_PRIMITIVE,
        "",
        {"ScanState": 1, "NodeNames": {"mx_data_type": 5, "is_array": True, "mx_value": array_value(5, 4)}},
    )
    rows.primitive_definition(SCRIPT, "ScriptExtension", {"ExecuteScript": 1})
    rows.primitive_definition(SCHEDULER, "Scheduler", {"ScanPeriod": 2})
    rows.primitive_definition(ANALOG, "AnalogExtension", dict.fromkeys(_ANALOG_NAMES, 1))
    rows.primitive_definition(BAD_VALUE, "BadValueAlarmExtension", {"Bad.InAlarm": 1, "Bad.Acked": 1})
    return rows


def edge_rows() -> GalaxyRows:
    """Every case in which a naive reading of the tables gives a wrong answer; `EXPECTED` holds the right ones."""
    rows = base_rows()

    def instance(
        number: int, tag_name: str, definition: int, template: int, template_package: int, **values: Any
    ) -> None:
        """An object with package 1000 + its id; engines and areas have none of their own attributes."""
        rows.package(1000 + number, template_package, number)
        rows.primitive(1000 + number, 1, PLATFORM_PRIMITIVE if definition in (PLATFORM, ENGINE) else OBJECT_PRIMITIVE)
        defaults = {"derived_from_gobject_id": template, "package": 1000 + number}
        rows.gobject(number, tag_name, definition, **(defaults | values))

    # A template two levels up defines UDAs, the nearer one an alarm extension on an inherited attribute.
    rows.package(20, USER_DEFINED, 20)
    rows.template(20, "$Base", USER_DEFINED, USER_DEFINED, 20)
    rows.attribute(20, "Level", 3, mx_value=None)
    rows.text(20, "Level.Description", "Füllstand 🍺")
    rows.text(20, "Level.EngUnits", "m")
    rows.text(20, "Shared.Description", "both configured and built in")
    rows.text(20, "Area.Description", "of a built-in attribute, which no engineer describes")
    rows.text(20, "Gone.Description", "of an attribute that is not there")
    rows.attribute(20, "TWICE.Description", 5, dynamic_attribute_type=4, mx_value="0x00")
    rows.attribute(20, "_Secret", 2)
    rows.attribute(20, "Shared", 2)
    rows.attribute(20, "PackageOnly", 2, mx_attribute_category=0)
    rows.attribute(20, "TWICE", 2)
    rows.package(21, 20, 21)
    rows.template(21, "$Tank", USER_DEFINED, 20, 21)
    rows.attribute(21, "Twice", 4, mx_attribute_category=3, security_classification=4)
    rows.text(21, "Level.EngUnits", "hl")
    rows.primitive(21, 1, OBJECT_PRIMITIVE)
    rows.primitive(21, 2, ALARM, "Level")
    rows.primitive(21, 3, HISTORY, "Twice")
    rows.primitive(21, 4, SCRIPT, "_Auto")
    # A chain of templates longer than the guard.
    previous = USER_DEFINED
    for step in range(30, 45):
        rows.package(step, previous, step)
        rows.template(step, f"$Deep{step}", USER_DEFINED, previous, step)
        rows.attribute(step, f"From{step}", 2)
        previous = step

    instance(100, "AreaOne", AREA, AREA, AREA)
    instance(101, "AreaInner", AREA, AREA, AREA, area_gobject_id=100)
    instance(102, "Platform_001", PLATFORM, PLATFORM, PLATFORM)
    instance(103, "Engine_001", ENGINE, ENGINE, ENGINE, area_gobject_id=100, hosted_by_gobject_id=102)
    rows.gobject(104, "Engine_001", ENGINE, namespace_id=2, package=1103, area_gobject_id=100)
    instance(105, "Tank_001", USER_DEFINED, 21, 21, area_gobject_id=101, hosted_by_gobject_id=103)
    rows.attribute(1105, "Level", 4, security_classification=5)
    rows.text(1105, "Level.Description", "Beer")
    # A primitive with a name that every object of its kind has.
    rows.primitive(1103, 2, SCHEDULER, "Scheduler")
    # Contained in an object; its area column holds the container's area.
    instance(
        106, "Valve_001", USER_DEFINED, 20, 20, area_gobject_id=101, contained_by_gobject_id=105, contained_name="Inlet"
    )
    # Contained in an area.
    instance(
        107, "Pump_001", USER_DEFINED, 20, 20, area_gobject_id=101, contained_by_gobject_id=101, contained_name="Pump"
    )
    # Alarms that are no alarm extensions: of a number, of its quality, and on a name that is no attribute.
    rows.primitive(1107, 2, ANALOG, "Level")
    rows.primitive(1107, 3, BAD_VALUE, "twice")
    rows.primitive(1107, 4, BAD_VALUE, "Gone")
    # Not deployed.
    instance(108, "Ghost_001", USER_DEFINED, 21, 21, area_gobject_id=101, deployed_package_id=0)
    # Its area is not deployed.
    instance(109, "AreaDown", AREA, AREA, AREA, deployed_package_id=0)
    instance(110, "Orphan_001", USER_DEFINED, 20, 20, area_gobject_id=109)
    # Checked in, not yet deployed: the attribute is not there at run time.
    instance(
        111, "Changed_001", USER_DEFINED, USER_DEFINED, USER_DEFINED, area_gobject_id=100, checked_in_package_id=2111
    )
    rows.package(2111, USER_DEFINED, 111)
    rows.attribute(2111, "OnlyCheckedIn", 2)
    rows.attribute(1111, "OnlyDeployed", 2)
    # Outside the browsed categories.
    instance(112, "Symbol_001", SYMBOL, SYMBOL, SYMBOL, area_gobject_id=100)
    instance(113, "View_001", VIEW_APP, VIEW_APP, VIEW_APP)
    # Longer than the guard.
    instance(114, "Deep_001", USER_DEFINED, 44, 44, area_gobject_id=100)
    # Arrays: a dimension that needs both bytes, one that is unknown, a scalar of the same class.
    instance(115, "Arrays_001", USER_DEFINED, USER_DEFINED, USER_DEFINED, area_gobject_id=100)
    rows.attribute(1115, "Long", 3, is_array=True, mx_value=array_value(3, 300))
    rows.attribute(1115, "Short", 5, is_array=True, mx_value=array_value(5, 50).lower())
    rows.attribute(1115, "Empty", 3, is_array=True, mx_value=array_value(3, 0))
    rows.attribute(1115, "Unknown", 3, is_array=True, mx_value="0x00")
    rows.attribute(1115, "Absent", 3, is_array=True, mx_value=None)
    # Names that mean something to LIKE and to globs, and names beyond ASCII.
    instance(116, "Mix_50%", USER_DEFINED, USER_DEFINED, USER_DEFINED, area_gobject_id=100)
    rows.attribute(1116, "A_B", 2)
    rows.attribute(1116, "A%B", 2)
    instance(117, "Größe_Öl", USER_DEFINED, USER_DEFINED, USER_DEFINED, area_gobject_id=100)
    rows.attribute(1117, "Température", 4)
    rows.attribute(1117, "水位", 4)
    rows.attribute(1117, "𝔗emp_🔥", 4)
    # A cycle of areas, and one that is its own area.
    instance(118, "LoopA", AREA, AREA, AREA, area_gobject_id=119)
    instance(119, "LoopB", AREA, AREA, AREA, area_gobject_id=118)
    instance(120, "Self_001", USER_DEFINED, USER_DEFINED, USER_DEFINED, area_gobject_id=120)
    # Contained in an object that is not deployed.
    instance(
        122, "Left_001", USER_DEFINED, 20, 20, area_gobject_id=101, contained_by_gobject_id=108, contained_name="Left"
    )
    # A deployed package that is not there.
    rows.gobject(121, "NoPackage_001", USER_DEFINED, derived_from_gobject_id=USER_DEFINED, package=9999)
    return rows


@lru_cache(maxsize=1)
def _edge_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        edge_rows().write_file(Path(folder) / "edge.db")
        return (Path(folder) / "edge.db").read_bytes()


def edge_database(path: Path) -> str:
    """A fresh file with `edge_rows`, made from scratch only once; returns its URL."""
    path.write_bytes(_edge_file())
    return f"sqlite:///{path}"


EXPECTED_OBJECTS = {
    # tag name: (browse name, parent's tag name, template chain)
    "AreaOne": ("AreaOne", "", ("$Area",)),
    "AreaInner": ("AreaInner", "AreaOne", ("$Area",)),
    "Platform_001": ("Platform_001", "", ("$WinPlatform",)),
    "Engine_001": ("Engine_001", "AreaOne", ("$AppEngine",)),
    "Tank_001": ("Tank_001", "AreaInner", ("$Tank", "$Base", "$UserDefined")),
    "Valve_001": ("Inlet", "Tank_001", ("$Base", "$UserDefined")),
    "Pump_001": ("Pump", "AreaInner", ("$Base", "$UserDefined")),
    "Orphan_001": ("Orphan_001", "", ("$Base", "$UserDefined")),
    "Left_001": ("Left", "", ("$Base", "$UserDefined")),
    "Changed_001": ("Changed_001", "AreaOne", ("$UserDefined",)),
    "View_001": ("View_001", "", ("$ViewApp",)),
    "Deep_001": ("Deep_001", "AreaOne", tuple(f"$Deep{step}" for step in range(44, 33, -1))),
    "Arrays_001": ("Arrays_001", "AreaOne", ("$UserDefined",)),
    "Mix_50%": ("Mix_50%", "AreaOne", ("$UserDefined",)),
    "Größe_Öl": ("Größe_Öl", "AreaOne", ("$UserDefined",)),
    "LoopA": ("LoopA", "", ("$Area",)),
    "LoopB": ("LoopB", "LoopA", ("$Area",)),
    "Self_001": ("Self_001", "", ("$UserDefined",)),
    "NoPackage_001": ("NoPackage_001", "", ("$UserDefined",)),
}

_BUILT_IN = {"ShortDesc", "Area", "Shared"}
_BASE = _BUILT_IN | {"Level", "Level.EngUnits", "TWICE"}

EXPECTED_ATTRIBUTES = {
    "AreaOne": _BUILT_IN,
    "Platform_001": {"ScanState", "NodeNames"},
    "Engine_001": {"ScanState", "NodeNames", "Scheduler.ScanPeriod"},
    "Tank_001": (_BASE - {"TWICE"}) | {"Twice", "Level.InAlarm", "Level.Acked", "Level.AckMsg"},
    "Valve_001": _BASE,
    "Pump_001": _BASE
    | {f"Level.{name}" for name in _ANALOG_NAMES}
    | {"twice.Bad.InAlarm", "twice.Bad.Acked", "Gone.Bad.InAlarm", "Gone.Bad.Acked"},
    "Orphan_001": _BASE,
    "Left_001": _BASE,
    "Changed_001": _BUILT_IN | {"OnlyDeployed"},
    # The object's own package and ten steps towards the base: $Deep44 … $Deep35.
    "Deep_001": _BUILT_IN | {f"From{step}" for step in range(35, 45)},
    "Arrays_001": _BUILT_IN | {"Long", "Short", "Empty", "Unknown", "Absent"},
    "Mix_50%": _BUILT_IN | {"A_B", "A%B"},
    "Größe_Öl": _BUILT_IN | {"Température", "水位", "𝔗emp_🔥"},
    "NoPackage_001": set(),
}

_LEVEL = ("Level", "m", "Füllstand 🍺")
_SHARED = ("Shared", "", "both configured and built in")

EXPECTED_TEXTS = {
    # Units and descriptions as the nearest package gives each.
    "Tank_001": [("Level", "hl", "Beer"), _SHARED],
    "Valve_001": [_LEVEL, _SHARED],
    "Changed_001": [],
    "NoPackage_001": [],
}

EXPECTED_ORIGINS = {
    # Configured, of extensions, built in; in the order in which they are shown.
    "Tank_001": [
        ["Level", "Shared", "Twice"],
        ["Level.Acked", "Level.AckMsg", "Level.EngUnits", "Level.InAlarm"],
        ["Area", "ShortDesc"],
    ],
    "Engine_001": [[], [], ["NodeNames", "ScanState", "Scheduler.ScanPeriod"]],
    "Changed_001": [["OnlyDeployed"], [], ["Area", "Shared", "ShortDesc"]],
}
