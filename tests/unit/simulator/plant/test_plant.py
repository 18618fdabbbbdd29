"""What clients see when the plant stops, starts, goes off scan, is deployed or undeployed."""

from __future__ import annotations

import shutil
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.simulator.conftest import BuildGalaxy, MakeSession
from tests.unit.simulator.plant_session import Change, Completion, PlantSession, boolean, i4

from mxgateway_server.cli.galaxy import galaxy as galaxy_command
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import parse_description
from mxgateway_simulator.plant.deployment import Deployment, DeploymentError
from mxgateway_simulator.plant.operation import PlantOperation

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def own_galaxy(reference_galaxy: Path, tmp_path: Path) -> Path:
    """A copy of the reference Galaxy that the test may change."""
    return Path(shutil.copy(reference_galaxy, tmp_path / "own.db"))


@pytest.fixture
def operation(reference_galaxy: Path, tmp_path: Path) -> PlantOperation:
    return PlantOperation(reference_galaxy, tmp_path / "board.db")


def changes(events: list[object], handle: int) -> list[Change]:
    return [event for event in events if isinstance(event, Change) and event.item == handle]


def test_off_scan_is_bad_and_on_scan_initializes(session: PlantSession, operation: PlantOperation) -> None:
    """Off scan: quality bad, value kept, success; on scan: Initializing, then good; writes are taken all the while."""
    handle = session.advised("TestChildObject.TestInt")
    operation.set_scan("testchildobject", False, session.clock.unix_ns())
    (bad,) = changes(session.advance(0.05), handle)
    assert (bad.quality, bad.value, bad.status.success) == (0, 99, -1)
    assert session.outcome(handle, i4(8)) == (-1, 0, 5, 0)
    operation.set_scan("TestChildObject", True, session.clock.unix_ns())
    waiting, good = changes(session.advance(0.05), handle)
    assert (waiting.quality, good.quality, good.value) == (32, 192, 8)


def test_scan_state_can_be_commanded(session: PlantSession) -> None:
    """Writing ScanStateCmd takes an object off scan; ScanState tells, with good quality."""
    state = session.advised("TestChildObject.ScanState")
    value = session.advised("TestChildObject.TestInt")
    command = session.advised("TestChildObject.ScanStateCmd")
    events = session.write(command, boolean(False))
    assert [event.value for event in changes(events, state)] == [False]
    assert changes(events, state)[0].quality == 192
    assert [event.quality for event in changes(events, value)] == [0]


def test_engine_stop_and_start(session: PlantSession, operation: PlantOperation) -> None:
    """A stopped engine: communication error 5, quality 24; its platform still answers; after the start 32, then 192."""
    handle = session.advised("TestMachine_001.SiteCode")
    moving = session.advised("TestMachine_001.TestChangingInt")
    platform = session.advised("DevPlatform.ScanState")
    operation.set_running("DevAppEngine", False, session.clock.unix_ns())
    events = session.advance(0.05)
    (stopped,) = changes(events, handle)
    assert (tuple(stopped.status), stopped.quality, stopped.value) == ((0, 3, 3, 5), 24, "SITE-1")
    assert changes(events, platform) == []
    assert session.outcome(handle, i4(8)) == (0, 3, 3, 5)
    assert changes(session.advance(5), moving) == []
    operation.set_running("DevAppEngine", True, session.clock.unix_ns())
    events = session.advance(0.05)
    assert [event.quality for event in changes(events, handle)] == [32, 192]
    assert len(changes(session.advance(5), moving)) == 5


def test_scan_state_of_an_engine_tells_its_health(session: PlantSession, operation: PlantOperation) -> None:
    """Once when advised, then on change only: true, a failed status while the engine is stopped, true again."""
    engine, platform = session.advised("DevAppEngine.ScanState"), session.advised("DevPlatform.ScanState")
    assert session.advance(5) == []
    operation.set_running("DevAppEngine", False, session.clock.unix_ns())
    (stopped,) = session.advance(0.1)
    assert (stopped.item, tuple(stopped.status)) == (engine, (0, 3, 3, 5))
    operation.set_running("DevAppEngine", True, session.clock.unix_ns())
    assert [(event.item, event.value, event.quality) for event in session.advance(0.1)][-1] == (engine, True, 192)
    operation.set_scan("DevPlatform", False, session.clock.unix_ns())
    seen = {event.item: (event.value, event.quality) for event in session.advance(0.1)}
    assert seen == {engine: (False, 192), platform: (False, 192)}


