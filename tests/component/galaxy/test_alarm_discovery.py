"""The watch list of the shipped Galaxies: whatever alarm the plant can have is found in its database."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.simulator.plant.alarm_lab import LabWorker, galaxy_at

from mxgateway_server.alarms.galaxy_view import WatchList, alarms_of, make_watch_list
from mxgateway_server.config.alarm_sections import AlarmSettings
from mxgateway_server.galaxy.index import GalaxyIndex
from mxgateway_server.galaxy.sql_source import SqlGalaxySource
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description
from mxgateway_simulator.plant.alarms.listing import PROVIDER, group_of

SETTINGS = AlarmSettings(default_area="TestArea")
SMALL = """
galaxy: Small
templates:
  $Tank:
    attributes:
      Level: {type: Float, value: 1.0, alarm: {}, analog: {Hi: 90, Minor: 3}, badvalue: {}}
instances:
  P: {template: $WinPlatform}
  E: {template: $AppEngine, host: P}
  Line: {template: $Area, host: E}
  Tank: {template: $Tank, area: Line}
"""


def index_of(path: Path) -> GalaxyIndex:
    source = SqlGalaxySource(f"sqlite:///{path}")
    try:
        return GalaxyIndex(source.read_galaxy())
    finally:
        source.close()


def watched(path: Path, settings: AlarmSettings = SETTINGS) -> WatchList:
    return make_watch_list(settings, alarms_of(index_of(path)))


@pytest.fixture(params=["reference", "plant", "secured"])
def shipped(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "galaxy.db"
    build_galaxy(read_description(request.param), path)
    return path


def test_every_alarm_of_a_shipped_galaxy_is_watched_by_the_name_that_the_alarm_manager_gives_it(
    shipped: Path, tmp_path: Path
) -> None:
    worker = LabWorker(shipped, tmp_path / "board.db")
    alarms = worker.tags.alarm_table().alarms
    names = {f"{PROVIDER}!{group_of(alarm)}.{alarm.reference}".casefold() for alarm in alarms}
    found = watched(shipped)
    assert names
    assert names <= found.keys
    # What is not turned on is watched as well, and there to be watched.
    for target in found.targets:
        for name in (target.active_subtag, target.acked_subtag, target.ack_comment_subtag, target.time_on_subtag):
            worker.binding(name)
    worker.close()


def test_kinds_that_are_not_wanted_are_left_out_by_a_glob(tmp_path: Path) -> None:
    path = galaxy_at(tmp_path / "small.db", SMALL)
    all_kinds = watched(path)
    assert {target.source_object_reference for target in all_kinds.targets} == {
        f"Tank.Level{below}"
        for below in (
            *("", ".LoLo", ".Lo", ".Hi", ".HiHi", ".Roc.IncreasingHi", ".Roc.DecreasingHi"),
            *(".Dev.Minor", ".Dev.Major", ".Bad"),
        )
    }
    discovery = SETTINGS.fallback.discovery.model_copy(update={"exclude": ("*.Roc.*", "*.LoLo"), "max_alarms": 5})
    fallback = SETTINGS.fallback.model_copy(update={"discovery": discovery})
    few = watched(path, SETTINGS.model_copy(update={"fallback": fallback}))
    assert (len(few.targets), few.left_out) == (5, 2)
    assert not any("Roc" in target.source_object_reference for target in few.targets)
