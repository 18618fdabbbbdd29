"""Rows put together as a Galaxy: equal facts once, inheritance in order, and rubbish refused by column."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from mxgateway_protocol.variants import DataType
from mxgateway_server.galaxy.assembly import Assembly, walk
from mxgateway_server.galaxy.codes import ALARM_EXTENSION, MAX_DERIVATION_STEPS
from mxgateway_server.galaxy.data import GalaxyData
from mxgateway_server.galaxy.errors import GalaxyDataError
from mxgateway_simulator.mx_value import encode

PV = ("PV", 3, 0, None, 2, 1)
SP = ("SP", 3, 0, None, 2, 4)
ALARM = ("Acked", 1, 0, None, 2, 0)
DEPLOYED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def row(gobject: Any = 1, name: Any = "Tank", package: Any = 10, **changes: Any) -> tuple[Any, ...]:
    values = {"contained": "", "parent": 0, "category": 10, "host": 0, **changes}
    names = (gobject, name, values["contained"])
    return (*names, values["parent"], values["category"], values["host"], 100, package)


def assembled(
    *objects: tuple[Any, ...],
    packages: list[tuple[int, int | None]] | None = None,
    configured: list[tuple[Any, ...]] | None = None,
    primitives: list[tuple[Any, ...]] | None = None,
    texts: list[tuple[Any, ...]] | None = None,
    templates: list[tuple[Any, ...]] | None = None,
) -> GalaxyData:
    assembly = Assembly(DEPLOYED)
    assembly.primitive_definitions([(1, "Tank"), (2, ALARM_EXTENSION), (3, "Empty")], [(1, *PV)])
    assembly.packages([(10, 0)] if packages is None else packages)
    assembly.configured(configured or [])
    assembly.texts(texts or [])
    assembly.primitives([(10, "", 1, 0)] if primitives is None else primitives)
    assembly.templates([(100, "$Tank", 0)] if templates is None else templates)
    return assembly.objects(objects or [row()])


def names(data: GalaxyData, shape: int) -> list[list[str]]:
    """Names of the configured attributes by layer, the object's own first."""
    return [[data.definitions[index].name for index in data.layers[layer][0]] for layer in data.shapes[shape]]


def test_objects_of_one_package_chain_share_shape_and_templates() -> None:
    data = assembled(row(1, "A"), row(2, "B"), packages=[(10, 0), (20, 10)])
    assert (len(data.shapes), len(data.template_chains)) == (1, 1)
    assert [found.tag_name for found in data.objects] == ["A", "B"]
    assert data.deploy_time == DEPLOYED


def test_the_objects_own_attributes_stand_before_those_it_inherits() -> None:
    data = assembled(
        row(package=30),
        packages=[(30, 20), (20, 10), (10, 0)],
        configured=[(10, *PV), (30, *SP)],
        primitives=[],
    )
    assert names(data, data.objects[0].shape) == [["SP"], ["PV"]]


def test_a_package_without_anything_of_its_own_adds_no_layer() -> None:
    data = assembled(
        row(1, "A", package=30),
        row(2, "B", package=20),
        packages=[(30, 20), (20, 10), (10, 0)],
        configured=[(10, *PV)],
        primitives=[],
    )
    first, second = data.objects
    assert first.shape == second.shape
    assert names(data, first.shape) == [["PV"]]


def test_equal_attributes_are_stored_once() -> None:
    data = assembled(configured=[(10, *PV), (10, *SP)], packages=[(10, 0)])
    assert [found.name for found in data.definitions].count("PV") == 1


def test_packages_without_primitives_keep_their_configured_attributes() -> None:
    data = assembled(row(package=11), packages=[(10, 0), (11, 0)], configured=[(11, *SP)])
    assert names(data, data.objects[0].shape) == [["SP"]]


def test_units_and_descriptions_are_stored_once_and_also_where_a_package_has_nothing_else() -> None:
    bar, text = encode(DataType.STRING, "bar"), encode(DataType.STRING, "Pressure")
    given = [("PV.Description", text), ("PV.EngUnits", bar)]
    data = assembled(
        row(1, "A", package=11),
        row(2, "B", package=12),
        packages=[(10, 0), (11, 10), (12, 10)],
        texts=[(package, name, value) for package in (11, 12) for name, value in given],
    )
    assert data.attribute_texts == [("pv", "bar", "Pressure")]
    assert data.objects[0].shape == data.objects[1].shape