def test_platform_stop_is_detail_2(session: PlantSession, operation: PlantOperation) -> None:
    """A stopped platform is reported as such by all that it hosts."""
    handle = session.advised("TestMachine_001.SiteCode")
    operation.set_running("DevPlatform", False, session.clock.unix_ns())
    assert tuple(changes(session.advance(0.05), handle)[0].status) == (0, 3, 3, 2)


def test_initializing_lasts_as_long_as_the_switch_says(make_session: MakeSession, operation: PlantOperation) -> None:
    """With initializing_ms=500 quality stays 32 for half a second after the start."""
    session = make_session(switches={"initializing_ms": "500"})
    handle = session.advised("TestChildObject.TestInt")
    operation.set_running("DevAppEngine", False, session.clock.unix_ns())
    session.advance(0.05)
    operation.set_running("DevAppEngine", True, session.clock.unix_ns())
    assert [event.quality for event in changes(session.advance(0.4), handle)] == [32]
    assert [event.quality for event in changes(session.advance(0.2), handle)] == [192]


def test_undeploy_and_redeploy_while_advised(make_session: MakeSession, own_galaxy: Path) -> None:
    """Undeploy: configuration error 6, quality 4, no value; deployed again the item finds its attribute by itself."""
    session = make_session(own_galaxy)
    handle = session.advised("TestMachine_002.SiteCode")
    moving = session.advised("TestMachine_002.TestChangingInt")
    Deployment(own_galaxy, NOW).undeploy(["TestMachine_002"], cascade=True)
    events = session.advance(0.25)
    (gone,) = changes(events, handle)
    assert (tuple(gone.status), gone.quality, gone.value) == ((0, 4, 1, 6), 4, None)
    assert len(changes(events, moving)) == 1
    assert changes(session.advance(3), moving) == []
    done = [event for event in session.advance(0.1) if isinstance(event, Completion)]
    assert done == []
    Deployment(own_galaxy, NOW).deploy(["TestMachine_002"], cascade=True)
    events = session.advance(0.25)
    assert changes(events, handle)[-1].value == "SITE-1"
    assert changes(events, handle)[-1].quality == 192
    assert len(changes(session.advance(3), moving)) == 3


def test_without_rebinding_an_item_stays_lost(make_session: MakeSession, own_galaxy: Path) -> None:
    """Switch rebind_after_deploy=false: only a new Advise finds the attribute again."""
    session = make_session(own_galaxy, switches={"rebind_after_deploy": "false"})
    handle = session.advised("TestMachine_002.SiteCode")
    Deployment(own_galaxy, NOW).undeploy(["TestMachine_002"])
    session.advance(0.25)
    Deployment(own_galaxy, NOW).deploy(["TestMachine_002"])
    assert session.advance(0.5) == []
    session.backend.un_advise(1, handle)
    session.backend.advise(1, handle)
    assert changes(session.pump(), handle)[0].value == "SITE-1"


def test_deploying_makes_the_checked_in_package_run(make_session: MakeSession, own_galaxy: Path) -> None:
    """An attribute that was only checked in appears once the object is deployed again."""
    session = make_session(own_galaxy)
    handle = session.advised("ChangedObject.AddedLater")
    assert handle
    assert tuple(session.read("ChangedObject.AddedLater").status) == (0, 4, 1, 6)
    Deployment(own_galaxy, NOW).deploy(["ChangedObject"])
    assert changes(session.advance(0.25), handle)[-1].value == 1


