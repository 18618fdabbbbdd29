"""What a Galaxy description says, after reading and checking: plain data that the builder turns into a database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mxgateway_protocol.variants import DataType
from mxgateway_simulator.classifications import Category, Security

DATA_TYPES = {
    "Boolean": DataType.BOOLEAN,
    "Integer": DataType.INTEGER,
    "Float": DataType.FLOAT,
    "Double": DataType.DOUBLE,
    "String": DataType.STRING,
    "Time": DataType.TIME,
    "ElapsedTime": DataType.ELAPSED_TIME,
    "ReferenceType": DataType.REFERENCE_TYPE,
    "StatusType": DataType.STATUS_TYPE,
    "DataTypeEnum": DataType.DATA_TYPE_ENUM,
    "SecurityClassificationEnum": DataType.SECURITY_CLASSIFICATION_ENUM,
    "DataQualityType": DataType.DATA_QUALITY_TYPE,
    "QualifiedEnum": DataType.QUALIFIED_ENUM,
    "QualifiedStruct": DataType.QUALIFIED_STRUCT,
    "InternationalizedString": DataType.INTERNATIONALIZED_STRING,
    "BigString": DataType.BIG_STRING,
}
"""The data types by the names that descriptions use; also the descriptions of the data_type table."""

PERMISSIONS = ("operate", "tune", "configure", "verify", "acknowledge")
SECURITY_MODES = ("none", "galaxy", "os-user")
EXTENSIONS = {
    "alarm": ("AlarmExtension", "alarmextension"),
    "analog": ("AnalogExtension", "analogextension"),
    "badvalue": ("BadValueAlarmExtension", "badvaluealarmextension"),
    "history": ("HistoryExtension", "historyextension"),
    "input": ("InputExtension", "inputextension"),
    "output": ("OutputExtension", "outputextension"),
    "inputoutput": ("InputOutputExtension", "inputoutputextension"),
}
"""Key in a description: name of the primitive definition, and extension_type of the primitive instance."""


@dataclass(frozen=True, slots=True)
class AttributeSpec:
    """One attribute as a template or an instance gives it.

    Attributes:
        data_type: None where the attribute is inherited and only some of it is overridden.
        dimension: elements of an array, 0 for a scalar, None to inherit.
        value: configured value; None for the type's default, or to inherit.
        extensions: by key of EXTENSIONS, the values of the extension's own attributes.
        behaviour: what the run time needs beyond the database: signal, range, enum, quality, buffer.
    """

    name: str
    path: str
    data_type: DataType | None = None
    dimension: int | None = None
    value: Any = None
    category: Category | None = None
    security: Security | None = None
    locked: bool | None = None
    description: str = ""
    units: str = ""
    extensions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    behaviour: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContainedSpec:
    """An object that every instance of a template contains.

    Attributes:
        name: contained name.
        template: what the contained template derives from.
        tag: pattern of the instances' tag names; `{tag}` is the container's, `{index}` its number in a range.
    """

    name: str
    path: str
    template: str
    tag: str
    attributes: Mapping[str, AttributeSpec] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TemplateSpec:
    name: str
    path: str
    derived_from: str
    attributes: Mapping[str, AttributeSpec] = field(default_factory=dict)
    contains: tuple[ContainedSpec, ...] = ()
    scripts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """One instance, or several when the tag carries a range such as `Pump_[001..020]`.

    Attributes:
        area, host, container: tag names; empty for none. Without a host, the area's or the container's is taken.
        deployed: whether it runs.
        checked_in: attributes that are checked in but not deployed.
        twin: also add a row of the same name in namespace 2, as the product does for engines.
    """

    tag: str
    path: str
    template: str
    area: str = ""
    host: str = ""
    container: str = ""
    contained_name: str = ""
    node: str = ""
    deployed: bool = True
    twin: bool = False
    index: str = ""
    attributes: Mapping[str, AttributeSpec] = field(default_factory=dict)
    checked_in: Mapping[str, AttributeSpec] = field(default_factory=dict)
    contains: Mapping[str, Mapping[str, AttributeSpec]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UserSpec:
    """A user; the password lives only until its hash is made and never shows."""

    name: str
    password: str | None = field(repr=False)
    guid: str = ""
    full_name: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScaleSpec:
    """How `--objects N` fills a Galaxy up: instances of one template, spread over areas and engines."""

    template: str
    tag: str = "Load_{n:06d}"
    area: str = "LoadArea_{n:03d}"
    engine: str = "LoadEngine_{n:03d}"
    platform: str = ""
    objects_per_area: int = 100
    areas_per_engine: int = 10


@dataclass(frozen=True, slots=True)
class AlarmingSpec:
    """What a Galaxy says about its alarms as a whole.

    Attributes:
        severities: the highest priorities of severity 1, 2 and 3; empty for the default.
        operators: the control room, as the run time reads it; empty for nobody there.
        plant_states: further plant states, each with the name of its alarm mode.
        latched: areas whose alarms latch.
    """

    severities: tuple[int, ...] = ()
    operators: Mapping[str, Any] = field(default_factory=dict)
    plant_states: Mapping[str, str] = field(default_factory=dict)
    latched: tuple[str, ...] = ()

    def settings(self) -> dict[str, str]:
        """As the database keeps it."""
        found = {f"plantstate.{name}": mode for name, mode in self.plant_states.items()}
        found |= {f"latched.{area}": "true" for area in self.latched}
        if self.severities:
            found["severities"] = ",".join(map(str, self.severities))
        if self.operators:
            found["operators"] = json.dumps(self.operators)
        return found


@dataclass(frozen=True, slots=True)
class GalaxyDescription:
    """A whole Galaxy; `lines` tells where in the file each place stands."""

    file: str
    name: str
    security: str = "none"
    switches: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    users: tuple[UserSpec, ...] = ()
    templates: Mapping[str, TemplateSpec] = field(default_factory=dict)
    instances: tuple[InstanceSpec, ...] = ()
    scale: ScaleSpec | None = None
    last_deploy: str | None = None
    alarms: AlarmingSpec = AlarmingSpec()
    lines: Mapping[str, int] = field(default_factory=dict)

    def line_of(self, path: str) -> int:
        """The line of a place, or of the nearest one around it; 0 where the text is not known."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path.rpartition(".")[0]
        return 0
