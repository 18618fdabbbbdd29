"""Lists that show themselves as tables: lists for programs, tables for people, and nothing of the plant is markup."""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.fake_gateway import FakeGateway, ok

from mxgateway import DataChange, Session, WriteOutcome, to_mx_value
from mxgateway.data_change import DataChanges, change_of
from mxgateway.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.results import Events, GalaxyObjects, ReadResults, SubscribeResults, WriteResults

FAILED = pb.MxStatusProxy(success=0, category=pb.MX_STATUS_CATEGORY_SECURITY_ERROR, detail=1012)


def read(tag: str = "A.B", value: Any = 1, quality: int = 192, **fields: Any) -> pb.BulkReadResult:
    result = pb.BulkReadResult(
        tag_address=tag, was_successful=True, value=to_mx_value(value), quality=quality, **fields
    )
    result.source_timestamp.FromNanoseconds(1_767_312_000_000_000_700)
    return result


def rows(table: Any) -> list[list[str]]:
    """Cells of each row of the body, as they stand in the markup."""
    body = table._repr_html_().partition("<tbody>")[2].partition("</tbody>")[0]
    return [re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in re.findall(r"<tr.*?</tr>", body, re.DOTALL)]


def change(**fields: Any) -> DataChange:
    return change_of("A.B", pb.MxEvent(value=to_mx_value(7), quality=192), **fields)


def test_a_table_is_a_list_in_every_respect() -> None:
    """Equality, concatenation and copies are those of a list."""
    entries = [read(), read("C.D")]
    table = ReadResults(entries)
    assert isinstance(table, list)
    assert table == entries
    assert entries == table
    assert table + entries == entries + entries
    assert table[0] is entries[0]
    assert table[-1].tag_address == "C.D"
    assert copy.copy(table) == copy.deepcopy(table) == entries
    assert sorted(table, key=lambda each: each.tag_address) == entries


def test_a_table_shows_itself_in_one_line() -> None:
    """In a console a tag takes a few words, not a dozen lines of protobuf; a long table is cut."""
    assert repr(ReadResults([read(value=12.5)])).startswith("<ReadResults 1: A.B: 12.5, Good (192), ")
    assert repr(ReadResults()) == "<ReadResults empty>"
    assert repr(ReadResults([read()] * 25)).endswith(", … and 5 more>")
    assert "\n" not in repr(Events([pb.MxEvent()])) + repr(SubscribeResults([pb.SubscribeResult(tag_address="A.B")]))


def test_a_slice_is_a_table() -> None:
    """What a user cuts out in the next cell is shown as a table too."""
    assert isinstance(ReadResults([read(), read()])[:1], ReadResults)


def test_read_results_show_value_quality_in_words_and_time() -> None:
    """A good result shows its value, quality word and name, and the source time with all its digits."""
    table = ReadResults([read(value=12.5, was_cached=True)])
    assert rows(table) == [["A.B", "12.5", "Good (192)", "2026-01-02T00:00:00.000000700Z", "yes"]]
    assert "<b>1 result</b>" in table._repr_html_()
    assert "not good" not in table._repr_html_()


SECURED = "SECURITY_ERROR detail 1012 (needs a secured write, with the operator&#x27;s credentials)"


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (pb.BulkReadResult(tag_address="X.Y", error_message="timed out"), "timed out"),
        (pb.BulkReadResult(tag_address="X.Y"), "failed"),
        (pb.BulkReadResult(tag_address="X.Y", error_message="detail 1012", statuses=[FAILED]), SECURED),
        (read("X.Y", quality=8), "BadNotConnected"),
        (read("X.Y", quality=64), "Uncertain"),
        (read("X.Y", statuses=[FAILED]), SECURED),
    ],
    ids=["failed", "failed without a text", "failed with a status", "bad", "uncertain", "status"],
)
def test_what_is_not_good_is_marked_with_its_reason(entry: pb.BulkReadResult, problem: str) -> None:
    """The row of a failed read, or of one that is not good, says why in words and not by colour alone."""
    table = ReadResults([read(), entry])
    assert "1 not good" in table._repr_html_()
    assert table._repr_html_().count("<tr style=") == 1
    good, wrong = rows(table)
    assert good[-1] == ""
    assert wrong[0] == "X.Y"
    assert wrong[-1] == problem


