"""What `mxgateway doctor` says of Galaxy database, clocks, ports, and how people sign in."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from mxgateway_server.cli.surroundings import ConfiguredSurroundings
from mxgateway_server.config.settings import Settings
from mxgateway_server.node.facts import CollectorFacts, DoorFacts, GalaxyFacts, Listening, Wanted
from mxgateway_server.node.findings import Finding, Level
from mxgateway_server.node.surroundings import examine_surroundings
from mxgateway_server.state import hold_state

WANTED = Wanted("", "", "1", "C:\\state", addresses=(Listening("listen", "0.0.0.0:5001"),))


@dataclass
class Around:
    """Surroundings that a test makes up; healthy until it changes them."""

    facts: GalaxyFacts = field(default_factory=lambda: GalaxyFacts("mssql://node/ZB", ahead=0.1))
    refused: str = ""
    runs: bool = False
    ways: tuple[DoorFacts, ...] = ()
    traced: CollectorFacts | None = None

    def doors(self) -> list[DoorFacts]:
        return list(self.ways)

    def collector(self) -> CollectorFacts | None:
        return self.traced

    def galaxy(self) -> GalaxyFacts:
        return self.facts

    def why_not_listen(self, address: str) -> str:
        return self.refused

    def is_running(self) -> bool:
        return self.runs


def found(around: Around, wanted: Wanted = WANTED) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine_surroundings(around, wanted)}


def test_healthy_surroundings_have_no_remedy() -> None:
    assert {finding.level for finding in found(Around()).values()} == {Level.OK}


@pytest.mark.parametrize(
    ("around", "check", "level", "text", "remedy"),
    [
        (Around(GalaxyFacts("mssql://n/ZB", "Login failed")), "Galaxy database", Level.ERROR, "Login failed", "reader"),
        (Around(GalaxyFacts("", "no such file")), "Galaxy database", Level.ERROR, "no such file", "connection_string"),
        (Around(GalaxyFacts("x", ahead=2.5)), "clocks", Level.WARNING, "2.5 s ahead of this one", "w32tm"),
        (Around(GalaxyFacts("x", ahead=-61.0)), "clocks", Level.WARNING, "61.0 s behind this one", "chrony"),
        (
            Around(refused="the port is in use"),
            "ports",
            Level.ERROR,
            "listen = 0.0.0.0:5001: the port",
            "change listen",
        ),
        (
            Around(ways=(DoorFacts("sign-in by LDAP", "ldaps://dc1: refused", "correct it"),)),
            "sign-in by LDAP",
            Level.WARNING,
            "refused",
            "correct it",
        ),
    ],
)
def test_what_is_wrong_has_one_remedy(around: Around, check: str, level: Level, text: str, remedy: str) -> None:
    findings = found(around)
    told = [finding for finding in findings.values() if finding.remedy]
    assert [finding.check for finding in told] == [check]
    assert findings[check].level is level
    assert text in findings[check].found
    assert remedy in findings[check].remedy


def test_what_does_not_apply_is_left_out() -> None:
    assert found(Around(GalaxyFacts("a file")))["clocks"].level is Level.SKIPPED
    assert found(Around(refused="in use", runs=True))["ports"].level is Level.SKIPPED
    assert found(Around(), replace(WANTED, addresses=()))["ports"].level is Level.OK


def test_the_configured_ones_are_this_machines(tmp_path: Path) -> None:
    """A port that is taken, a gateway that runs, a Galaxy that is yet to be built, and one that is not there."""
    around = ConfiguredSurroundings(Settings(state_dir=str(tmp_path)))
    assert "built at the first start" in around.galaxy().place
    assert not (tmp_path / "galaxy").exists()
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert "in use" in around.why_not_listen(f"127.0.0.1:{server.getsockname()[1]}")
    assert not around.is_running()
    with hold_state(tmp_path, shared=False):
        assert around.is_running()


def test_a_secret_of_the_galaxy_is_not_told(tmp_path: Path) -> None:
    url = "mssql+pytds://plant:Hidden-1@127.0.0.1:9/ZB"
    settings = Settings(state_dir=str(tmp_path), galaxy={"connection_string": url, "connect_timeout_seconds": 0.2})  # type: ignore[arg-type]
    facts = ConfiguredSurroundings(settings).galaxy()
    assert "127.0.0.1" in facts.place
    assert facts.problem
    assert "Hidden-1" not in repr(facts)


def test_a_collector_that_nobody_reaches_is_a_warning_and_none_that_is_wanted_is_not_told() -> None:
    away = CollectorFacts("http://collector:4317", "Connection refused", "start one")
    assert found(Around(traced=away))["traces"] == Finding(
        Level.WARNING, "traces", "http://collector:4317: Connection refused", "start one"
    )
    assert found(Around(traced=CollectorFacts("http://collector:4317")))["traces"].level is Level.OK
    assert "traces" not in found(Around())
