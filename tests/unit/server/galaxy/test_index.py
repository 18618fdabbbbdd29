"""Browse order, paths, cycles and look-ups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.galaxy_source import Row, galaxy_data

from mxgateway_server.galaxy.index import GalaxyIndex

PLANT: list[Row] = [
    (5, "zeta", "", 1, 10),
    (4, "Alpha", "", 1, 10),
    (3, "ZArea", "", 1, 13),
    (6, "Inner_001", "Inner", 4, 10),
    (7, "Part_001", "Part", 6, 10),
    (1, "Site", "", 0, 13),
    (2, "Loner", "", 77, 10),
]


@pytest.fixture(scope="module")
def plant() -> GalaxyIndex:
    return GalaxyIndex(galaxy_data(PLANT))


def names(index: GalaxyIndex, places: object) -> list[str]:
    return [index.objects[place].tag_name for place in places]  # type: ignore[attr-defined]


def test_browse_order(plant: GalaxyIndex) -> None:
    """Parents first, areas before others, then by browse name without case."""
    assert plant.objects.tag_names == ["Site", "ZArea", "Alpha", "Inner_001", "Part_001", "zeta", "Loner"]
    assert names(plant, plant.children(-1)) == ["Site", "Loner"]
    assert names(plant, plant.children(0)) == ["ZArea", "Alpha", "zeta"]
    assert plant.parent_gobject_id(6) == 0


def test_paths(plant: GalaxyIndex) -> None:
    """Contained paths are browse names, found without case; tag names are another way to the same object."""
    place = plant.find_path("site/ALPHA/inner/part")
    assert place is not None
    assert plant.contained_path(place) == "Site/Alpha/Inner/Part"
    assert place == plant.find_tag_name("part_001") == plant.find_id(7)
    assert plant.find_path("Site/Alpha/Inner_001") is None


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("Alpha.A0", "Alpha.A0"),
        ("ALPHA.a1[]", "Alpha.A1"),
        ("Alpha.A1[3]", "Alpha.A1"),
        ("Alpha.A1.property(buffer)", "Alpha.A1"),
        ("Alpha.A1[].Property(Buffer)", "Alpha.A1"),
        ("Alpha.Inner.Part.A0", "Part_001.A0"),
        ("Alpha.Inner.A0", "Inner_001.A0"),
        ("Alpha.Nothing", None),
        ("Alpha", None),
        ("Alpha.", None),
        (".A0", None),
        ("", None),
        ("Nothing.A0", None),
        ("Alpha.A0[x]", None),
    ],
)
def test_lookup(plant: GalaxyIndex, reference: str, found: str | None) -> None:
    """Tag names, contained paths and suffixes lead to the attribute; anything else is unknown."""
    facts = plant.lookup(reference)
    assert (facts.full_tag_reference if facts else None) == found


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 14)), max_size=14, unique_by=lambda pair: pair[0]))
def test_any_parents_make_a_tree(links: list[tuple[int, int]]) -> None:
    """Whatever the parent ids, cycles too: every object appears once, after its parent, and subtrees are contiguous."""
    index = GalaxyIndex(galaxy_data([(number, f"T{number}", "", parent, 10) for number, parent in links]))
    assert sorted(index.objects.gobject_ids) == sorted(number for number, _ in links)
    for place in range(len(index)):
        assert index.parent[place] < place
        below = {place}
        for other in range(place + 1, len(index)):
            if index.parent[other] in below:
                below.add(other)
        assert below == set(range(place, index.end[place]))


def test_cycles_are_cut_at_the_lowest_id() -> None:
    """The member with the lowest id becomes a child of the root, also when the walk starts outside the cycle."""
    index = GalaxyIndex(galaxy_data([(1, "Hanger", "", 9, 10), (9, "C9", "", 8, 13), (8, "C8", "", 9, 13)]))
    assert index.objects.tag_names == ["C8", "C9", "Hanger"]
    assert list(index.parent) == [-1, 0, 1]
