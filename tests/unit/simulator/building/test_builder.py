"""Galaxy databases made of descriptions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.unit.simulator.building.galaxy_rows import one
from tests.unit.simulator.plant_session import RecordingSink

from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import DataType
from mxgateway_server.cli.galaxy import galaxy
from mxgateway_simulator import mx_value
from mxgateway_simulator.backend import create_backend
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import parse_description, read_description
from mxgateway_simulator.errors import GalaxyDescriptionError


def test_deployed_and_checked_in_packages_differ_where_the_description_says_so(reference: sqlite3.Connection) -> None:
    """What is only checked in has a package of its own; what is not deployed has deployed package 0."""
    deployed, checked_in = one(
        reference,
        "SELECT deployed_package_id, checked_in_package_id FROM gobject WHERE tag_name = 'ChangedObject'",
    )
    assert deployed != checked_in
    assert one(reference, "SELECT package_id FROM dynamic_attribute WHERE attribute_name = 'AddedLater'") == checked_in
    assert one(reference, "SELECT deployed_package_id FROM gobject WHERE tag_name = 'UndeployedObject'") == 0


def test_engine_twin_stands_in_namespace_two(reference: sqlite3.Connection) -> None:
    """The engine occurs twice, in namespaces 1 and 2, under one name."""
    rows = reference.execute("SELECT namespace_id FROM gobject WHERE tag_name = 'DevAppEngine' ORDER BY 1").fetchall()
    assert rows == [(1,), (2,)]


def test_array_dimension_above_255_uses_both_bytes(reference: sqlite3.Connection) -> None:
    """The dimension 300 of TestLongArray is read from the first 24 characters of mx_value."""
    text = one(
        reference, "SELECT substr(mx_value, 1, 24) FROM dynamic_attribute WHERE attribute_name = 'TestLongArray'"
    )
    assert mx_value.array_dimension(text) == 300


def test_passwords_are_not_in_the_file(tmp_path: Path) -> None:
    """A user's password occurs nowhere in the database file, in no encoding of text."""
    text = "galaxy: G\nusers: {someone: {password: Sentinel-4711}}"
    description = parse_description(text, "g.yaml")
    build_galaxy(description, tmp_path / "g.db")
    content = (tmp_path / "g.db").read_bytes()
    assert b"someone" in content
    assert b"Sentinel-4711" not in content
    assert "Sentinel-4711".encode("utf-16-le") not in content
    assert "Sentinel-4711" not in repr(description)


def test_plant_has_hundreds_of_objects(tmp_path: Path) -> None:
    """The plant Galaxy is a plant of 300 to 500 objects in areas."""
    result = build_galaxy(read_description("plant"), tmp_path / "plant.db")
    assert 300 <= result.objects <= 500


def test_filling_up_reaches_the_number_exactly(tmp_path: Path) -> None:
    """--objects N gives N deployed objects, hosted by engines and in areas of their own."""
    path = tmp_path / "large.db"
    outcome = CliRunner().invoke(galaxy, ["build", "--galaxy", "reference", "--output", str(path), "--objects", "500"])
    assert outcome.exit_code == 0, outcome.output
    with closing(sqlite3.connect(path)) as connection:
        deployed = "is_template = 0 AND deployed_package_id <> 0 AND namespace_id = 1"
        assert one(connection, f"SELECT count(*) FROM gobject WHERE {deployed}") == 500
        assert one(connection, "SELECT count(*) FROM gobject WHERE tag_name LIKE 'LoadArea%'") >= 4