def test_primitives_that_add_nothing_are_left_out_but_extensions_stay() -> None:
    data = assembled(primitives=[(10, "", 1, 0), (10, "Alarm1", 2, 1), (10, "Nothing", 3, 0), (10, "Unknown", 99, 1)])
    assert [use.name for use in data.primitive_uses] == ["", "Alarm1"]
    assert [kind.name for kind in data.primitive_definitions] == ["Tank", ALARM_EXTENSION]


def test_an_object_whose_package_is_unknown_has_no_attributes_and_is_there() -> None:
    data = assembled(row(package=999))
    assert data.shapes[data.objects[0].shape] == ()


@pytest.mark.parametrize("parent", [10, 20])
def test_packages_that_derive_from_themselves_come_to_an_end(parent: int) -> None:
    data = assembled(row(package=10), packages=[(10, parent), (20, 10)], configured=[(10, *PV)], primitives=[])
    assert 1 <= len(data.shapes[data.objects[0].shape]) <= MAX_DERIVATION_STEPS + 1


def test_the_template_chain_goes_from_the_nearest_up() -> None:
    data = assembled(templates=[(100, "$Tank", 90), (90, "$Vessel", 80), (80, "$UserDefined", 0)])
    assert data.template_chains[data.objects[0].templates] == ("$Tank", "$Vessel", "$UserDefined")


@pytest.mark.parametrize(
    ("links", "most", "found"),
    [
        ({1: 2, 2: 3, 3: 0}, 10, [1, 2, 3]),
        ({1: 2, 2: 3, 3: 0}, 2, [1, 2]),
        ({1: 2}, 10, [1]),
        ({1: 1}, 4, [1, 1, 1, 1]),
        ({}, 10, []),
    ],
)
def test_a_walk_ends_at_nothing_at_the_unknown_and_at_its_limit(
    links: dict[int, int], most: int, found: list[int]
) -> None:
    assert walk(1, links.get, most) == found
    assert walk(0, links.get, most) == []


def test_null_columns_that_may_be_null_are_zero_or_empty() -> None:
    data = assembled(row(parent=None, host=None, contained=None))
    (found,) = data.objects
    assert (found.parent_gobject_id, found.hosted_by_gobject_id, found.contained_name) == (0, 0, "")


@pytest.mark.parametrize(
    ("build", "column"),
    [
        (lambda: assembled(row(gobject=None)), "gobject.gobject_id is of type NoneType"),
        (lambda: assembled(row(gobject="1")), "gobject.gobject_id is of type str"),
        (lambda: assembled(row(gobject=2**31)), "gobject.gobject_id is out of range"),
        (lambda: assembled(row(name="")), "gobject.tag_name is empty"),
        (lambda: assembled(row(name=b"Tank")), "gobject.tag_name is of type bytes"),
        (lambda: assembled(row(category=None)), "template_definition.category_id is of type NoneType"),
        (lambda: assembled(configured=[(10, "", 3, 0, None, 2, 1)]), "dynamic_attribute.attribute_name is empty"),
        (lambda: assembled(configured=[(10, "X", None, 0, None, 2, 1)]), "dynamic_attribute.mx_data_type is of type"),
        (lambda: assembled(primitives=[(10, b"x", 1, 0)]), "primitive_name is of type bytes"),
        (lambda: assembled(texts=[(10, None, None)]), "dynamic_attribute.attribute_name is of type NoneType"),
        (lambda: assembled(packages=[(None, 0)]), "package.package_id"),  # type: ignore[list-item]
        (lambda: assembled(templates=[(100, None, 0)]), "tag_name is of type NoneType"),
        (lambda: Assembly("yesterday"), "str"),  # type: ignore[arg-type]
    ],
)
def test_rows_that_cannot_be_a_galaxys_are_refused_by_their_column(build: Callable[[], object], column: str) -> None:
    with pytest.raises(GalaxyDataError) as caught:
        build()
    assert column in f"{caught.value} {getattr(caught.value, 'detail', '')}"


def test_the_extremes_of_an_id_are_taken() -> None:
    data = assembled(row(1, "A", parent=-(2**31), host=2**31 - 1))
    assert (data.objects[0].parent_gobject_id, data.objects[0].hosted_by_gobject_id) == (-(2**31), 2**31 - 1)