def test_a_failed_read_shows_no_value() -> None:
    """A value beside a failure would be taken for one."""
    entry = read(value=99)
    entry.was_successful = False
    assert "99" not in ReadResults([entry])._repr_html_()


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=y>', "a & b"])
def test_nothing_of_the_plant_is_markup(hostile: str) -> None:
    """Names, values and messages are escaped in every table."""
    failing = pb.BulkReadResult(tag_address=hostile, error_message=hostile)
    event = pb.MxEvent(family=pb.MX_EVENT_FAMILY_ON_DATA_CHANGE, value=to_mx_value(hostile), quality=192)
    tables: list[Any] = [
        ReadResults([read(hostile, hostile), failing]),
        SubscribeResults([pb.SubscribeResult(tag_address=hostile, error_message=hostile)]),
        WriteResults([pb.BulkWriteResult(error_message=hostile)]),
        Events([event]),
        DataChanges([change_of(hostile, event)]),
        GalaxyObjects([galaxy_pb.GalaxyObject(tag_name=hostile, contained_name=hostile, template_chain=[hostile])]),
        change_of(hostile, event),
        WriteOutcome(hostile, to_mx_value(hostile), event, event),
    ]
    for table in tables:
        html = table._repr_html_()
        assert hostile not in html
        assert "&" in html


def test_refused_entries_show_hresult_and_message() -> None:
    """Refusals of the other bulk calls carry their HRESULT as engineers write it."""
    refused = pb.SubscribeResult(tag_address="A.B", hresult=-2147024809, error_message="invalid")
    assert rows(SubscribeResults([refused])) == [["A.B", "0", "0x80070057 invalid"]]
    taken = pb.BulkWriteResult(item_handle=3, was_successful=True, hresult=0)
    denied = pb.BulkWriteResult(item_handle=4, error_message="not allowed")
    assert rows(WriteResults([taken, denied])) == [["3", "yes", ""], ["4", "no", "not allowed"]]


def test_events_and_gaps() -> None:
    """Events show their kind in words; completions have no value; the marker of lost events says so."""
    first = pb.MxEvent(worker_sequence=1, family=pb.MX_EVENT_FAMILY_ON_DATA_CHANGE, item_handle=2, quality=192)
    first.value.CopyFrom(to_mx_value(True))
    completed = pb.MxEvent(worker_sequence=2, family=pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE, statuses=[FAILED])
    gap = pb.MxEvent(replay_gap=pb.ReplayGap(dropped_events=3))
    shown = rows(Events([first, completed, gap]))
    assert [row[1] for row in shown] == ["on data change", "on write complete", "replay gap"]
    assert shown[0][3:5] == ["True", "Good (192)"]
    assert shown[1][3:] == ["", "", "", SECURED]
    assert shown[2][-1] == "events were lost here"


def test_an_event_of_an_unknown_family_is_shown_by_number() -> None:
    """A newer gateway's events do not break the table."""
    event = pb.MxEvent()
    event.family = 77  # type: ignore[assignment]
    assert rows(Events([event]))[0][1] == "77"


def test_changes_say_how_they_came() -> None:
    """Live, replayed and recovered changes, and what was lost before one, can be told apart."""
    table = DataChanges([change(), change(replayed=True), change(recovered=True)])
    assert [row[4] for row in rows(table)] == ["live", "replayed", "recovered"]
    lost = DataChange(
        tag="A.B",
        value=1,
        quality=192,
        source_timestamp=datetime(2026, 1, 2, tzinfo=UTC),
        statuses=(),
        worker_sequence=5,
        replayed=False,
        recovered=False,
        lost_before=4,
        raw=pb.MxEvent(),
    )
    assert rows(DataChanges([lost]))[0][4] == "live, 4 lost before it"
    assert "<b>1 change</b>" in change()._repr_html_()


def test_long_lists_and_values_are_shortened() -> None:
    """A table of thousands shows 200 rows and counts all, failures beyond them included; a long value is cut."""
    table = ReadResults([read(value="x" * 5000)] * 999 + [pb.BulkReadResult(tag_address="last")])
    assert len(rows(table)) == 200
    html = table._repr_html_()
    assert "1000 results" in html
    assert "1 not good" in html
    assert "800 more" in html
    assert "x" * 200 not in html


def test_an_empty_list_is_a_table_without_rows() -> None:
    """No results are no error."""
    assert rows(ReadResults()) == []
    assert "0 results" in ReadResults()._repr_html_()


async def test_the_bulk_calls_and_drain_events_return_tables(gateway: FakeGateway, session: Session) -> None:
    """Each result list of a session has its table."""
    assert isinstance(await session.read_bulk(1, ["A.B"]), ReadResults)
    assert isinstance(await session.subscribe_bulk(1, ["A.B"]), SubscribeResults)
    assert isinstance(await session.write_bulk(1, [(1, 2)]), WriteResults)
    drained = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    drained.drain_events.events.add(worker_sequence=1)
    gateway.answer("drain_events", drained)
    assert isinstance(await session.drain_events(), Events)
