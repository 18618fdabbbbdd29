"""What signals look at has to be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import parse_description
from mxgateway_simulator.errors import GalaxyDescriptionError

_REST = """
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  A: {template: $Area, host: E}
  O: {template: $T, area: A}
"""


def build(tmp_path: Path, attributes: str, more: str = "", instances: str = "") -> None:
    text = "galaxy: G\ntemplates:\n  $V: {attributes: {Position: {type: Float}}}\n  $T:\n    attributes:\n"
    text += f"      Level: {{type: Float}}\n      Levels: {{type: Float, array: 3}}\n      X: {attributes}\n"
    text += f"    contains: {{Inlet: {{template: $V}}}}\n{more}{_REST}{instances}"
    build_galaxy(parse_description(text, "g.yaml"), tmp_path / "g.db")


@pytest.mark.parametrize(
    "source",
    [
        "Level", "LEVEL", "Level.Value", "Level.00", "Levels[2]", "Levels[]", "ScanState", "AlarmMode",
        "Inlet.Position", "inlet.position", "Me.Level", "O.Level", "O.Inlet.Position", "O_Inlet.Position",
        "E.Scheduler.ScanPeriod",
        "MyArea.AlarmsActive", "MyEngine.ProcessId", "MyPlatform.CPULoad", "MyHost.ScanState", "attribute(Level)",
        "O.attribute(Level)", "X",
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["source", "when"])
def test_what_the_run_time_finds_may_be_looked_at(tmp_path: Path, source: str, key: str) -> None:
    """Own attributes, built-in ones, those of contained objects, full references and relative ones."""
    more = f", source: Level, when: '{source}'" if key == "when" else f", source: '{source}'"
    build(tmp_path, f"{{type: Float, signal: {{kind: follow{more}}}}}")


@pytest.mark.parametrize("kind", ["follow", "limit, above: 1"])
@pytest.mark.parametrize(
    "source",
    [
        "Nope",
        "Levle",
        "Inlet.Nope",
        "Outlet.Position",
        "O.Nope",
        "Q.Level",
        "MyContainer.Level",
        "MyArea.Level",
        "a..b",
    ],
)
def test_what_is_not_there_is_refused_with_its_line(tmp_path: Path, source: str, kind: str) -> None:
    with pytest.raises(GalaxyDescriptionError, match=r"signal\.source") as caught:
        build(tmp_path, f"{{type: Float, signal: {{kind: {kind}, source: '{source}'}}}}")
    assert caught.value.line == 8


def test_a_gate_that_is_not_there_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(GalaxyDescriptionError, match=r"signal\.when: there is no attribute 'Running'"):
        build(tmp_path, "{type: Float, signal: {kind: sine, when: Running}}")


def test_a_near_name_is_offered(tmp_path: Path) -> None:
    with pytest.raises(GalaxyDescriptionError, match="did you mean 'level'"):
        build(tmp_path, "{type: Float, signal: {kind: follow, source: Levl}}")


def test_an_instance_is_judged_by_what_it_has_itself(tmp_path: Path) -> None:
    """And its attributes count for others."""
    own = "  Q: {template: $V, area: A, attributes: {B: {type: Float, signal: {kind: follow, source: C}}"
    own += ", C: {type: Float}}}\n"
    build(tmp_path, "{type: Float, signal: {kind: follow, source: Q.C}}", instances=own)
    with pytest.raises(GalaxyDescriptionError, match="there is no attribute 'C' of Q"):
        build(tmp_path, "{type: Float}", instances=own.replace(", C: {type: Float}", ""))


def test_a_template_that_others_complete_need_not_be_whole(tmp_path: Path) -> None:
    """Only what instances have counts; a template that nobody completes is judged like one with instances."""
    base = "  $Base: {attributes: {Y: {type: Float, signal: {kind: follow, source: Given}}}}\n"
    whole = "  $Whole: {derivedFrom: $Base, attributes: {Given: {type: Float}}}\n"
    build(tmp_path, "{type: Float}", more=base + whole)
    with pytest.raises(GalaxyDescriptionError, match=r"templates\.\$Base\.attributes\.Y"):
        build(tmp_path, "{type: Float}", more=base)


def test_an_override_replaces_what_the_parent_looked_at(tmp_path: Path) -> None:
    base = "  $Base: {attributes: {Y: {type: Float, signal: {kind: follow, source: Given}}}}\n"
    other = "  $Other: {derivedFrom: $Base, attributes: {Y: {signal: {kind: sine}}}}\n"
    build(tmp_path, "{type: Float}", more=base + other)


@pytest.mark.parametrize(
    "templates",
    [
        "{$T: {contains: {X: {template: $T}}}}",
        "{$T: {contains: {X: {template: $U}}}, $U: {contains: {Y: {template: $T}}}}",
        "{$T: {contains: {X: {template: $U}}}, $U: {derivedFrom: $T}}",
        "{$T: {derivedFrom: $U}, $U: {derivedFrom: $t}}",
        "{$T: {contains: {X: {template: $U}}}, $U: {contains: {Y: {template: $W}}}, $W: {derivedFrom: $T}}",
    ],
)
def test_a_template_that_holds_itself_is_refused(tmp_path: Path, templates: str) -> None:
    """By containing, by deriving, or by any way of both."""
    with pytest.raises(GalaxyDescriptionError, match=r"g\.yaml: line 1: .*contains itself .* break the circle"):
        build_galaxy(parse_description(f"{{galaxy: G, templates: {templates}}}", "g.yaml"), tmp_path / "g.db")
