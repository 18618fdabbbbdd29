"""What is counted: each kind by itself, and distributions that tell no more than they know."""

from __future__ import annotations

import pytest

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.commands import COMMANDS
from mxgateway_server.counters import GROUPS, OTHER, CommandCounters, Distribution, Tally, group_of


def test_each_kind_has_its_own_counts_and_a_group() -> None:
    counters = CommandCounters()
    for kind, facts in COMMANDS.items():
        counters.of(kind).started += 1
        assert group_of(facts) in GROUPS
    assert [each.name for each in counters.all] == [facts.payload for facts in COMMANDS.values()]
    assert counters.of(54321) is counters.of(54322)
    counters.of(54321).refused += 1
    assert counters.all[-1].name == OTHER


@pytest.mark.parametrize(
    ("kind", "group"),
    [
        ("ADD_ITEM2", "com"),
        ("WRITE", "write"),
        ("WRITE_SECURED", "secured"),
        ("READ_BULK", "bulk_read"),
        ("WRITE_SECURED_BULK", "bulk_write"),
        ("PING", "control"),
        ("SHELVE_ALARM", "alarm"),
    ],
)
def test_kinds_are_timed_with_their_like(kind: str, group: str) -> None:
    assert group_of(COMMANDS[pb.MxCommandKind.Value(f"MX_COMMAND_KIND_{kind}")]) == group


def test_a_distribution_knows_its_places_and_a_bound_for_any_share() -> None:
    seconds = Distribution((0.1, 1.0))
    assert seconds.quantile(0.5) == 0
    for value in (0.05, 0.1, 0.7, 30.0):
        seconds.observe(value)
    assert (seconds.counts, seconds.count, round(seconds.total, 2)) == ([2, 1, 1], 4, 30.85)
    assert [seconds.quantile(share) for share in (0.5, 0.75, 1.0)] == [0.1, 1.0, 1.0]


def test_a_word_that_never_came_is_nought() -> None:
    tally = Tally()
    tally["fault"] += 2
    assert (tally["fault"], tally["client-close"], dict(tally)) == (2, 0, {"fault": 2})
