"""Descriptions of Galaxies as text: what each line comes to, what is left out, and what is refused where."""

from __future__ import annotations

from pathlib import Path

import pytest

from mxgateway_protocol.variants import DataType
from mxgateway_simulator.building.description import EXTENSIONS, AttributeSpec, GalaxyDescription
from mxgateway_simulator.building.description_reader import parse_description, read_description
from mxgateway_simulator.classifications import Security
from mxgateway_simulator.errors import GalaxyDescriptionError
from mxgateway_simulator.places import SHIPPED


def parsed(text: str) -> GalaxyDescription:
    return parse_description("galaxy: G\n" + text, "g.yaml")


def attribute(text: str) -> AttributeSpec:
    """The attribute `A` of a template with this text."""
    return parsed(f"templates: {{$T: {{attributes: {{A: {text}}}}}}}").templates["$T"].attributes["A"]


def refusal(text: str) -> str:
    with pytest.raises(GalaxyDescriptionError) as caught:
        parsed(text)
    return str(caught.value)


@pytest.mark.parametrize("name", SHIPPED)
def test_each_shipped_galaxy_reads_by_its_name_and_has_instances(name: str) -> None:
    description = read_description(name)
    assert description.file == f"{name}.yaml"
    assert description.instances
    assert all(template.startswith("$") for template in description.templates)


def test_what_is_not_said_has_its_default() -> None:
    description = parsed("")
    assert (description.name, description.security, description.last_deploy, description.scale) == (
        "G",
        "none",
        None,
        None,
    )
    assert (description.roles, description.users, description.templates, description.instances) == ({}, (), {}, ())


def test_a_file_that_cannot_be_read_names_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(GalaxyDescriptionError, match=r"reference, plant"):
        read_description(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("encoding", "line", "words"),
    [("latin-1", 2, "0xFC; save the file as UTF-8"), ("utf-16", 1, "is UTF-16; save it as UTF-8")],
)
def test_a_file_in_another_encoding_is_told_the_place_and_the_remedy(
    tmp_path: Path, encoding: str, line: int, words: str
) -> None:
    (tmp_path / "g.yaml").write_bytes("format: 1\ngalaxy: Tür".encode(encoding))
    with pytest.raises(GalaxyDescriptionError, match=words) as caught:
        read_description(tmp_path / "g.yaml")
    assert caught.value.line == line


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_in_utf_8_is_read_with_and_without_its_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "good.yaml").write_text("galaxy: Tür", encoding=encoding)
    assert read_description(tmp_path / "good.yaml").name == "Tür"


@pytest.mark.parametrize(
    ("text", "value", "data_type", "dimension"),
    [
        ("500", 500, None, None),
        ("{value: 500}", 500, None, None),
        ("true", True, None, None),
        ("[1, 2]", [1, 2], None, None),
        ("{type: Float}", None, DataType.FLOAT, 0),
        ("{type: Float, array: 3}", None, DataType.FLOAT, 3),
        ("{array: 1}", None, None, 1),
        ("{type: Integer, array: 32767}", None, DataType.INTEGER, 32767),
    ],
)
def test_an_attribute_may_be_a_bare_value_and_a_type_without_array_is_no_array(
    text: str, value: object, data_type: DataType | None, dimension: int | None
) -> None:
    """Left out altogether, type and dimension are those of the attribute that is overridden."""
    found = attribute(text)
    assert (found.value, found.data_type, found.dimension) == (value, data_type, dimension)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize(("text", "is_there"), [("true", True), ("{}", True), ("false", False), ("null", False)])
def test_an_extension_is_switched_on_by_true_or_by_its_parameters(extension: str, text: str, is_there: bool) -> None:
    found = attribute(f"{{type: Boolean, {extension}: {text}}}")
    assert found.extensions == ({extension: {}} if is_there else {})


def test_locked_is_yes_no_or_not_said() -> None:
    assert [attribute(text).locked for text in ("{locked: true}", "{locked: false}", "{value: 1}")] == [
        True,
        False,
        None,
    ]


def test_members_are_found_without_regard_to_case() -> None:
    assert attribute("{security: securedwrite}").security is Security(
        attribute("{security: SecuredWrite}").security or 0
    )


