"""The live table's model and drawing, and the demo's choice of tags."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from tests.support.fake_gateway import data_change

from mxgateway import GalaxyAttribute, GalaxyObject
from mxgateway.data_change import change_of
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.demo_plan import plan
from mxgateway_cli.live_table import LiveTable
from mxgateway_cli.watch_board import RATE_WINDOW, TagBoard


def take(board: TagBoard, tag: str, event: pb.MxEvent, now: float) -> None:
    board.take(change_of(tag, event, sequence=event.worker_sequence), now)


def test_rows_follow_changes() -> None:
    """A change sets value, quality, age and rate of its row."""
    board = TagBoard(["A.B", "A.C"])
    assert (board.waiting, board.good) == (2, 0)
    take(board, "A.B", data_change(1), 100.0)
    take(board, "A.B", data_change(2), 101.0)
    take(board, "A.C", data_change(4, quality=0), 102.0)
    row = board.rows["A.B"]
    assert (row.text, row.quality_text, row.changes) == ("2", "Good", 2)
    assert row.age(103.0) == 2.0
    assert row.rate(103.0) == 1 / 3, "one change in the three seconds since the first value"
    assert row.rate(101.0 + RATE_WINDOW + 1) == 0
    assert (board.events, board.good, board.waiting) == (3, 1, 0)


def test_failures_and_losses_are_shown() -> None:
    """A refused tag and a failed reference say why; lost events are counted."""
    board = TagBoard(["A.B", "A.C"])
    board.refuse({"A.B": "denied"})
    assert (board.rows["A.B"].quality_text, board.rows["A.B"].good) == ("denied", False)
    event = data_change(1, quality=0)
    event.statuses[0].CopyFrom(
        pb.MxStatusProxy(success=0, category=pb.MX_STATUS_CATEGORY_CONFIGURATION_ERROR, detail=6)
    )
    board.take(replace(change_of("A.C", event, sequence=1), lost_before=5), 1.0)
    assert (
        board.rows["A.C"].quality_text
        == "CONFIGURATION_ERROR detail 6 (the reference is invalid, or its object is not deployed)"
    )
    assert board.lost == 5


def test_a_board_of_a_subscription_shows_the_newest_value() -> None:
    """An event that comes late does not replace a newer value; refused tags and losses are shown."""
    board = TagBoard(["A.B", "A.C"])
    board.refuse({"A.C": "denied"})
    assert (board.waiting, board.rows["A.C"].quality_text) == (1, "denied")
    board.take(change_of("A.B", data_change(9), sequence=9), 1.0)
    row = board.take(change_of("A.B", data_change(8), sequence=8, replayed=True), 2.0)
    assert (row.text, row.changed_at, row.changes, board.events) == ("9", 1.0, 2, 2)
    board.take(change_of("A.C", data_change(10), sequence=10), 3.0)
    assert (board.good, board.rows["A.C"].quality_text) == (2, "Good")


def test_a_table_shows_that_its_values_are_stale() -> None:
    """While there is no connection no quality is shown as if it were of now, and the footer says why."""
    board = TagBoard(["A.B", "A.C"])
    board.take(change_of("A.B", data_change(7), sequence=7), 10.0)
    table = LiveTable("title")
    table._console = Console(file=io.StringIO(), width=100, height=20)
    board.is_stale = True
    table.footer[:] = ["reconnecting for 3 s: gone"]
    table._console.print(table._render(board, 10.5))
    drawn = table._console.file.getvalue()  # type: ignore[attr-defined]
    assert "stale" in drawn
    assert "Good" not in drawn
    assert "waiting" in drawn
    assert "reconnecting for 3 s: gone" in drawn


def test_a_line_stands_above_the_table_and_stays() -> None:
    """A line of stderr would move the cursor behind the table's back."""
    table = LiveTable("title")
    text = io.StringIO()
    console = Console(width=60, height=20, force_terminal=True, file=text)
    table._console = table._live.console = console
    with table:
        table.update(TagBoard(["A.B"]), 0.0)
        table.tell("12:00 reconnecting: [gone]")
    shown = text.getvalue()
    erased = shown.index("\x1b[2K")
    assert erased < shown.index("12:00 reconnecting: [gone]") < shown.rindex("title")


def test_table_draws_what_fits() -> None:
    """The table shows rows in order as far as they fit, and says how many do not."""
    board = TagBoard(f"Tag_{n:02}.PV" for n in range(40))
    take(board, "Tag_00.PV", data_change(7), 10.0)
    table = LiveTable("title")
    table._console = Console(file=io.StringIO(), width=100, height=20)
    table._console.print(table._render(board, 10.5))
    drawn = table._console.file.getvalue()  # type: ignore[attr-defined]
    assert "Tag_00.PV" in drawn
    assert "Tag_39.PV" not in drawn
    assert "more tags do not fit" in drawn
    assert "40 tags, 1 good, 1 events" in drawn


