"""Reads a Galaxy description from YAML and checks it; every error names file, place and remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml

from mxgateway_simulator.building.description import (
    DATA_TYPES,
    EXTENSIONS,
    PERMISSIONS,
    SECURITY_MODES,
    AttributeSpec,
    ContainedSpec,
    GalaxyDescription,
    InstanceSpec,
    ScaleSpec,
    TemplateSpec,
    UserSpec,
)
from mxgateway_simulator.classifications import Category, Security
from mxgateway_simulator.errors import GalaxyDescriptionError, SimulatorError
from mxgateway_simulator.faults import Faults
from mxgateway_simulator.signal_specs import check_quality, check_signal

_E = TypeVar("_E", bound=IntEnum)
_IDENTIFIER = re.compile(r"[^\W\d]\w*|_\w+")
_OBJECT_NAME = re.compile(r"[\w]+(\[\d+\.\.\d+\])?[\w]*")
SHIPPED = ("reference", "plant")
"""Galaxies that come with the package."""


class _Node:
    """A value of the document together with its place."""

    def __init__(self, file: str, path: str, value: Any) -> None:
        self.file, self.path, self.value = file, path, value

    def fail(self, problem: str) -> NoReturn:
        raise GalaxyDescriptionError(self.file, self.path, problem)

    def child(self, key: str) -> _Node:
        return _Node(self.file, f"{self.path}.{key}" if self.path else key, self.value.get(key))

    def mapping(self, *allowed: str) -> _Node:
        """Checks for a mapping whose keys are among `allowed` (any, when none are given)."""
        if self.value is None:
            self.value = {}
        if not isinstance(self.value, dict):
            self.fail(f"a mapping is wanted here, not {type(self.value).__name__}; write `key: value` lines")
        for key in self.value:
            if not isinstance(key, str):
                self.fail(f"the key {key!r} is no text; put it in quotes")
            if allowed and key not in allowed:
                near = difflib.get_close_matches(key, allowed, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(allowed)}"
                self.fail(f"unknown key {key!r}; {hint}")
        return self

    def items(self) -> Iterator[tuple[str, _Node]]:
        for key in self.mapping().value:
            yield key, self.child(key)

    def entries(self) -> Iterator[_Node]:
        if self.value is None:
            return
        if not isinstance(self.value, list):
            self.fail(f"a list is wanted here, not {type(self.value).__name__}; write `[a, b]` or `- a` lines")
        for index, value in enumerate(self.value):
            yield _Node(self.file, f"{self.path}[{index}]", value)

    def text(self, default: str | None = None) -> str:
        if self.value is None:
            if default is None:
                self.fail("is missing; give a text")
            return default
        if not isinstance(self.value, str):
            self.fail(f"a text is wanted, not {self.value!r}; put it in quotes")
        return self.value

    def flag(self, default: bool) -> bool:
        if self.value is None:
            return default
        if not isinstance(self.value, bool):
            self.fail(f"true or false is wanted, not {self.value!r}")
        return self.value

    def number(self, default: int, low: int, high: int) -> int:
        if self.value is None:
            return default
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not low <= self.value <= high:
            self.fail(f"a whole number from {low} to {high} is wanted, not {self.value!r}")
        return self.value

    def choice(self, choices: tuple[str, ...], default: str) -> str:
        text = self.text(default)
        if text not in choices:
            self.fail(f"{text!r} is none of {', '.join(choices)}")
        return text

    def member(self, kind: type[_E]) -> _E | None:
        if self.value is None:
            return None
        names = {member.name.lower(): member for member in kind}
        if not isinstance(self.value, str) or self.value.lower() not in names:
            self.fail(f"{self.value!r} is none of {', '.join(m.name for m in kind)}")
        return names[self.value.lower()]

    def identifier(self, what: str, name: str) -> None:
        """Checks a name of the product's: at most 32 characters a part, letters, digits and underscores."""
        for part in name.split("."):
            if not _IDENTIFIER.fullmatch(part) or len(part) > 32:
                self.fail(f"{name!r} is no {what}; use letters, digits and _, at most 32 characters a part")
        if len(name) > 329:
            self.fail(f"a {what} has 329 characters at most, not {len(name)}; shorten it")