def test_a_changed_object_deployed_over_a_running_one(make_session: MakeSession, tmp_path: Path) -> None:
    """First detail 10 where the attribute has changed, 9 where only its object has, then Initializing, then good."""
    text = """
galaxy: G
templates: {$T: {attributes: {A: {type: Integer, value: 1}, B: {type: Integer, value: 2}, C: {type: Integer}}}}
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  O:
    template: $T
    host: E
    checkedIn: {A: {value: 5}, B: {category: Calculated}, C: {array: 3}}
"""
    galaxy = tmp_path / "changed.db"
    build_galaxy(parse_description(text, "changed.yaml"), galaxy)
    session, quiet = make_session(galaxy), make_session(galaxy, switches={"redeploy_signature_callback": "false"})
    a, b, c = (session.advised(f"O.{name}") for name in "ABC")
    plain = quiet.advised("O.A")
    Deployment(galaxy, NOW).deploy(["O"])
    events = session.advance(0.25)
    seen = {
        item: [(*event.status, event.quality, event.value) for event in changes(events, item)] for item in (a, b, c)
    }
    assert seen == {
        a: [(0, 4, 1, 9, 4, None), (-1, 0, 0, 0, 32, None), (-1, 0, 0, 0, 192, 5)],
        b: [(0, 4, 1, 10, 4, None), (-1, 0, 0, 0, 32, None), (-1, 0, 0, 0, 192, 2)],
        c: [(0, 4, 1, 1003, 4, None)],
    }
    assert session.outcome(c, i4(1)) == (0, 4, 1, 1003)
    assert session.outcome(b, i4(1)) == (0, 5, 5, 1007)
    assert [event.quality for event in changes(quiet.advance(0.25), plain)] == [32, 192]


def test_the_same_package_deployed_again_changes_no_signature(make_session: MakeSession, own_galaxy: Path) -> None:
    session = make_session(own_galaxy)
    handle = session.advised("TestMachine_002.SiteCode")
    Deployment(own_galaxy, NOW).deploy(["TestMachine_002"])
    assert [event.quality for event in changes(session.advance(0.25), handle)] == [32, 192]


def test_hosts_and_hosted_objects_are_kept_in_step(own_galaxy: Path) -> None:
    """Without cascade neither a host goes while it hosts, nor an object comes without its host."""
    deployment = Deployment(own_galaxy, NOW)
    with pytest.raises(DeploymentError, match="SpareAppEngine hosts"):
        deployment.undeploy(["SpareAppEngine"])
    gone = deployment.undeploy(["SpareAppEngine"], cascade=True).objects
    assert set(gone) == {"SpareAppEngine", "SpareArea", "SpareChildObject"}
    with pytest.raises(DeploymentError, match="hosted by SpareAppEngine"):
        deployment.deploy(["SpareChildObject"])
    assert "SpareAppEngine" in deployment.deploy(["SpareChildObject"], cascade=True).objects
    with pytest.raises(DeploymentError, match="no instance 'Nobody'"):
        deployment.deploy(["Nobody"])


def test_commands_change_the_galaxy(own_galaxy: Path) -> None:
    """mxgateway galaxy deploy, undeploy, scan, engine and reset do what they say, and refuse in one line."""

    def run(*arguments: str) -> str:
        outcome = CliRunner().invoke(galaxy_command, [*arguments])
        return f"{outcome.exit_code} {outcome.output.strip()}"

    database = ("--galaxy", str(own_galaxy))
    assert run("undeploy", *database, "TestMachine_005") == "0 undeployed: TestMachine_005"
    assert '"objects": ["TestMachine_005"]' in run("deploy", *database, "--json", "testmachine_005")
    assert run("scan", *database, "off", "testmachine_005") == "0 TestMachine_005 is off scan"
    assert run("engine", *database, "stop", "DevAppEngine") == "0 DevAppEngine is stopped"
    assert "is no engine" in run("engine", *database, "stop", "TestMachine_005")
    assert run("reset", *database) == "0 2 entries forgotten"
    assert run("deploy", *database, "Nobody").startswith("1 Error: there is no instance 'Nobody'")


def test_a_snapshot_after_an_undeploy_is_fresh(make_session: MakeSession, own_galaxy: Path) -> None:
    """A session that had nothing advised sees a change of deployment with its next call."""
    session = make_session(own_galaxy)
    assert session.read("TestMachine_002.SiteCode").value == "SITE-1"
    Deployment(own_galaxy, NOW).undeploy(["TestMachine_002"])
    session.clock.advance(0.05)
    assert tuple(session.read("TestMachine_002.SiteCode").status) == (0, 4, 1, 6)