def drawn_rows(board: TagBoard, width: int, height: int = 30) -> list[str]:
    table = LiveTable("title")
    table._console = Console(file=io.StringIO(), width=width, height=height)
    table._console.print(table._render(board, 10.5))
    return table._console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


def failing(tag: str) -> pb.MxEvent:
    event = data_change(1, quality=0)
    event.statuses[0].CopyFrom(
        pb.MxStatusProxy(success=0, category=pb.MX_STATUS_CATEGORY_CONFIGURATION_ERROR, detail=6)
    )
    return event


@pytest.mark.parametrize("width", [80, 140, 160])
def test_columns_are_as_wide_as_what_stands_in_them(width: int) -> None:
    """Short values leave their room to long names; a name that does not fit keeps its end; reasons stand below."""
    long = "TestMachine_001.TestHistoryValue.Alarm.Description"
    board = TagBoard([long, f"{'Very' * 60}.Long_1", "A.Missing"])
    take(board, long, data_change(7), 10.0)
    take(board, "A.Missing", failing("A.Missing"), 10.0)
    lines = drawn_rows(board, width)
    assert all(len(line) <= width for line in lines)
    row = next(line for line in lines if "Good" in line)
    assert (long in row) == (width > 80)
    assert "_001.TestHist" in row
    assert "Description" in row
    assert any(".Long_1" in line for line in lines)
    assert "A.Missing: CONFIGURATION_ERROR detail 6 (the reference is invalid" in " ".join(lines)


def test_what_is_not_good_is_seen_where_not_all_fits() -> None:
    board = TagBoard(f"Tag_{n:02}.PV" for n in range(60))
    for n in range(60):
        take(board, f"Tag_{n:02}.PV", data_change(1, quality=0 if n == 57 else 192), 10.0)
    assert any("Tag_57.PV" in line for line in drawn_rows(board, 80, 24))


@pytest.mark.parametrize("seconds", [1, 3, 9, 30])
def test_a_rate_is_right_from_the_first_seconds_on(seconds: int) -> None:
    """The first value is no change, and what has not passed yet does not count as quiet."""
    board = TagBoard(["A.B"])
    for second in range(seconds + 1):
        take(board, "A.B", data_change(second), float(second))
    assert board.rows["A.B"].rate(float(seconds)) == pytest.approx(1.0, abs=0.11)


@pytest.mark.parametrize(("width", "shown", "hidden"), [(80, "0.0/s", "…"), (60, "0.5 s", "rate"), (40, "Good", "age")])
def test_a_narrow_table_leaves_columns_out(width: int, shown: str, hidden: str) -> None:
    """Value, quality and the tag stay whole where there is room for them alone."""
    board = TagBoard(["Tank_1.PV"])
    take(board, "Tank_1.PV", data_change(7), 10.0)
    table = LiveTable("title")
    table._console = Console(file=io.StringIO(), width=width, height=20)
    table._console.print(table._render(board, 10.5))
    rows = table._console.file.getvalue().splitlines()[:6]  # type: ignore[attr-defined]
    assert "Tank_1.PV" in "".join(rows)
    assert shown in "".join(rows)
    assert hidden not in "".join(rows)


def attribute(owner: str, name: str, data_type: int = 3, historized: bool = True) -> GalaxyAttribute:
    return GalaxyAttribute(
        attribute_name=name,
        full_tag_reference=f"{owner}.{name}",
        mx_data_type=data_type,
        is_historized=historized,
    )


def test_demo_takes_a_set_point_and_many_objects() -> None:
    """The plan has the set point and what follows it first, then one tag of each object in turn, each once."""
    objects = [GalaxyObject(tag_name="Loop", attributes=[attribute("Loop", n) for n in ("SP", "PV")])]
    for number in range(5):
        name = f"Tank_{number}"
        objects.append(GalaxyObject(tag_name=name, attributes=[attribute(name, n) for n in ("Level", "Pressure")]))
    chosen = plan(objects, 6)
    assert chosen.set_point == "Loop.SP"
    assert chosen.tags == ["Loop.PV", "Loop.SP", "Tank_0.Level", "Tank_1.Level", "Tank_2.Level", "Tank_3.Level"]
    assert (chosen.objects, chosen.attributes) == (6, 12)


def test_demo_of_a_galaxy_without_set_point() -> None:
    """A Galaxy without a set point still gives tags to watch."""
    chosen = plan([GalaxyObject(tag_name="A", attributes=[attribute("A", "Level"), attribute("A", "Name", 5)])], 10)
    assert (chosen.set_point, chosen.tags) == ("", ["A.Level"])
    assert plan([], 10).tags == []
