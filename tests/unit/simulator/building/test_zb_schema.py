"""The tables of a Galaxy Repository."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, insert, select
from sqlalchemy.dialects import mssql, postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from mxgateway_simulator.building import zb_schema

PRODUCT_TABLES = {
    "attribute_definition",
    "data_type",
    "dynamic_attribute",
    "galaxy",
    "gobject",
    "instance",
    "package",
    "platform",
    "primitive_definition",
    "primitive_instance",
    "template_attribute",
    "template_definition",
}


def test_product_and_simulator_tables_are_apart() -> None:
    """The product's tables carry the product's names, the simulator's own start with sim_."""
    assert set(zb_schema.zb.tables) == PRODUCT_TABLES
    assert all(name.startswith("sim_") for name in zb_schema.simulator.tables)


@pytest.mark.parametrize("dialect", [mssql.dialect(), postgresql.dialect(), sqlite.dialect()], ids=lambda d: d.name)
def test_every_table_compiles_for_every_dialect(dialect: object) -> None:
    """The product's tables and indices have DDL on SQL Server, PostgreSQL and SQLite; only SQLite gets NOCASE."""
    ddl = ""
    for table in zb_schema.zb.sorted_tables:
        ddl += str(CreateTable(table).compile(dialect=dialect))  # type: ignore[arg-type]
        ddl += "".join(str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes)  # type: ignore[arg-type]
    assert "tag_name" in ddl
    assert ("NOCASE" in ddl) == (getattr(dialect, "name", "") == "sqlite")


def test_names_compare_without_case_on_sqlite() -> None:
    """A tag name is found in any spelling, as on SQL Server's default collation."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        zb_schema.gobject.create(connection)
        connection.execute(
            insert(zb_schema.gobject).values(
                gobject_id=1,
                tag_name="TestMachine_001",
                hierarchical_name="TestMachine_001",
                identity_guid="0" * 32,
                configuration_guid="0" * 32,
            )
        )
        row = connection.execute(
            select(zb_schema.gobject.c.gobject_id, zb_schema.gobject.c.deployed_package_id).where(
                zb_schema.gobject.c.tag_name == "TESTMACHINE_001"
            )
        ).one()
    engine.dispose()
    assert tuple(row) == (1, 0)
