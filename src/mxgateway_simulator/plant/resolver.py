"""From a reference and its context to an attribute of the plant, by indexed look-ups only."""

from __future__ import annotations

from mxgateway_contract import failures
from mxgateway_contract import quality as q
from mxgateway_contract.references import (
    DEFAULT_ATTRIBUTE,
    RELATIVE_WORDS,
    WHOLE,
    Reference,
    ReferenceSyntaxError,
    is_property,
    parse_reference,
)
from mxgateway_contract.status import Category
from mxgateway_simulator.classifications import ENGINE_CATEGORIES
from mxgateway_simulator.plant.galaxy_file import AttributeRow, GalaxyFile, GalaxyObject
from mxgateway_simulator.plant.tags import Unresolved
from mxgateway_simulator.switches import Switches

_PLATFORM = 1
_DEEPEST = 32
_MOST_HOSTS = 1000


class Found:
    """What a reference leads to."""

    __slots__ = ("index", "object", "property", "row")

    def __init__(self, obj: GalaxyObject, row: AttributeRow, index: int | None, prop: str) -> None:
        self.object, self.row, self.index, self.property = obj, row, index, prop


class Resolver:
    def __init__(self, galaxy: GalaxyFile, switches: Switches) -> None:
        self._galaxy = galaxy
        self._switches = switches
        # Thousands of objects run on a few engines.
        self._hosts: dict[int, tuple[GalaxyObject | None, GalaxyObject | None]] = {}

    def resolve(self, text: str, context: str = "") -> Found | Unresolved:
        """Finds the attribute; `context` is the object that relative references start from."""
        try:
            reference = parse_reference(text)
            f"{text}{context}".encode()
        except (ReferenceSyntaxError, UnicodeEncodeError):  # half a surrogate pair can be no name either
            return self._nowhere()
        start = self._start(reference, context)
        if start is None:
            return self._nowhere()
        obj, rest = start
        return self._attribute(obj, rest, reference)

    def _nowhere(self) -> Unresolved:
        status = failures.UNRESOLVED._replace(detail=self._switches.bad_reference_detail)
        return Unresolved(status, q.BAD_CONFIGURATION_ERROR)

    def _bad_index(self) -> Unresolved:
        status = failures.WRONG_INDEX
        if self._switches.bare_array_category == "communication":
            status = status._replace(category=Category.COMMUNICATION_ERROR)
        return Unresolved(status, q.BAD_CONFIGURATION_ERROR)

    # ---------------------------------------------------------------------------------------------------------- objects

    def _start(self, reference: Reference, context: str) -> tuple[GalaxyObject, tuple[str, ...]] | None:
        first, *rest = reference.segments
        if first.lower() in RELATIVE_WORDS:
            base = self._context(context)
            obj = self.relative(base, first) if base else None
        else:
            obj = self.object(first)
        return (obj, tuple(rest)) if obj else None

    def _context(self, context: str) -> GalaxyObject | None:
        """The context object: a tag name or a contained path."""
        names = context.strip().split(".")
        obj = self.object(names[0]) if names[0] else None
        for name in names[1:]:
            obj = self._galaxy.contained_object(obj.gobject_id, name) if obj else None
        return obj if obj and obj.package_id else None

    def object(self, tag: str) -> GalaxyObject | None:
        """A deployed object by tag name."""
        found = self._galaxy.object_by_tag(tag)
        return found if found and found.package_id else None

    def relative(self, obj: GalaxyObject, word: str) -> GalaxyObject | None:
        """What Me, MyContainer, MyArea, MyHost, MyEngine or MyPlatform is for an object."""
        word = word.lower()
        by_id = self._galaxy.object_by_id
        if word == "me":
            return obj
        if word == "mycontainer":
            found = by_id(obj.container_id)
        elif word == "myarea":
            found = by_id(obj.area_id)
        elif word == "myhost":
            found = by_id(obj.host_id)
        else:
            engine, platform = self.hosts(obj)
            found = engine if word == "myengine" else platform
        return found if found and found.package_id else None

    def hosts(self, obj: GalaxyObject) -> tuple[GalaxyObject | None, GalaxyObject | None]:
        """The engine and the platform that run an object; an engine or platform counts as its own."""
        if obj.category_id == _PLATFORM or obj.category_id in ENGINE_CATEGORIES:
            return self._hosts_of(obj)
        found = self._hosts.get(obj.host_id)
        if found is None:
            if len(self._hosts) >= _MOST_HOSTS:
                self._hosts.clear()
            found = self._hosts[obj.host_id] = self._hosts_of(obj)
        return found

    def forget(self) -> None:
        """Drops what is remembered; after a change of the Galaxy."""
        self._hosts.clear()

    def _hosts_of(self, obj: GalaxyObject) -> tuple[GalaxyObject | None, GalaxyObject | None]:
        engine = platform = None
        current: GalaxyObject | None = obj
        for _ in range(_DEEPEST):
            if current is None:
                break
            if current.category_id == _PLATFORM:
                platform = current
                break
            if current.category_id in ENGINE_CATEGORIES and engine is None:
                engine = current
            current = self._galaxy.object_by_id(current.host_id)
        return engine or platform, platform

    # ------------------------------------------------------------------------------------------------------- attributes

    def _attribute(self, obj: GalaxyObject, rest: tuple[str, ...], reference: Reference) -> Found | Unresolved:
        """Tries the names as an attribute of the object, then the first as a contained object, and so on down."""
        current: GalaxyObject | None = obj
        for depth in range(len(rest) + 1):
            if current is None or not current.package_id:
                break
            found = self._named(current, rest[depth:], reference)
            if found:
                return found
            if depth < len(rest):
                current = self._galaxy.contained_object(current.gobject_id, rest[depth])
        return self._nowhere()

    def _named(self, obj: GalaxyObject, names: tuple[str, ...], reference: Reference) -> Found | Unresolved | None:
        package = obj.package_id
        if reference.attribute:
            if names:
                return None
            row = self._galaxy.attribute(package, reference.attribute)
            return self._checked(obj, row, reference.index, reference.property) if row else None
        prop = reference.property
        row = self._galaxy.attribute(package, ".".join(names) or DEFAULT_ATTRIBUTE)
        if row is None and names and not prop and reference.index is None and is_property(names[-1]):
            prop = names[-1].lower()
            row = self._galaxy.attribute(package, ".".join(names[:-1]) or DEFAULT_ATTRIBUTE)
        return self._checked(obj, row, reference.index, prop) if row else None

    def _checked(self, obj: GalaxyObject, row: AttributeRow, index: int | None, prop: str) -> Found | Unresolved:
        """Array parts must fit the attribute, and properties its type."""
        prop = prop or "value"
        is_bit = prop.isdigit()
        if row.is_array:
            if index is None and (is_bit or prop in ("value", "buffer")):
                return self._bad_index()
            if index is not None and index != WHOLE and not 1 <= index <= 32767:
                return self._bad_index()
        elif index is not None:
            return self._bad_index()
        if (prop == "dimension1" and not row.is_array) or (is_bit and (row.data_type != 2 or index == WHOLE)):
            return Unresolved(failures.NO_PROPERTY, q.BAD_CONFIGURATION_ERROR)
        return Found(obj, row, index, prop)
