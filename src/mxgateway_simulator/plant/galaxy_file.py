"""Reads a simulated Galaxy's database as a worker needs it: single objects and attributes, by indexed look-ups only."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from mxgateway_simulator import mx_value
from mxgateway_simulator.errors import GalaxyFileError
from mxgateway_simulator.passwords import PasswordHash

FORMAT = "1"

_Found = TypeVar("_Found")

_OBJECT_COLUMNS = (
    "g.gobject_id, g.tag_name, g.contained_name, g.hierarchical_name, g.deployed_package_id, g.contained_by_gobject_id,"
    " g.area_gobject_id, g.hosted_by_gobject_id, t.category_id, t.original_template_tagname, g.derived_from_gobject_id,"
    " g.deployed_version, g.configuration_version"
)
_OBJECT_FROM = "FROM gobject g JOIN template_definition t ON t.template_definition_id = g.template_definition_id"
# The unary plus keeps the planner on the name's index whatever the statistics say.
SQL_OBJECT_BY_TAG = (
    f"SELECT {_OBJECT_COLUMNS} {_OBJECT_FROM} WHERE g.tag_name = ? AND +g.namespace_id = 1 AND +g.is_template = 0"
)
SQL_OBJECT_BY_ID = f"SELECT {_OBJECT_COLUMNS} {_OBJECT_FROM} WHERE g.gobject_id = ?"
SQL_CONTAINED_OBJECT = (
    f"SELECT {_OBJECT_COLUMNS} {_OBJECT_FROM}"
    " WHERE g.contained_by_gobject_id = ? AND g.contained_name = ? AND +g.is_template = 0"
)
SQL_PARENT_PACKAGE = "SELECT derived_from_package_id FROM package WHERE package_id = ?"
SQL_DYNAMIC = (
    "SELECT attribute_name, mx_data_type, is_array, mx_value, mx_attribute_category, security_classification, lock_type"
    " FROM dynamic_attribute WHERE package_id = ? AND attribute_name = ?"
)
SQL_BUILT_IN = (
    "SELECT a.attribute_name, a.mx_data_type, a.is_array, a.mx_value, a.mx_attribute_category,"
    " a.security_classification, a.is_locked, i.primitive_name, d.primitive_name"
    " FROM primitive_instance i"
    " JOIN attribute_definition a ON a.primitive_definition_id = i.primitive_definition_id"
    " JOIN primitive_definition d ON d.primitive_definition_id = i.primitive_definition_id"
    " WHERE i.package_id = ? AND i.primitive_name = ? AND a.attribute_name = ?"
)
SQL_BEHAVIOUR = "SELECT behaviour FROM sim_attribute WHERE package_id = ? AND attribute_name = ?"
SQL_ALARM_ANCHORS = (
    "SELECT i.primitive_name, d.primitive_name FROM primitive_instance i"
    " JOIN primitive_definition d ON d.primitive_definition_id = i.primitive_definition_id"
    " WHERE i.package_id = ?"
    " AND +i.extension_type IN ('alarmextension', 'analogextension', 'badvaluealarmextension')"
    " ORDER BY i.mx_primitive_id"
)
SQL_CONTAINED_OBJECTS = (
    f"SELECT {_OBJECT_COLUMNS} {_OBJECT_FROM} WHERE g.contained_by_gobject_id = ? AND +g.namespace_id = 1"
    " AND +g.is_template = 0 AND +g.deployed_package_id <> 0"
)
SQL_ALL_ALARM_ANCHORS = (
    f"SELECT i.primitive_name, d.primitive_name, p.derived_from_package_id, {_OBJECT_COLUMNS} {_OBJECT_FROM}"
    " JOIN package p ON p.package_id = g.deployed_package_id"
    " JOIN primitive_instance i ON i.package_id = g.deployed_package_id"
    " JOIN primitive_definition d ON d.primitive_definition_id = i.primitive_definition_id"
    " WHERE g.deployed_package_id <> 0 AND +g.namespace_id = 1 AND +g.is_template = 0"
    " AND +i.extension_type IN ('alarmextension', 'analogextension', 'badvaluealarmextension')"
)
"""Every alarm extension of every deployed object, in one go: the one statement that reads all of a Galaxy."""
SQL_AREA_NAMES = (
    "SELECT g.tag_name FROM gobject g JOIN template_definition t"
    " ON t.template_definition_id = g.template_definition_id"
    " WHERE t.category_id = 13 AND g.is_template = 0 AND g.namespace_id = 1 AND g.deployed_package_id <> 0"
)
SQL_PACKAGES_WITH_OWN = "SELECT package_id FROM sim_attribute UNION SELECT package_id FROM dynamic_attribute"
SQL_SPELLING = "SELECT name FROM sim_spelling WHERE name_key = ?"
LOOK_UPS = (
    SQL_OBJECT_BY_TAG,
    SQL_OBJECT_BY_ID,
    SQL_CONTAINED_OBJECT,
    SQL_PARENT_PACKAGE,
    SQL_DYNAMIC,
    SQL_BUILT_IN,
    SQL_BEHAVIOUR,
    SQL_ALARM_ANCHORS,
    SQL_CONTAINED_OBJECTS,
    SQL_SPELLING,
)
"""Every statement that runs while a reference is resolved; a test checks that none of them scans a table."""

_LONGEST_CHAIN = 64
_MOST_SPELLINGS = 16
_MOST_KNOWN = 50_000
_UNKNOWN = object()


def has_case_beyond_ascii(name: str) -> bool:
    """Whether NOCASE alone would not find a name in every spelling of its case."""
    return not name.isascii() and any(not c.isascii() and (c.upper() != c or c.casefold() != c) for c in name)


def has_spellings(connection: sqlite3.Connection) -> bool:
    """Whether the database has names that NOCASE alone does not find; databases of older versions cannot tell."""
    table = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sim_spelling'").fetchone()
    return table is not None and connection.execute("SELECT 1 FROM sim_spelling LIMIT 1").fetchone() is not None


def other_spellings(connection: sqlite3.Connection, name: str) -> Iterator[str]:
    """How a dotted name that was not found as it is may stand in the database.

    What both spellings have in common is left to NOCASE, so names in ASCII cost one look at an index for each part.
    """
    parts = []
    for part in name.split("."):
        known = [str(row[0]) for row in connection.execute(SQL_SPELLING, (part.casefold(),))]
        parts.append([part, *known][:_MOST_SPELLINGS])
    if any(len(spellings) > 1 for spellings in parts):
        yield from (".".join(spelling) for spelling in itertools.islice(itertools.product(*parts), 1, _MOST_SPELLINGS))


@dataclass(frozen=True, slots=True)
class GalaxyObject:
    """One instance; ids are 0 for none."""

    gobject_id: int
    tag_name: str
    contained_name: str
    hierarchical_name: str
    package_id: int
    container_id: int
    area_id: int
    host_id: int
    category_id: int
    base_template: str
    template_id: int
    deployed_version: int
    configuration_version: int


@dataclass(frozen=True, slots=True)
class AttributeRow:
    """One attribute as configured.

    Attributes:
        name: full name within the object, as configured.
        extension: primitive definition name for an attribute of an extension (`AlarmExtension`), else empty.
        anchor: the attribute that the extension sits on.
        is_user: whether it is user-defined rather than built in.
        behaviour: what the description says about the run time.
    """

    name: str
    data_type: int
    is_array: bool
    value: Any
    category: int
    security: int
    locked: bool
    behaviour: Mapping[str, Any]
    extension: str = ""
    anchor: str = ""
    is_user: bool = True


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user of the Galaxy; the hash has no repr."""

    name: str
    guid: str
    permissions: frozenset[str]
    password: PasswordHash | None


