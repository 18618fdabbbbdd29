"""The tables of a Galaxy Repository database that browse and the simulator need, as SQLAlchemy Core tables.

`zb` holds the product's own tables and columns (SQL Server, schema dbo); it serves to read a plant's database and to
make a simulated one in SQLite or PostgreSQL. `simulator` holds what a simulated Galaxy needs beyond them: a run time.
Both live in one file. As in the product, "none" is 0 and never NULL in id columns, and names compare without case: on
SQL Server by the database's collation, on SQLite by NOCASE on the name columns and, beyond ASCII, by `sim_spelling`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    Unicode,
    Uuid,
)
from sqlalchemy.dialects import mssql
from sqlalchemy.types import TypeEngine

zb = MetaData()
"""The product's tables."""

simulator = MetaData()
"""The simulator's own tables, all named `sim_…`; a plant's database does not have them."""


def _name(length: int) -> TypeEngine[str]:
    return Unicode(length).with_variant(Unicode(length, collation="NOCASE"), "sqlite")


def _id(name: str) -> Column[int]:
    return Column(name, Integer, primary_key=True, autoincrement=False)


def _reference(name: str) -> Column[int]:
    """An id of another row; 0 is none, so no foreign key can be declared."""
    return Column(name, Integer, nullable=False, default=0)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, default=False)


def _mx_value() -> Column[Any]:
    """Hex dump `0x…` of a configured value. A `text` column in the product: never DISTINCT, GROUP BY or compare it."""
    return Column("mx_value", Text().with_variant(mssql.TEXT(), "mssql"))


galaxy = Table(
    "galaxy",
    zb,
    _id("galaxy_id"),
    Column("galaxy_name", _name(64), nullable=False, default=""),
    Column("time_of_last_deploy", DateTime),
    Column("time_of_last_config_change", DateTime),
)

gobject = Table(
    "gobject",
    zb,
    _id("gobject_id"),
    _reference("template_definition_id"),
    _reference("derived_from_gobject_id"),
    _reference("contained_by_gobject_id"),
    _reference("area_gobject_id"),
    _reference("hosted_by_gobject_id"),
    Column("checked_out_by_user_guid", Uuid(as_uuid=False)),
    _reference("default_symbol_gobject_id"),
    _reference("default_display_gobject_id"),
    _reference("checked_in_package_id"),
    _reference("checked_out_package_id"),
    _reference("deployed_package_id"),
    _reference("last_deployed_package_id"),
    Column("tag_name", _name(329), nullable=False),
    Column("contained_name", _name(32), nullable=False, default=""),
    Column("identity_guid", Uuid(as_uuid=False), nullable=False),
    Column("configuration_guid", Uuid(as_uuid=False), nullable=False),
    Column("configuration_version", Integer, nullable=False, default=1),
    Column("deployed_version", Integer, nullable=False, default=0),
    _flag("is_template"),
    _flag("is_hidden"),
    _flag("software_upgrade_needed"),
    Column("hosting_tree_level", SmallInteger, nullable=False, default=0),
    Column("hierarchical_name", _name(329), nullable=False),
    Column("namespace_id", SmallInteger, nullable=False, default=1),
    _flag("deployment_pending_status"),
)
Index("idx_gobject_on_tag_name", gobject.c.tag_name, gobject.c.namespace_id)
Index(
    "idx_gobject_on_various_containment",
    gobject.c.contained_by_gobject_id,
    gobject.c.contained_name,
    gobject.c.tag_name,
)
Index("idx_gobject_on_hierarchical_name", gobject.c.hierarchical_name)
for _column in (
    "area_gobject_id",
    "checked_in_package_id",
    "deployed_package_id",
    "derived_from_gobject_id",
    "hosted_by_gobject_id",
    "template_definition_id",
):
    Index(f"idx_gobject_on_{_column}", gobject.c[_column])

template_definition = Table(
    "template_definition",
    zb,
    _id("template_definition_id"),
    _reference("base_gobject_id"),
    Column("original_template_tagname", _name(329), nullable=False),
    Column("category_id", SmallInteger, nullable=False, default=0),
    Column("codebase", Unicode(255), nullable=False, default=""),
)

package = Table(
    "package",
    zb,
    _id("package_id"),
    _reference("derived_from_package_id"),
    _reference("gobject_id"),
)
Index("idx_package_on_gobject_id", package.c.gobject_id)

