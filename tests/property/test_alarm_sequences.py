"""Random histories of a plant under faults: for every reader, snapshot and transitions are the list, at every instant.

MXGATEWAY_ALARM_EXAMPLES sets the number of histories (300 without it; `make histories` makes 10,000), and
MXGATEWAY_ALARM_SEED the seed of the first. Each is made from its seed alone, which stands in the message when it fails.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
from tests.property.alarm_readers import OldReader, Reader
from tests.property.alarm_world import FILTERS, STEPS_BY_NAME, World

from mxgateway_server.alarms.feed import Wish
from mxgateway_server.alarms.log import LogLimits
from mxgateway_server.alarms.model import Origin, Provider
from mxgateway_server.alarms.telling import Position

EXAMPLES = int(os.environ.get("MXGATEWAY_ALARM_EXAMPLES", "300"))
FIRST_SEED = int(os.environ.get("MXGATEWAY_ALARM_SEED", "0"))
IN_ONE_TEST = 100
"""So many that the rarest way of a reader is among them."""
FAULTLESS = (
    "plant_step",
    "deliver",
    "deliver_one",
    "reader_step",
    "answer",
    "make_answer",
    "take_answer",
    "pass_calm_time",
)


@pytest.mark.parametrize("part", range(max(1, EXAMPLES // IN_ONE_TEST)))
def test_snapshot_and_transitions_are_the_list_for_every_reader_under_faults(part: int) -> None:
    seen: Counter[str] = Counter()
    first = FIRST_SEED + part * IN_ONE_TEST
    for seed in range(first, first + IN_ONE_TEST):
        world = World(seed)
        world.run()
        world.check_log()
        seen += world.seen
    # Each of the ways on which a reader gets its list was taken.
    ways = ("resumed", "from history", "snapshot", "gap LAGGED", "gap EPOCH", "true", "without manager")
    assert not [way for way in ways if not seen[way]], seen


def test_without_faults_the_log_is_the_plants_own_history() -> None:
    """Nothing lost, doubled, out of order or invented: change by change, and every one of them live."""
    for seed in range(100):
        world = World(seed)
        world.limits, world.has_history = LogLimits(), False
        world.start()
        world.pass_time(0.1)
        world.answer()
        world.plant.history.clear()
        world.run(FAULTLESS)
        told = [(each.alarm.source.reference, each.kind) for each in world.witness.log]
        assert told == [(each.reference, each.kind) for each in world.plant.history], seed
        assert {change.origin for change in world.witness.log} <= {Origin.LIVE}, seed


def test_faults_in_a_calm_plant_change_nothing_for_anybody() -> None:
    """No storm: whatever happens to worker and provider, no transition comes of it; only the statuses say so."""
    for seed in range(100):
        world = World(seed)
        world.settle()
        newest = world.book.log.newest
        before = [len(reader.transitions) for reader in world.readers]
        world.run(tuple(name for name in STEPS_BY_NAME if name not in ("plant_step", "restart_gateway")))
        assert world.book.log.newest == newest, (seed, [(c.kind, c.origin) for c in world.witness.log[-3:]])
        assert [len(reader.transitions) for reader in world.readers] == before, seed


def test_a_switch_and_a_switch_back_are_two_statuses_and_no_transition() -> None:
    for seed in range(50):
        world = World(seed)
        world.settle()
        reader = next(each for each in world.readers if not isinstance(each, OldReader))
        before = (world.book.log.newest, reader.statuses, len(reader.transitions))
        for provider in (Provider.SUBTAG, Provider.ALARMMGR):
            assert world.worker is not None
            world.worker.switch(provider)
            world.deliver()
            world.answer()
            world.read(reader, 1000)
        after = (world.book.log.newest, reader.statuses, len(reader.transitions))
        assert after == (before[0], before[1] + 2, before[2]), seed


def test_a_reader_resumes_after_every_change_of_a_run() -> None:
    """Wherever it stopped: what it has then is the list (edge case 45)."""
    for seed in range(10):
        world = World(seed)
        world.limits, world.has_history = LogLimits(), False
        world.start()
        world.run(FAULTLESS)
        log = world.book.log
        for wanted in FILTERS:
            reader = Reader(Wish(filter=wanted, is_extended=True, snapshot_on_gap=True))
            for sequence in range(log.oldest - 1, log.newest + 1):
                reader.listed = world.expected(sequence, wanted)
                reader.sequence = sequence
                reader.position = Position(log.epoch, sequence, wanted.number)
                reader.open(world.feed, world.now)
                world.read(reader, 1000)
                reader.close(world.feed)
                assert (reader.gaps, reader.markers) == (0, 0)
                assert reader.listed == world.expected(log.newest, wanted), (seed, sequence, wanted)