def test_a_galaxy_that_cannot_be_read_is_a_failed_status(
    make_session: MakeSession, own_galaxy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the database fails the item gets a communication error with detail 7, and the session goes on."""
    session = make_session(own_galaxy)

    def fail(tag: str) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patch:
        patch.setattr(session.backend._galaxy, "object_by_tag", fail)
        assert tuple(session.read("TestMachine_002.SiteCode").status) == (0, 3, 0, 7)
    assert session.read("TestMachine_002.SiteCode").value == "SITE-1"


def test_operating_names_compare_without_case_in_any_alphabet(own_galaxy: Path, tmp_path: Path) -> None:
    """Deployment, scan and the rest find an object in any spelling, and answer with the Galaxy's own."""
    operation = PlantOperation(own_galaxy, tmp_path / "own.board.db")
    assert operation.set_scan("KÜHLMASCHINE_1", False, 1) == "Kühlmaschine_1"
    assert Deployment(own_galaxy, NOW).undeploy(["kÜhlmaschine_1"]).objects == ("Kühlmaschine_1",)
    with pytest.raises(DeploymentError, match="KÜHLMASCHINE_3"):
        Deployment(own_galaxy, NOW).deploy(["KÜHLMASCHINE_3"])


# ------------------------------------------------------------------------------------------- signals that go on again

_COUNTER = "X: {type: Integer, signal: {kind: counter, every: 1s%s}}"


def test_a_signal_goes_on_a_while_after_a_write(make_session: MakeSession, galaxy_of: BuildGalaxy) -> None:
    """In every session, in the very step that it would have been in, and as an event of its own."""
    galaxy = galaxy_of(_COUNTER % ", resume: 5s")
    writer, reader = make_session(galaxy), make_session(galaxy)
    written, watched = writer.advised("O.X"), reader.advised("O.X")
    before = reader.read("O.X").value
    writer.write(written, i4(-7))
    held = [event for event in reader.advance(4.5) if isinstance(event, Change) and event.item == watched]
    assert [event.value for event in held] == [-7]
    after = [event for event in reader.advance(3.0) if isinstance(event, Change) and event.item == watched]
    assert [event.value for event in after][:1] == [(before + 5) % 100_000]
    assert len(after) in (3, 4)
    assert after[0].timestamp_ns >= held[0].timestamp_ns + 5 * 10**9


def test_without_it_a_write_stays(make_session: MakeSession, galaxy_of: BuildGalaxy) -> None:
    session = make_session(galaxy_of(_COUNTER % ""))
    session.write(session.advised("O.X"), i4(-7))
    session.advance(60)
    assert session.read("O.X").value == -7


def test_a_galaxys_switch_lets_all_signals_go_on(make_session: MakeSession, galaxy_of: BuildGalaxy) -> None:
    """A signal's own word wins over it, and what has no signal stays."""
    galaxy = galaxy_of(_COUNTER % "" + ", Y: {type: Integer}, " + (_COUNTER % ", resume: 30s").replace("X:", "Z:"))
    session = make_session(galaxy, switches={"signal_resume_ms": "2000"})
    for name in "XYZ":
        session.write(session.advised(f"O.{name}"), i4(-7))
    session.advance(3)
    assert [session.read(f"O.{name}").value == -7 for name in "XYZ"] == [False, True, True]


def test_what_follows_and_what_alarms_goes_on_with_it(make_session: MakeSession, galaxy_of: BuildGalaxy) -> None:
    """A write counts for them as long as it stands."""
    galaxy = galaxy_of(
        "X: {type: Boolean, signal: {kind: constant, resume: 5s}, alarm: true},"
        " Y: {type: Float, signal: {kind: follow, source: X, lag: 1s}}"
    )
    session = make_session(galaxy)
    session.advised("O.Y")
    session.write(session.advised("O.X"), boolean(True))
    session.advance(4.5)
    assert session.read("O.X.InAlarm").value is True
    assert session.read("O.Y").value > 0.9
    session.advance(10)
    assert session.read("O.X.InAlarm").value is False
    assert session.read("O.Y").value == 0.0


def test_a_write_after_it_went_on_starts_anew(make_session: MakeSession, galaxy_of: BuildGalaxy) -> None:
    session = make_session(galaxy_of(_COUNTER % ", resume: 2s"))
    handle = session.advised("O.X")
    for value in (-1, -2):
        session.write(handle, i4(value))
        session.advance(1.5)
        assert session.read("O.X").value == value
        session.advance(1.0)
        assert session.read("O.X").value > 0