dynamic_attribute = Table(
    "dynamic_attribute",
    zb,
    Column("gobject_id", Integer, nullable=False),
    Column("package_id", Integer, primary_key=True, autoincrement=False),
    Column("mx_primitive_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("mx_attribute_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("attribute_name", _name(329), nullable=False),
    Column("mx_data_type", SmallInteger, nullable=False),
    _flag("is_array"),
    _mx_value(),
    Column("mx_attribute_category", SmallInteger, nullable=False, default=10),
    Column("security_classification", SmallInteger, nullable=False, default=1),
    Column("dynamic_attribute_type", SmallInteger, nullable=False, default=1),
    Column("lock_type", SmallInteger, nullable=False, default=0),
)
Index("idx_dynamic_attribute_on_name", dynamic_attribute.c.package_id, dynamic_attribute.c.attribute_name)

primitive_definition = Table(
    "primitive_definition",
    zb,
    _id("primitive_definition_id"),
    _reference("template_definition_id"),
    Column("parent_mx_primitive_id", SmallInteger, nullable=False, default=0),
    Column("mx_primitive_id", SmallInteger, nullable=False, default=0),
    Column("primitive_name", _name(329), nullable=False, default=""),
    Column("execution_group", SmallInteger, nullable=False, default=0),
    _flag("is_virtual"),
    _flag("supports_dynamic_attributes"),
    Column("major_version", SmallInteger, nullable=False, default=1),
)

primitive_instance = Table(
    "primitive_instance",
    zb,
    Column("gobject_id", Integer, nullable=False),
    Column("package_id", Integer, primary_key=True, autoincrement=False),
    Column("mx_primitive_id", SmallInteger, primary_key=True, autoincrement=False),
    _reference("primitive_definition_id"),
    Column("primitive_name", _name(329), nullable=False, default=""),
    Column("extension_type", Unicode(329), nullable=False, default=""),
    Column("execution_group", SmallInteger, nullable=False, default=0),
    _flag("created_by_parent"),
    Column("primitive_attributes", LargeBinary().with_variant(mssql.IMAGE(), "mssql")),
)
Index("idx_primitive_instance_on_name", primitive_instance.c.package_id, primitive_instance.c.primitive_name)

attribute_definition = Table(
    "attribute_definition",
    zb,
    _id("attribute_definition_id"),
    Column(
        "primitive_definition_id", Integer, ForeignKey("primitive_definition.primitive_definition_id"), nullable=False
    ),
    Column("attribute_name", _name(329), nullable=False),
    Column("mx_attribute_id", SmallInteger, nullable=False),
    _flag("has_config_set_handler"),
    Column("mx_data_type", SmallInteger, nullable=False),
    Column("security_classification", SmallInteger, nullable=False, default=1),
    Column("mx_attribute_category", SmallInteger, nullable=False, default=10),
    _flag("is_locked"),
    _mx_value(),
    _flag("is_array"),
)
Index(
    "idx_attribute_definition_on_name",
    attribute_definition.c.primitive_definition_id,
    attribute_definition.c.attribute_name,
)

template_attribute = Table(
    "template_attribute",
    zb,
    Column("gobject_id", Integer, primary_key=True, autoincrement=False),
    Column("package_id", Integer, primary_key=True, autoincrement=False),
    Column("mx_primitive_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("mx_attribute_id", SmallInteger, primary_key=True, autoincrement=False),
    Column("mx_data_type", SmallInteger, nullable=False),
    _mx_value(),
)

data_type = Table(
    "data_type",
    zb,
    Column("mx_data_type", SmallInteger, primary_key=True, autoincrement=False),
    Column("description", Unicode(64), nullable=False),
)

platform = Table(
    "platform",
    zb,
    _id("platform_gobject_id"),
    Column("node_name", _name(64), nullable=False, default=""),
)

instance = Table(
    "instance",
    zb,
    _id("gobject_id"),
    Column("mx_platform_id", SmallInteger, nullable=False, default=0),
    Column("mx_engine_id", SmallInteger, nullable=False, default=0),
    Column("mx_object_id", SmallInteger, nullable=False, default=0),
)

sim_setting = Table(
    "sim_setting",
    simulator,
    Column("name", String(64, collation="NOCASE"), primary_key=True),
    Column("value", Text, nullable=False),
)
"""The Galaxy's security mode, switches and format version, as text."""

sim_attribute = Table(
    "sim_attribute",
    simulator,
    Column("package_id", Integer, primary_key=True, autoincrement=False),
    Column("attribute_name", String(329, collation="NOCASE"), primary_key=True),
    Column("behaviour", Text, nullable=False),
    sqlite_with_rowid=False,
)
"""What an attribute does at run time, defined at the same place (package) as its value: JSON with `signal`, `value`,
`range`, …; the definition nearest to the object wins."""

sim_spelling = Table(
    "sim_spelling",
    simulator,
    Column("name_key", String(329), primary_key=True),
    Column("name", Unicode(329), primary_key=True),
    sqlite_with_rowid=False,
)
"""Names of objects and attributes with letters beyond ASCII that have a case, by their key without it: NOCASE, unlike
the product's collation, knows the case of ASCII letters only."""

sim_role = Table(
    "sim_role",
    simulator,
    Column("role_name", String(64, collation="NOCASE"), primary_key=True),
    Column("permissions", Text, nullable=False),
)
"""Permissions as a comma-separated list: operate, tune, configure, verify, acknowledge."""

sim_user = Table(
    "sim_user",
    simulator,
    Column("user_name", String(128, collation="NOCASE"), primary_key=True),
    Column("user_guid", String(36, collation="NOCASE"), nullable=False, unique=True),
    Column("full_name", Unicode(128), nullable=False, default=""),
    Column("roles", Text, nullable=False, default=""),
    Column("password_salt", LargeBinary),
    Column("password_hash", LargeBinary),
    Column("password_rounds", Integer, nullable=False, default=0),
)
"""Users with PBKDF2-HMAC-SHA256 hashes; a password itself is never stored."""
