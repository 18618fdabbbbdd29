"""Reading a Galaxy database: names, packages, attributes, users, and what is no Galaxy."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.simulator.conftest import BuildGalaxy

from mxgateway_simulator.errors import GalaxyFileError
from mxgateway_simulator.plant import galaxy_file
from mxgateway_simulator.plant.galaxy_file import GalaxyFile


@pytest.fixture(scope="module")
def galaxy(reference_galaxy: Path) -> Iterator[GalaxyFile]:
    with closing(GalaxyFile(reference_galaxy)) as opened:
        yield opened


def test_objects_are_found_by_tag_and_by_contained_name_whatever_the_case(galaxy: GalaxyFile) -> None:
    """Beyond ASCII, too."""
    machine = galaxy.object_by_tag("tESTmACHINE_001")
    assert machine is not None
    assert machine.tag_name == "TestMachine_001"
    receiver = galaxy.contained_object(machine.gobject_id, "delmiaRECEIVER")
    assert receiver is not None
    assert receiver.tag_name == "DelmiaReceiver_001"
    assert {each.tag_name for each in galaxy.contained_objects(machine.gobject_id)} == {
        "DelmiaReceiver_001",
        "MESReceiver_001",
    }
    cooler = galaxy.object_by_tag("KÜHLMASCHINE_1")
    assert cooler is not None
    assert cooler.tag_name == "Kühlmaschine_1"
    assert galaxy.object_by_tag("NoSuchObject") is None
    assert galaxy.object_by_id(0) is None
    assert galaxy.object_by_id(machine.gobject_id) == machine


def test_a_package_stands_before_those_that_it_derives_from(galaxy: GalaxyFile) -> None:
    machine = galaxy.object_by_tag("TestMachine_001")
    other = galaxy.object_by_tag("TestMachine_002")
    assert machine is not None
    assert other is not None
    chain = galaxy.packages(machine.package_id)
    assert chain[0] == machine.package_id
    assert len(set(chain)) == len(chain) == 5, "the instance, and four templates"
    assert galaxy.packages(other.package_id)[1:] == chain[1:]
    assert galaxy.shape(machine.package_id) == galaxy.shape(other.package_id)


@pytest.mark.parametrize(
    ("name", "is_user", "is_array"),
    [
        ("TestChangingInt", True, False),
        ("testchangingint", True, False),
        ("TestAlarm001.Priority", False, False),
        ("ShortDesc", False, False),
        ("NoSuch", None, None),
        ("TestAlarm001.NoSuch", None, None),
    ],
)
def test_an_attribute_is_the_objects_own_an_extensions_or_built_in(
    galaxy: GalaxyFile, name: str, is_user: bool | None, is_array: bool | None
) -> None:
    machine = galaxy.object_by_tag("TestMachine_001")
    assert machine is not None
    found = galaxy.attribute(machine.package_id, name)
    shaped = galaxy.shaped_attribute(machine.package_id, name)
    assert found == shaped, "the quick way finds the same"
    assert (None if found is None else found.is_user) == is_user
    assert (None if found is None else found.is_array) == is_array


def test_what_an_instance_says_beats_its_template(galaxy_of: BuildGalaxy) -> None:
    """The value that a package configures is its own; another instance of the template keeps the template's."""
    path = galaxy_of("A: {type: Integer, value: 5}")
    with closing(GalaxyFile(path)) as galaxy:
        owner = galaxy.object_by_tag("O")
        assert owner is not None
        assert galaxy.configured(owner.package_id, "A") == 5
        assert galaxy.configured(owner.package_id, "NoSuch") is None


def test_users_have_the_permissions_of_all_their_roles(galaxy: GalaxyFile) -> None:
    users = {user.name: user for user in galaxy.users()}
    assert users["operator1"].permissions <= users["supervisor1"].permissions | users["operator1"].permissions
    assert users["guest"].permissions == frozenset()
    assert users["operator1"].password is not None
    assert "operator1" not in repr(users["operator1"].password)


@pytest.mark.parametrize("name", [name for name in dir(galaxy_file) if name.startswith("SQL_OBJECT")])
def test_an_object_is_found_by_an_index(galaxy: GalaxyFile, name: str) -> None:
    """A Galaxy has tens of thousands of objects, and each AddItem looks for one."""
    plan = galaxy.query_plan(getattr(galaxy_file, name))
    assert not any(step.startswith("SCAN") for step in plan), plan


def test_a_change_by_another_program_is_noticed_and_what_was_remembered_is_dropped(
    reference_galaxy: Path, tmp_path: Path
) -> None:
    path = tmp_path / "own.db"
    shutil.copy(reference_galaxy, path)
    with closing(GalaxyFile(path)) as galaxy, closing(sqlite3.connect(path)) as other:
        machine = galaxy.object_by_tag("TestMachine_001")
        assert machine is not None
        assert galaxy.object_by_id(machine.gobject_id) == machine
        before = galaxy.data_version()
        assert galaxy.data_version() == before
        other.execute("UPDATE gobject SET tag_name = 'Renamed' WHERE gobject_id = ?", (machine.gobject_id,))
        other.commit()
        assert galaxy.data_version() != before
        assert galaxy.object_by_id(machine.gobject_id) == machine, "remembered"
        galaxy.forget()
        renamed = galaxy.object_by_id(machine.gobject_id)
        assert renamed is not None
        assert renamed.tag_name == "Renamed"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "there is no Galaxy database"),
        (b"", "is no Galaxy database of the simulator"),
        (b"not a database, but long enough to be looked at" * 50, "is no Galaxy database of the simulator"),
    ],
)
def test_what_is_no_galaxy_is_refused_with_the_remedy(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "x.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GalaxyFileError) as caught:
        GalaxyFile(path)
    assert problem in str(caught.value)
    assert "mxgateway galaxy build" in str(caught.value)


def test_a_galaxy_of_another_format_is_refused(reference_galaxy: Path, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    shutil.copy(reference_galaxy, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE sim_setting SET value = '0' WHERE name = 'format'")
        connection.commit()
    with pytest.raises(GalaxyFileError, match=r"has format 0, this version reads \d+; make it again"):
        GalaxyFile(path)