class GalaxyFile:
    """A Galaxy database, opened for reading.

    Raises:
        GalaxyFileError: it is missing, unreadable, or was not made by the simulator's builder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise GalaxyFileError(f"there is no Galaxy database {path}; make one with: mxgateway galaxy build")
        try:
            self._connection = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        except sqlite3.Error as error:
            raise GalaxyFileError(f"the Galaxy database {path} cannot be opened: {error}") from error
        try:
            self.settings = dict(self._connection.execute("SELECT name, value FROM sim_setting"))
            row = self._connection.execute("SELECT time_of_last_deploy FROM galaxy").fetchone()
        except sqlite3.Error as error:
            self._connection.close()
            raise GalaxyFileError(
                f"{path} is no Galaxy database of the simulator ({error}); make one with: mxgateway galaxy build"
            ) from error
        if self.settings.get("format") != FORMAT:
            self._connection.close()
            raise GalaxyFileError(
                f"{path} has format {self.settings.get('format')}, this version reads {FORMAT};"
                " make it again with: mxgateway galaxy build"
            )
        self.last_deploy = row[0] if row else None
        self._has_spellings = has_spellings(self._connection)
        self._chains: dict[int, tuple[int, ...]] = {}
        self._known: dict[tuple[int, str], AttributeRow | None] = {}
        self._with_own: frozenset[int] | None = None
        self._parents: dict[int, int] = {}
        self._anchors: dict[int, list[tuple[str, str]]] = {}
        self._values: dict[tuple[int, str], Any] = {}
        self._objects: dict[int, GalaxyObject | None] = {}

    def close(self) -> None:
        self._connection.close()

    def data_version(self) -> int:
        """A number that differs once another process has changed the database."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def forget(self) -> None:
        """Drops what is remembered; after a change of the database."""
        self._chains.clear()
        self._known.clear()
        self._with_own = None
        self._parents.clear()
        self._anchors.clear()
        self._values.clear()
        self._objects.clear()
        row = self._connection.execute("SELECT time_of_last_deploy FROM galaxy").fetchone()
        self.last_deploy = row[0] if row else None

    def query_plan(self, sql: str) -> list[str]:
        """How SQLite would run one of the look-ups."""
        marks = sql.count("?")
        return [str(row[3]) for row in self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", (0,) * marks)]

    # ---------------------------------------------------------------------------------------------------------- objects

    def object_by_tag(self, tag: str) -> GalaxyObject | None:
        return self._spelled(tag, lambda name: self._object(SQL_OBJECT_BY_TAG, (name,)))

    def object_by_id(self, gobject_id: int) -> GalaxyObject | None:
        if not gobject_id:
            return None
        if gobject_id not in self._objects:
            if len(self._objects) >= _MOST_KNOWN:
                self._objects.clear()
            self._objects[gobject_id] = self._object(SQL_OBJECT_BY_ID, (gobject_id,))
        return self._objects[gobject_id]

    def contained_object(self, container_id: int, contained_name: str) -> GalaxyObject | None:
        return self._spelled(contained_name, lambda name: self._object(SQL_CONTAINED_OBJECT, (container_id, name)))

    def _spelled(self, name: str, find: Callable[[str], _Found | None]) -> _Found | None:
        """Looks for a name as it is, and as it may be spelled."""
        found = find(name)
        if found is None and self._has_spellings:
            for spelling in other_spellings(self._connection, name):
                found = find(spelling)
                if found is not None:
                    break
        return found

    def _object(self, sql: str, parameters: tuple[Any, ...]) -> GalaxyObject | None:
        row = self._connection.execute(sql, parameters).fetchone()
        return GalaxyObject(*row) if row else None

    def contained_objects(self, gobject_id: int) -> list[GalaxyObject]:
        """The deployed objects that an object contains."""
        return [GalaxyObject(*row) for row in self._connection.execute(SQL_CONTAINED_OBJECTS, (gobject_id,))]

    def area_names(self) -> list[str]:
        """All deployed areas."""
        return [str(row[0]) for row in self._connection.execute(SQL_AREA_NAMES)]

    def alarm_anchors(self, package_id: int) -> list[tuple[str, str]]:
        """The attributes of a package that bear alarms, each with the extension that brings them."""
        found = self._anchors.get(package_id)
        if found is None:
            if len(self._anchors) >= _MOST_KNOWN:
                self._anchors.clear()
            rows = self._connection.execute(SQL_ALARM_ANCHORS, (package_id,))
            found = self._anchors[package_id] = [(str(row[0]), str(row[1])) for row in rows]
        return found

    def all_alarm_anchors(self) -> list[tuple[GalaxyObject, str, str]]:
        """Every attribute that bears alarms: object, attribute and extension; all of the Galaxy in one query."""
        found, objects = [], self._objects
        self._anchors.clear()
        for row in self._connection.execute(SQL_ALL_ALARM_ANCHORS):
            anchor, extension, parent, gobject_id = row[:4]
            obj = objects.get(gobject_id)
            if obj is None:
                obj = objects[gobject_id] = GalaxyObject(*row[3:])
            self._parents[obj.package_id] = parent
            self._anchors.setdefault(obj.package_id, []).append((anchor, extension))
            found.append((obj, str(anchor), str(extension)))
        return found

    def template_name(self, template_id: int) -> str:
        row = self._connection.execute("SELECT tag_name FROM gobject WHERE gobject_id = ?", (template_id,)).fetchone()
        return str(row[0]) if row else ""

    # ------------------------------------------------------------------------------------------------------- attributes

    def packages(self, package_id: int) -> tuple[int, ...]:
        """A package and those it derives from, nearest first."""
        parent = self._parent(package_id)
        if not parent:
            return (package_id,)
        # Only chains of templates are remembered: there are few of them, and many instances.
        chain = self._chains.get(parent)
        if chain is None:
            chain = self.packages(parent)[:_LONGEST_CHAIN]
            self._chains[parent] = chain
        return (package_id, *chain)

    def _parent(self, package_id: int) -> int:
        parent = self._parents.get(package_id)
        if parent is None:
            row = self._connection.execute(SQL_PARENT_PACKAGE, (package_id,)).fetchone()
            parent = self._parents[package_id] = int(row[0]) if row else 0
        return parent

    def shape(self, package_id: int) -> int:
        """The package that says all of an object: its template's, where the object adds nothing of its own."""
        if self._with_own is None:
            self._with_own = frozenset(row[0] for row in self._connection.execute(SQL_PACKAGES_WITH_OWN))
        return package_id if package_id in self._with_own else self._parent(package_id) or package_id

    def shaped_attribute(self, package_id: int, name: str) -> AttributeRow | None:
        """As `attribute`, at a fraction of the cost for the many instances that add nothing to their template.

        The name must be spelled as the Galaxy spells it, but for the case of ASCII letters.
        """
        shape = self.shape(package_id)
        if shape != package_id:
            row = self._inherited(self.packages(shape), name)
            if row is not None:
                return row
        return self.attribute(package_id, name)

    def configured(self, package_id: int, name: str) -> Any:
        """The configured value of an attribute, None without one; see `shaped_attribute`."""
        key = (self.shape(package_id), name)
        value = self._values.get(key, _UNKNOWN)
        if value is _UNKNOWN:
            if len(self._values) >= _MOST_KNOWN:
                self._values.clear()
            row = self.shaped_attribute(package_id, name)
            value = None if row is None else row.value
            # Another instance of the template may have what this one lacks.
            if value is not None or key[0] == package_id:
                self._values[key] = value
        return value

    def attribute(self, package_id: int, name: str) -> AttributeRow | None:
        """The attribute of that name, the package's own or inherited; configured ones win over built-in ones."""
        return self._spelled(name, lambda spelling: self._attribute(package_id, spelling))

    def _attribute(self, package_id: int, name: str) -> AttributeRow | None:
        chain = self.packages(package_id)
        own, parents = chain[0], chain[1:]
        inherited = self._inherited(parents, name) if parents else None
        row = self._connection.execute(SQL_DYNAMIC, (own, name)).fetchone()
        if row is None and inherited is not None:
            return self._behaving(own, inherited)
        if row is None:
            return self._built_in(own, name)
        found = _attribute_row(row[0], row)
        if inherited is not None:
            found = replace(found, behaviour=inherited.behaviour)
        return self._behaving(own, found)

    def _inherited(self, chain: tuple[int, ...], name: str) -> AttributeRow | None:
        """The attribute as templates give it; remembered, because instances of one template share it."""
        key = (chain[0], name)
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = self._attribute(chain[0], name)
        return self._known[key]

    def _built_in(self, package: int, name: str) -> AttributeRow | None:
        # `Primitive.Attribute` first, then shorter primitives, then the object's own primitive.
        cut = name.rfind(".")
        while True:
            prefix, leaf = (name[:cut], name[cut + 1 :]) if cut >= 0 else ("", name)
            row = self._connection.execute(SQL_BUILT_IN, (package, prefix, leaf)).fetchone()
            if row:
                full = f"{row[7]}.{row[0]}" if row[7] else row[0]
                return self._behaving(package, _attribute_row(full, row, row[8], row[7], is_user=False))
            if cut < 0:
                return None
            cut = name.rfind(".", 0, cut)

    def _behaving(self, package: int, row: AttributeRow) -> AttributeRow:
        """The attribute with what the package itself says about its run time."""
        found = self._connection.execute(SQL_BEHAVIOUR, (package, row.name)).fetchone()
        if not found:
            return row
        behaviour = json.loads(found[0])
        value = row.value
        if not row.is_user and "value" in behaviour:
            value = tuple(behaviour["value"]) if row.is_array else behaviour["value"]
        return replace(row, behaviour={**row.behaviour, **behaviour}, value=value)

    # --------------------------------------------------------------------------------------------------------- security

    def users(self) -> list[UserRow]:
        roles = {
            name.casefold(): frozenset(permissions.split(",")) - {""}
            for name, permissions in self._connection.execute("SELECT role_name, permissions FROM sim_role")
        }
        found = []
        for name, guid, names, salt, digest, rounds in self._connection.execute(
            "SELECT user_name, user_guid, roles, password_salt, password_hash, password_rounds FROM sim_user"
        ):
            permissions = frozenset[str]().union(
                *(roles.get(role.casefold(), frozenset()) for role in names.split(","))
            )
            found.append(UserRow(name, guid, permissions, PasswordHash(salt, digest, rounds) if salt else None))
        return found


def _attribute_row(
    name: str, row: tuple[Any, ...], extension: str = "", anchor: str = "", *, is_user: bool = True
) -> AttributeRow:
    return AttributeRow(
        name=name,
        data_type=row[1],
        is_array=bool(row[2]),
        value=mx_value.decode(row[1], row[3], bool(row[2])),
        category=row[4],
        security=row[5],
        locked=bool(row[6] and is_user),
        behaviour={},
        extension=extension,
        anchor=anchor,
        is_user=is_user,
    )