def read_description(source: str | Path) -> GalaxyDescription:
    """Reads a shipped Galaxy by name (`reference`, `plant`) or a description file by path.

    Raises:
        GalaxyDescriptionError: the file cannot be read or says something that cannot be built.
    """
    name = str(source)
    if name in SHIPPED:
        text = resources.files("mxgateway_simulator").joinpath("galaxies", f"{name}.yaml").read_text("utf-8")
        return parse_description(text, f"{name}.yaml")
    try:
        text = Path(source).read_text("utf-8")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise GalaxyDescriptionError(
            name, "", f"cannot be read ({reason}); give a file, or one of {', '.join(SHIPPED)}"
        ) from error
    return parse_description(text, name)


def parse_description(text: str, file: str) -> GalaxyDescription:
    """Checks the text of a description.

    Raises:
        GalaxyDescriptionError: as for `read_description`.
    """
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise GalaxyDescriptionError(file, place, f"is no YAML: {getattr(error, 'problem', error)}") from error
    root = _Node(file, "", document)
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
        scale=_scale(root.child("scale")),
    )


def _switches(node: _Node) -> dict[str, str]:
    from mxgateway_simulator.switches import Switches

    values = {
        name: str(child.value).lower() if isinstance(child.value, bool) else str(child.value)
        for name, child in node.items()
    }
    _checked(node, lambda: Switches.parse(values))
    return values


def _faults(node: _Node) -> dict[str, str]:
    values = {}
    for name, child in node.items():
        parameters = {key: str(value.value) for key, value in child.items()}
        _checked(child, partial(Faults().set, name, parameters))
        values[name] = ",".join(f"{key}={value}" for key, value in parameters.items())
    return values


def _checked(node: _Node, check: Callable[[], object]) -> None:
    try:
        check()
    except (SimulatorError, ValueError) as error:
        node.fail(str(error))


def _user(name: str, node: _Node, roles: Mapping[str, Any]) -> UserSpec:
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


def _template(name: str, node: _Node) -> TemplateSpec:
    node.mapping("derivedFrom", "attributes", "contains", "scripts")
    if not name.startswith("$"):
        node.fail(f"the name of a template starts with $; write ${name}")
    node.identifier("template name", name[1:])
    contains = []
    for contained, child in node.child("contains").items():
        child.mapping("template", "tag", "attributes")
        child.identifier("contained name", contained)
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


def _instance(tag: str, node: _Node) -> InstanceSpec:
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
    if not _OBJECT_NAME.fullmatch(tag):
        node.fail(f"{tag!r} is no tag name; use letters, digits and _, and [001..020] for a range")
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


def _scale(node: _Node) -> ScaleSpec | None:
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


def _attributes(node: _Node) -> dict[str, AttributeSpec]:
    found: dict[str, AttributeSpec] = {}
    seen: dict[str, str] = {}
    for name, child in node.items():
        child.identifier("attribute name", name)
        if name.casefold() in seen:
            child.fail(f"is the same name as {seen[name.casefold()]!r}: names compare without case; remove one")
        seen[name.casefold()] = name
        found[name] = _attribute(name, child)
    return found


def _attribute(name: str, node: _Node) -> AttributeSpec:
    if not isinstance(node.value, dict):  # `Priority: 500` is short for `Priority: {value: 500}`
        node = _Node(node.file, node.path, {"value": node.value})
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
        extensions[key] = {} if given is True else node.child(key).mapping().value
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


def _behaviour(node: _Node) -> dict[str, Any]:
    behaviour: dict[str, Any] = {}
    if node.value.get("signal") is not None:
        signal = node.child("signal")
        _checked(signal, lambda: check_signal(signal.mapping().value))
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
