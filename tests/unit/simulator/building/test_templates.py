"""Templates: what they derive from and contain, and what cannot be."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.unit.simulator.building.galaxy_rows import one

from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import parse_description
from mxgateway_simulator.errors import GalaxyDescriptionError


def chain_of(connection: sqlite3.Connection, tag: str) -> list[str]:
    return [
        name
        for (name,) in connection.execute(
            "WITH RECURSIVE c(id, n, depth) AS (SELECT derived_from_gobject_id, '', 0 FROM gobject WHERE tag_name = ?"
            " UNION ALL SELECT derived_from_gobject_id, tag_name, depth + 1 FROM gobject JOIN c ON gobject_id = c.id)"
            " SELECT n FROM c WHERE depth > 0 ORDER BY depth",
            (tag,),
        )
    ]


def test_reference_galaxy_has_the_names_that_tools_know(reference: sqlite3.Connection) -> None:
    """TestMachine_001 derives as in the original and contains the two receivers under their contained names."""
    assert chain_of(reference, "TestMachine_001") == ["$TestMachine", "$gMachine", "$gUserDefined", "$UserDefined"]
    machine = one(reference, "SELECT gobject_id FROM gobject WHERE tag_name = 'TestMachine_001'")
    contained = dict(
        reference.execute("SELECT contained_name, tag_name FROM gobject WHERE contained_by_gobject_id = ?", (machine,))
    )
    assert contained == {"DelmiaReceiver": "DelmiaReceiver_001", "MESReceiver": "MESReceiver_001"}


@pytest.mark.parametrize(
    ("templates", "place", "problem"),
    [
        ("{$A: {derivedFrom: $A}}", "templates.$A.derivedFrom", "$A derives from itself, or contains itself"),
        ("{$A: {derivedFrom: $B}, $B: {derivedFrom: $A}}", "derivedFrom", "break the circle"),
        ("{$A: {contains: {X: {template: $A}}}}", "templates.$A.contains.X", "break the circle"),
        ("{$A: {contains: {X: {template: $B}}}, $B: {derivedFrom: $A}}", "template", "break the circle"),
        ("{$A: {derivedFrom: $Nothing}}", "templates.$A.derivedFrom", "there is no template '$Nothing'"),
    ],
)
def test_a_template_that_cannot_be_is_told_with_its_place(
    tmp_path: Path, templates: str, place: str, problem: str
) -> None:
    with pytest.raises(GalaxyDescriptionError) as caught:
        build_galaxy(parse_description(f"galaxy: G\ntemplates: {templates}", "g.yaml"), tmp_path / "g.db")
    assert place in str(caught.value)
    assert problem in str(caught.value)
