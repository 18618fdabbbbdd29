"""Roots, depth, filters and scope of a browse request."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.galaxy_source import Row, galaxy_data

from mxgateway_server.galaxy.errors import GalaxyArgumentError
from mxgateway_server.galaxy.index import GalaxyIndex
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


@pytest.mark.parametrize(
    ("conditions", "scope", "navigable", "shown", "bare"),
    [
        (ObjectFilter(tag_name_glob="part*"), (), False, ["Site", "Alpha", "Inner_001", "Part_001"], 3),
        (ObjectFilter(tag_name_glob="Alpha"), (), False, ["Site", "Alpha"], 1),
        (ObjectFilter(tag_name_glob="nothing"), (), False, [], 0),
        (ObjectFilter(), (), False, [name for _, name, *_ in PLANT], 0),
        (ObjectFilter(tag_name_glob="part*"), ("site/alpha/inner",), False, ["Inner_001", "Part_001"], 1),
        (
            ObjectFilter(tag_name_glob="part*"),
            ("site/alpha/inner",),
            True,
            ["Site", "Alpha", "Inner_001", "Part_001"],
            3,
        ),
    ],
)
def test_ancestors(
    plant: GalaxyIndex, conditions: ObjectFilter, scope: tuple[str, ...], navigable: bool, shown: list[str], bare: int
) -> None:
    """With ancestors a filter leaves a tree that can be walked down to what passes; never beyond the scope."""
    filtered = FilteredIndex(plant, replace(conditions, include_ancestors=True), scope, navigable=navigable)
    places = filtered.subtree(None, None)
    assert sorted(names(plant, places)) == sorted(shown)
    assert sum(filtered.is_bare(place) for place in places) == bare
