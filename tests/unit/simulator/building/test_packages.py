"""Packages, and the primitives that each of them repeats."""

from __future__ import annotations

import sqlite3

from tests.unit.simulator.building.galaxy_rows import one

from mxgateway_simulator.building.build_rows import RowWriter
from mxgateway_simulator.building.packages import PackageWriter


def test_a_uda_is_stored_only_where_it_is_defined(reference: sqlite3.Connection) -> None:
    """TestChangingInt has one row for all twenty machines, in the template's package."""
    count = one(reference, "SELECT count(*) FROM dynamic_attribute WHERE attribute_name = 'TestChangingInt'")
    owner = one(
        reference,
        "SELECT tag_name FROM gobject JOIN dynamic_attribute d ON d.package_id = checked_in_package_id"
        " WHERE attribute_name = 'TestChangingInt'",
    )
    assert (count, owner) == (1, "$TestMachine")


def test_extensions_are_repeated_in_every_derived_package(reference: sqlite3.Connection) -> None:
    """Each machine's own package carries its alarm and history extension primitives."""
    rows = reference.execute(
        "SELECT i.primitive_name, d.primitive_name, extension_type FROM gobject g"
        " JOIN primitive_instance i ON i.package_id = g.deployed_package_id"
        " JOIN primitive_definition d USING (primitive_definition_id) WHERE tag_name = 'TestMachine_007'"
    ).fetchall()
    assert ("TestAlarm001", "AlarmExtension", "alarmextension") in rows
    assert ("TestHistoryValue", "HistoryExtension", "historyextension") in rows
    assert ("UpdateTestChangingInt", "ScriptExtension", "ScriptExtension") in rows
    assert ("", "", "") in rows


def test_objects_have_the_same_guids_in_each_build() -> None:
    """And others in a Galaxy of another name, so that nobody mixes two of them up."""
    first, again, other = (PackageWriter(RowWriter(None), name) for name in ("G", "G", "H"))  # type: ignore[arg-type]
    assert first.guids("A") == again.guids("A")
    assert len({str(each) for each in (first.guids("A"), first.guids("B"), other.guids("A"))}) == 3


def test_each_kind_is_numbered_by_itself() -> None:
    packages = PackageWriter(RowWriter(None), "G")  # type: ignore[arg-type]
    assert [packages.new_id(kind) for kind in ("gobject", "gobject", "package", "gobject")] == [1, 2, 1, 3]
