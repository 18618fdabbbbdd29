"""Commands under way are counted, bounded, and never mixed up."""

from __future__ import annotations

import pytest

from mxgateway_server.errors import PendingLimitError
from mxgateway_server.workers.pending import PendingTable


def test_excess_commands_are_refused_and_name_the_setting() -> None:
    table: PendingTable[str] = PendingTable(2)
    table.add("a", "A")
    table.add("b", "B")
    with pytest.raises(PendingLimitError, match="max_pending_commands_per_session"):
        table.add("c", "C")
    assert table.reply("a") == "A"
    table.add("c", "C")


def test_an_abandoned_command_holds_its_place_until_the_worker_answers_it() -> None:
    table: PendingTable[str] = PendingTable(1)
    table.add("a", "A")
    assert table.abandon("a")
    assert not table.abandon("a")
    assert (len(table), table.in_flight) == (0, 1)
    with pytest.raises(PendingLimitError):
        table.add("b", "B")
    assert table.reply("a") is None
    assert (table.late_replies, table.unknown_replies, table.in_flight) == (1, 0, 0)


def test_a_reply_to_nothing_is_counted_apart_from_a_late_one() -> None:
    table: PendingTable[str] = PendingTable(1)
    assert table.reply("x") is None
    assert (table.late_replies, table.unknown_replies) == (0, 1)


def test_draining_takes_the_waiters_and_forgets_the_abandoned() -> None:
    table: PendingTable[str] = PendingTable(3)
    for name in "ab":
        table.add(name, name)
    table.abandon("a")
    assert table.drain() == ["b"]
    assert table.in_flight == 0
