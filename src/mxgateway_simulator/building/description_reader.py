"""Reads a Galaxy description from YAML and checks it; every error names file, place and remedy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from mxgateway_simulator.building import names
from mxgateway_simulator.building.alarm_specs import extension_values
from mxgateway_simulator.building.description import (
    DATA_TYPES,
    EXTENSIONS,
    PERMISSIONS,
    SECURITY_MODES,
    AlarmingSpec,
    AttributeSpec,
    ContainedSpec,
    GalaxyDescription,
    InstanceSpec,
    ScaleSpec,
    TemplateSpec,
    UserSpec,
)
from mxgateway_simulator.building.document import Node, decoded, load
from mxgateway_simulator.building.instances import RANGE as _RANGE
from mxgateway_simulator.classifications import Category, Security
from mxgateway_simulator.errors import GalaxyDescriptionError, SimulatorError
from mxgateway_simulator.faults import Faults
from mxgateway_simulator.places import SHIPPED
from mxgateway_simulator.plant.alarms.operators import made_of
from mxgateway_simulator.plant.alarms.owners import MODE_NAMES
from mxgateway_simulator.signal_specs import check_quality, check_signal


def read_description(source: str | Path) -> GalaxyDescription:
    """Reads a shipped Galaxy by name (one of SHIPPED) or a description file by path.

    Raises:
        GalaxyDescriptionError: the file cannot be read or says something that cannot be built.
    """
    name = str(source)
    if name in SHIPPED:
        text = resources.files("mxgateway_simulator").joinpath("galaxies", f"{name}.yaml").read_text("utf-8")
        return parse_description(text, f"{name}.yaml")
    try:
        data = Path(source).read_bytes()
    except OSError as error:
        raise GalaxyDescriptionError(
            name, "", f"cannot be read ({error.strerror}); give a file, or one of {', '.join(SHIPPED)}"
        ) from error
    return parse_description(decoded(data, name), name)


def parse_description(text: str, file: str) -> GalaxyDescription:
    """Checks the text of a description.

    Raises:
        GalaxyDescriptionError: as for `read_description`.
    """
    lines: dict[str, int] = {}
    root = Node.root(file, load(text, file), lines)
    root.mapping(
        "format",
        "galaxy",
        "lastDeploy",
        "security",
        "switches",
        "faults",
        "roles",
        "users",
        "templates",
        "instances",
        "alarms",
        "scale",
    )
    root.child("format").number(1, 1, 1)
    roles = {
        name: tuple(permission.choice(PERMISSIONS, "") for permission in node.entries())
        for name, node in root.child("roles").items()
    }
    return GalaxyDescription(
        file=file,
        name=root.child("galaxy").text(),
        last_deploy=root.child("lastDeploy").text("") or None,
        security=root.child("security").choice(SECURITY_MODES, "none"),
        switches=_switches(root.child("switches")),
        faults=_faults(root.child("faults")),
        roles=roles,
        users=tuple(_user(name, node, roles) for name, node in root.child("users").items()),
        templates={name: _template(name, node) for name, node in root.child("templates").items()},
        instances=tuple(_instance(tag, node) for tag, node in root.child("instances").items()),
        alarms=_alarming(root.child("alarms")),
        scale=_scale(root.child("scale")),
        lines=lines,
    )


def _switches(node: Node) -> dict[str, str]:
    from mxgateway_simulator.switches import Switches

    values = {
        name: str(child.value).lower() if isinstance(child.value, bool) else str(child.value)
        for name, child in node.items()
    }
    _checked(node, lambda: Switches.parse(values))
    return values


def _faults(node: Node) -> dict[str, str]:
    values = {}
    for name, child in node.items():
        parameters = {key: str(value.value) for key, value in child.items()}
        _checked(child, partial(Faults().set, name, parameters))
        values[name] = ",".join(f"{key}={value}" for key, value in parameters.items())
    return values


def _checked(node: Node, check: Callable[[], object]) -> None:
    try:
        check()
    except (SimulatorError, ValueError) as error:
        node.fail(str(error))


def _user(name: str, node: Node, roles: Mapping[str, Any]) -> UserSpec:
    node.mapping("password", "guid", "fullName", "roles")
    for role in node.child("roles").entries():
        if role.text() not in roles:
            role.fail(f"there is no role {role.value!r}; define it under `roles`")
    guid = node.child("guid").text("")
    if guid and not re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", guid):
        node.child("guid").fail("is no GUID; write it as 8-4-4-4-12 hexadecimal digits")
    return UserSpec(
        name=name,
        password=node.child("password").text("") or None,
        guid=guid,
        full_name=node.child("fullName").text(""),
        roles=tuple(role.text() for role in node.child("roles").entries()),
    )


def _template(name: str, node: Node) -> TemplateSpec:
    node.mapping("derivedFrom", "attributes", "contains", "scripts")
    node.must(names.template_problem(name))
    contains = []
    for contained, child in node.child("contains").items():
        child.mapping("template", "tag", "attributes")
        child.must(names.contained_problem(contained))
        contains.append(
            ContainedSpec(
                name=contained,
                path=child.path,
                template=child.child("template").text(),
                tag=child.child("tag").text("{tag}_" + contained),
                attributes=_attributes(child.child("attributes")),
            )
        )
    return TemplateSpec(
        name=name,
        path=node.path,
        derived_from=node.child("derivedFrom").text("$UserDefined"),
        attributes=_attributes(node.child("attributes")),
        contains=tuple(contains),
        scripts=tuple(script.text() for script in node.child("scripts").entries()),
    )


def _instance(tag: str, node: Node) -> InstanceSpec:
    node.mapping(
        "template",
        "area",
        "host",
        "container",
        "name",
        "node",
        "deployed",
        "twin",
        "attributes",
        "checkedIn",
        "contains",
    )
    # What a range comes to is judged name by name.
    node.must(names.instance_problem(_RANGE.sub(r"\1", tag, count=1)))
    return InstanceSpec(
        tag=tag,
        path=node.path,
        template=node.child("template").text(),
        area=node.child("area").text(""),
        host=node.child("host").text(""),
        container=node.child("container").text(""),
        contained_name=node.child("name").text(""),
        node=node.child("node").text(""),
        deployed=node.child("deployed").flag(True),
        twin=node.child("twin").flag(False),
        attributes=_attributes(node.child("attributes")),
        checked_in=_attributes(node.child("checkedIn")),
        contains={name: _attributes(child) for name, child in node.child("contains").items()},
    )


def _alarming(node: Node) -> AlarmingSpec:
    node.mapping("severities", "operators", "plantStates", "latchedAreas")
    borders = [entry.number(0, 1, 998) for entry in node.child("severities").entries()]
    if borders and (len(borders) != 3 or sorted(set(borders)) != borders):
        node.child("severities").fail("three rising priorities are wanted, the highest of severity 1, 2 and 3")
    operators = node.child("operators")
    if operators.value is not None:
        operators.mapping("acknowledge", "after", "names", "node", "comments")
        _checked(operators, lambda: made_of(operators.value))
    states = {name: child.choice(MODE_NAMES, "") for name, child in node.child("plantStates").items()}
    return AlarmingSpec(
        severities=tuple(borders),
        operators=operators.value or {},
        plant_states=states,
        latched=tuple(entry.text() for entry in node.child("latchedAreas").entries()),
    )


def _scale(node: Node) -> ScaleSpec | None:
    if node.value is None:
        return None
    node.mapping("template", "tag", "area", "engine", "platform", "objectsPerArea", "areasPerEngine")
    default = ScaleSpec("")
    return ScaleSpec(
        template=node.child("template").text(),
        tag=node.child("tag").text(default.tag),
        area=node.child("area").text(default.area),
        engine=node.child("engine").text(default.engine),
        platform=node.child("platform").text(),
        objects_per_area=node.child("objectsPerArea").number(default.objects_per_area, 1, 100_000),
        areas_per_engine=node.child("areasPerEngine").number(default.areas_per_engine, 1, 100_000),
    )


_ATTRIBUTE_KEYS = (
    "type", "array", "value", "category", "security", "locked", "description", "units", "signal", "range", "decimals",
    "enum", "quality", "buffer", *EXTENSIONS,
)  # fmt: skip


def _attributes(node: Node) -> dict[str, AttributeSpec]:
    found: dict[str, AttributeSpec] = {}
    for name, child in node.items():
        child.must(names.attribute_problem(name))
        found[name] = _attribute(name, child)
    return found


def _attribute(name: str, node: Node) -> AttributeSpec:
    if not isinstance(node.value, dict):  # `Priority: 500` is short for `Priority: {value: 500}`
        node = node.with_value({"value": node.value})
    node.mapping(*_ATTRIBUTE_KEYS)
    data_type = None
    if node.value.get("type") is not None:
        data_type = DATA_TYPES[node.child("type").choice(tuple(DATA_TYPES), "")]
    dimension = node.child("array").number(0, 1, 32767) if "array" in node.value else None
    if dimension is None and data_type is not None:
        dimension = 0
    extensions: dict[str, Mapping[str, Any]] = {}
    for key in EXTENSIONS:
        given = node.value.get(key)
        if given in (None, False):
            continue
        extensions[key] = extension_values(key, {} if given is True else node.child(key).mapping().value)
    return AttributeSpec(
        name=name,
        path=node.path,
        data_type=data_type,
        dimension=dimension,
        value=node.value.get("value"),
        category=node.child("category").member(Category),
        security=node.child("security").member(Security),
        locked=node.child("locked").flag(False) if "locked" in node.value else None,
        description=node.child("description").text(""),
        units=node.child("units").text(""),
        extensions=extensions,
        behaviour=_behaviour(node),
    )


def _behaviour(node: Node) -> dict[str, Any]:
    behaviour: dict[str, Any] = {}
    if node.value.get("signal") is not None:
        signal = node.child("signal")
        for key in signal.mapping().value:
            signal.child(key)  # so that its line is known when what it names is looked for
        _checked(signal, lambda: check_signal(signal.value))
        behaviour["signal"] = signal.value
    if node.value.get("quality") is not None:
        quality = node.child("quality")
        _checked(quality, lambda: check_quality(quality.mapping().value))
        behaviour["quality"] = quality.value
    if node.value.get("range") is not None:
        limits = [entry.value for entry in node.child("range").entries()]
        if len(limits) != 2 or not all(isinstance(limit, (int, float)) for limit in limits) or limits[0] >= limits[1]:
            node.child("range").fail("two numbers are wanted, the lower one first: [0, 100]")
        behaviour["range"] = limits
    if node.value.get("decimals") is not None:
        behaviour["decimals"] = node.child("decimals").number(0, 0, 9)
    if node.value.get("enum") is not None:
        behaviour["enum"] = [entry.text() for entry in node.child("enum").entries()]
    if node.child("buffer").flag(False):
        behaviour["buffer"] = True
    return behaviour
