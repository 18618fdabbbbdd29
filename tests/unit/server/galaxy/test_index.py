"""Browse order, paths, cycles and look-ups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.galaxy_source import Row, galaxy_data

from mxgateway.generated import galaxy_repository_pb2 as pb
from mxgateway_server.galaxy.encoding import OBJECTS_KEY, ObjectEncoder
from mxgateway_server.galaxy.errors import GalaxyArgumentError
from mxgateway_server.galaxy.index import GalaxyIndex, strip_suffixes
from mxgateway_server.galaxy.selection import FilteredIndex, ObjectFilter, find_root

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


def test_suffixes() -> None:
    """Only array indexes and properties are suffixes."""
    assert strip_suffixes("A.B[-1]") == "A.B"
    assert strip_suffixes("A.B(x)") == "A.B(x)"


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


def test_roots(plant: GalaxyIndex) -> None:
    """Selectors find by id, tag name and path; unknown and empty ones are told apart."""
    assert find_root(plant, gobject_id=4) == find_root(plant, tag_name="alpha") == find_root(plant, path="/Site/Alpha/")
    for unknown in ({"gobject_id": 99}, {"tag_name": "x"}, {"path": "Site/x"}):
        assert find_root(plant, **unknown) is None  # type: ignore[arg-type]
    for empty in ({"tag_name": ""}, {"path": "/"}):
        with pytest.raises(GalaxyArgumentError):
            find_root(plant, **empty)


def test_depth(plant: GalaxyIndex) -> None:
    """max_depth counts from the root object; without one, from the children of the Galaxy's root."""
    everything = FilteredIndex(plant, ObjectFilter())
    alpha = find_root(plant, gobject_id=4)
    assert names(plant, everything.subtree(alpha, 0)) == ["Alpha"]
    assert names(plant, everything.subtree(alpha, 1)) == ["Alpha", "Inner_001"]
    assert names(plant, everything.subtree(None, 0)) == ["Site", "Loner"]
    assert names(plant, everything.subtree(alpha, None)) == ["Alpha", "Inner_001", "Part_001"]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (ObjectFilter(category_ids=frozenset({13, 4})), ["Site", "ZArea"]),
        (ObjectFilter(tag_name_glob="*_00?"), ["Inner_001", "Part_001"]),
        (ObjectFilter(tag_name_glob="z*", category_ids=frozenset({13})), ["ZArea"]),
        (ObjectFilter(template_chain_contains=("thing", "USER")), PLANT),
        (ObjectFilter(template_chain_contains=("thing", "pump")), []),
        (ObjectFilter(alarm_bearing_only=True, historized_only=True), PLANT),
    ],
)
def test_filters(plant: GalaxyIndex, conditions: ObjectFilter, expected: list[str] | list[Row]) -> None:
    """Conditions are joined by AND; templates match as parts of any name in the chain, without case."""
    found = FilteredIndex(plant, conditions).subtree(None, None)
    assert len(found) == len(expected)
    if expected is not PLANT:
        assert names(plant, found) == expected


def test_flags_need_the_attribute() -> None:
    """An extension on a name that is no configured attribute flags nothing."""
    index = GalaxyIndex(galaxy_data([(1, "Bare", "", 0, 10)], attributes=1))
    assert list(FilteredIndex(index, ObjectFilter(alarm_bearing_only=True)).subtree(None, None)) == [0]
    assert list(FilteredIndex(index, ObjectFilter(historized_only=True)).subtree(None, None)) == []


def test_scope(plant: GalaxyIndex) -> None:
    """A scope shows what is at or below a match; a tree walk also shows, bare, what leads there."""
    scope = ("site/alpha/in*",)
    strict = FilteredIndex(plant, ObjectFilter(), scope)
    assert names(plant, strict.subtree(None, None)) == ["Inner_001", "Part_001"]
    walk = FilteredIndex(plant, ObjectFilter(), scope, navigable=True)
    assert names(plant, walk.children(-1)) == ["Site"]
    assert names(plant, walk.children(0)) == ["Alpha"]
    assert walk.is_bare(0)
    assert not walk.is_bare(plant.find_id(7) or 0)
    assert walk.reaches(0)
    assert not walk.reaches(plant.find_id(5) or 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"category_ids": frozenset(range(101))},
        {"template_chain_contains": ("x",) * 101},
        {"template_chain_contains": ("x" * 513,)},
        {"tag_name_glob": "*" * 513},
    ],
)
def test_filter_limits(wrong: dict[str, object]) -> None:
    """Filters of absurd size are refused."""
    with pytest.raises(GalaxyArgumentError):
        ObjectFilter(**wrong)  # type: ignore[arg-type]


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200), st.integers(0, 40))
def test_bytes_are_the_message(tag_name: str, attributes: int) -> None:
    """The bytes put together from pieces parse to the message that would have been built, for any name length."""
    index = GalaxyIndex(galaxy_data([(7, tag_name, "In", 0, 13)], attributes=attributes))
    expected = pb.GalaxyObject(
        gobject_id=7,
        tag_name=tag_name,
        contained_name="In",
        browse_name="In",
        is_area=True,
        category_id=13,
        template_chain=["$Thing", "$UserDefined"],
        attributes=[
            pb.GalaxyAttribute(
                attribute_name=f"A{number}",
                full_tag_reference=f"{tag_name}.A{number}",
                mx_data_type=2,
                data_type_name="Integer",
                mx_attribute_category=10,
                security_classification=1,
                is_alarm=number == 0,
                is_historized=number == 1,
            )
            for number in sorted(range(attributes), key=str)
        ],
    )
    encoder = ObjectEncoder(index)
    assert pb.DiscoverHierarchyReply.FromString(encoder.field(OBJECTS_KEY, 0, True)).objects[0] == expected
    del expected.attributes[:]
    assert pb.DiscoverHierarchyReply.FromString(encoder.field(OBJECTS_KEY, 0, False)).objects[0] == expected