def test_a_contained_object_is_named_after_its_container_unless_it_is_said_otherwise() -> None:
    text = "templates: {$V: {}, $T: {contains: {In: {template: $V}, Out: {template: $V, tag: '{tag}_Valve'}}}}"
    first, second = parsed(text).templates["$T"].contains
    assert (first.tag, second.tag) == ("{tag}_In", "{tag}_Valve")


def test_roles_and_users_hang_together() -> None:
    description = parsed(
        "roles: {Operator: [operate, tune]}\n"
        "users: {anna: {password: p, roles: [Operator], guid: 01234567-89ab-cdef-0123-456789abcdef}, bob: {}}"
    )
    assert list(description.roles) == ["Operator"]
    anna, bob = description.users
    assert (anna.roles, anna.password, bob.roles, bob.password) == (("Operator",), "p", (), None)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("format: 2", "format", "from 1 to 1"),
        ("format: true", "format", "whole number"),
        ("templates: [a]", "templates", "a mapping is wanted here, not list"),
        ("templates: {1: {}}", "", "YAML does not read the key 1 as text"),
        ("roles: {R: operate}", "roles.R", "a list is wanted here, not str"),
        ("roles: {R: [walk]}", "roles.R[0]", "none of"),
        ("users: {u: {guid: 123}}", "users.u.guid", "a text is wanted, not 123"),
        ("users: {u: {guid: 'zz'}}", "users.u.guid", "8-4-4-4-12"),
        ("instances: {'A B': {template: $T}}", "instances.A B", "is no tag name"),
        ("instances: {A: {template: $T, deployed: yes please}}", "instances.A.deployed", "true or false"),
        ("instances: {A: {}}", "instances.A.template", "is missing"),
        ("instances: {A: {template: $T, aera: B}}", "instances.A", "did you mean 'area'"),
        ("templates: {$T: {attributes: {1A: {}}}}", "templates.$T.attributes", "no attribute name"),
        ("templates: {$T: {attributes: {A: 1, a: 2}}}", "templates.$T.attributes.a", "the same name as 'A'"),
        ("templates: {$T: {attributes: {A: {array: 0}}}}", "A.array", "from 1 to 32767"),
        ("templates: {$T: {attributes: {A: {array: 32768}}}}", "A.array", "from 1 to 32767"),
        ("templates: {$T: {attributes: {A: {range: [5, 5]}}}}", "A.range", "the lower one first"),
        ("templates: {$T: {attributes: {A: {range: [5]}}}}", "A.range", "two numbers"),
        ("templates: {$T: {attributes: {A: {decimals: 10}}}}", "A.decimals", "from 0 to 9"),
        ("templates: {$T: {attributes: {A: {security: Sometimes}}}}", "A.security", "none of"),
        ("templates: {$T: {attributes: {A: {enum: [1]}}}}", "A.enum[0]", "put it in quotes"),
        ("scale: {tag: X}", "scale.template", "is missing"),
        ("scale: {template: $T, platform: P, objectsPerArea: 0}", "scale.objectsPerArea", "from 1 to 100000"),
        ("faults: {no_such_fault: {}}", "faults.no_such_fault", ""),
        ("lastDeploy: 5", "lastDeploy", "a text is wanted"),
    ],
)
def test_a_wrong_line_is_named_by_file_place_and_remedy(text: str, place: str, words: str) -> None:
    told = refusal(text)
    assert told.startswith("g.yaml: line 2: ")
    assert place in told
    assert words in told


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("templates:\n  $T:\n    attributes:\n      A: 1\n      B: {type: int}", 6),
        (
            "templates:\n  $T:\n    attributes:\n      A:\n        type: Float\n        signal:\n          kind: wave",
            7,
        ),
        ("roles:\n  R:\n    - operate\n    - walk", 5),
        ("instances:\n  A: {template: $T}\n  B: {template: $T,\n      aera: A}", 5),
        ("users:\n  anna: {}\n  Anna: {}", 4),
        ("templates:\n  $T: {}\n  $t: {}", 4),
    ],
)
def test_a_refusal_names_the_very_line(text: str, lines: int) -> None:
    with pytest.raises(GalaxyDescriptionError) as caught:
        parsed(text)
    assert caught.value.line == lines