def test_a_failed_build_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """A description that cannot be built does not touch what stands there."""
    path = tmp_path / "g.db"
    path.write_bytes(b"old")
    description = parse_description("galaxy: G\ninstances: {A: {template: $Nothing}}", "g.yaml")
    with pytest.raises(
        GalaxyDescriptionError, match=r"g\.yaml: line \d+: instances\.A\.template: there is no template"
    ):
        build_galaxy(description, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ("galaxy: [", "line 1", "YAML"),
        ("{}", "galaxy", "missing"),
        ("galaxy: G\nsecurty: none", "document", "did you mean 'security'"),
        ("galaxy: G\nsecurity: strict", "security", "none, galaxy, os-user"),
        ("galaxy: G\nswitches: {chnge_latency_ms: 5}", "switches", "did you mean 'change_latency_ms'"),
        ("galaxy: G\ntemplates: {Pump: {}}", "templates.Pump", "write $Pump"),
        ("galaxy: G\ntemplates: {$P: {attributes: {A: {type: Int}}}}", "templates.$P.attributes.A.type", "Integer"),
        ("galaxy: G\ntemplates: {$P: {attributes: {A: {value: 1}}}}", "templates.$P.attributes.A", "type: Float"),
        (
            "galaxy: G\ntemplates: {$P: {attributes: {A: {type: Integer, value: 1.5}}}}",
            "templates.$P.attributes.A",
            "32 bits",
        ),
        (
            "galaxy: G\ntemplates: {$P: {attributes: {A: {type: Integer, signal: {kind: sin}}}}}",
            "templates.$P.attributes.A.signal",
            "sine",
        ),
        (
            "galaxy: G\ntemplates: {$P: {attributes: {A: {type: Integer, signal: {kind: sine, perod: 5s}}}}}",
            "templates.$P.attributes.A.signal",
            "did you mean 'period'",
        ),
        ("galaxy: G\ntemplates: {$P: {attributes: {A: {type: Boolean, alarm: {Prio: 5}}}}}", "A", "Priority"),
        ("galaxy: G\ntemplates: {$P: {derivedFrom: $P}}", "templates.$P", "circle"),
        ("galaxy: G\ninstances: {A: {template: $Area, area: B}}", "instances.A.area", "no instance 'B'"),
        ("galaxy: G\ninstances: {A: {template: $UserDefined}}", "instances.A", "host"),
        (
            f"galaxy: G\ninstances: {{P: {{template: $WinPlatform}}, {'A' * 129}: {{template: $AppEngine, host: P}}}}",
            "instances.A",
            "128 characters at most",
        ),
        (
            "galaxy: G\ntemplates: {$V: {}, $T: {contains: {Valve: {template: $V}}}}\n"
            f"instances: {{P: {{template: $WinPlatform}}, {'A' * 126}: {{template: $T, host: P}}}}",
            "contains.Valve",
            "132 characters",
        ),
        (
            f"galaxy: G\ntemplates: {{$P: {{attributes: {{{'.'.join(['A' * 32] * 11)}: {{type: Integer}}}}}}}}",
            "templates.$P.attributes",
            "329 characters",
        ),
        ("galaxy: G\nusers: {u: {roles: [X]}}", "users.u.roles[0]", "define it under `roles`"),
    ],
)
def test_errors_name_file_place_and_remedy(tmp_path: Path, text: str, place: str, remedy: str) -> None:
    """Whatever is wrong with a description, the error says where it is and what would help."""
    with pytest.raises(GalaxyDescriptionError) as caught:
        build_galaxy(parse_description(text, "g.yaml"), tmp_path / "g.db")
    message = str(caught.value)
    assert message.startswith("g.yaml: ")
    assert place in message
    assert remedy in message


@pytest.mark.parametrize(
    ("data_type", "value"),
    [
        (DataType.BOOLEAN, True),
        (DataType.INTEGER, -(2**31)),
        (DataType.FLOAT, 1.5),
        (DataType.DOUBLE, -1e300),
        (DataType.STRING, ""),
        (DataType.STRING, "Grüße \U0001f37a"),
        (DataType.BIG_STRING, "x" * 5000),
        (DataType.TIME, 1_736_143_200_000_000_000),
        (DataType.ELAPSED_TIME, 90.5),
        (DataType.QUALIFIED_ENUM, 2),
    ],
)
def test_configured_values_survive_the_hex_dump(data_type: DataType, value: Any) -> None:
    """A value read back from mx_value is the value that was written, as a scalar and in an array."""
    assert mx_value.decode(data_type, mx_value.encode(data_type, value), False) == value
    elements = mx_value.decode(data_type, mx_value.encode(data_type, [value, value], 3), True)
    assert elements == (value, value, mx_value.default_value(data_type)) or data_type == DataType.TIME
    assert len(elements) == 3


def test_the_empty_string_is_written_as_the_product_writes_it() -> None:
    """The hex dump of an empty string is the one known from real databases."""
    assert mx_value.encode(DataType.STRING, "") == "0x0506000000020000000000"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("reference", {"gobject": 112, "package": 112, "dynamic_attribute": 156, "attribute_definition": 326,
                       "primitive_instance": 253, "primitive_definition": 10, "instance": 82, "sim_user": 5}),
        ("alarms", {"gobject": 2200, "package": 2200, "dynamic_attribute": 20, "attribute_definition": 430,
                    "primitive_instance": 21938, "primitive_definition": 7, "instance": 2191}),
        ("plant", {"gobject": 340, "package": 340, "dynamic_attribute": 187, "attribute_definition": 422,
                   "primitive_instance": 932, "primitive_definition": 7, "instance": 301, "sim_user": 2}),
    ],
)  # fmt: skip
def test_shipped_galaxies_have_these_rows(tmp_path: Path, name: str, expected: dict[str, int]) -> None:
    """The shipped Galaxies change on purpose only."""
    rows = build_galaxy(read_description(name), tmp_path / "g.db").rows
    assert {table: rows[table] for table in expected} == expected


def test_faults_of_a_description_strike_every_session(tmp_path: Path) -> None:
    """`faults:` is checked when it is read, and set when a session opens the Galaxy."""
    with pytest.raises(GalaxyDescriptionError, match=r"g\.yaml: line \d+: faults\.hang_cal: .*did you mean hang_call"):
        parse_description("galaxy: G\nfaults: {hang_cal: {}}", "g.yaml")
    text = "galaxy: G\nfaults: {fail_call: {method: register, hresult: 0x80070005, times: 1}}"
    build_galaxy(parse_description(text, "g.yaml"), tmp_path / "g.db")
    backend = create_backend({"galaxy": str(tmp_path / "g.db")})
    backend.open(RecordingSink())
    with pytest.raises(MxComError):
        backend.register("x")
    assert backend.register("x") == 1
    backend.close()
