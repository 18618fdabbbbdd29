"""The report of the clients' benches as a reader sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benches.clients.goals import goals
from benches.clients.measured import Table
from benches.clients.page import BEGIN, END, progress, tables, write


def _table() -> Table:
    table = Table()
    for factor in (1.0, 1.1):
        table.add("python", "client", "unary", 1000.0 * factor, cpu=400.0, p50=0.6)
        table.add("go", "client", "unary", 1500.0 * factor, cpu=150.0, p50=0.5)
        table.add("go", "floor", "unary", 1600.0 * factor, cpu=100.0, p50=0.48)
        table.add("go", "client", "events", 100_000.0 * factor**4, cpu=1.5)
    table.add("go", "client", "start", 8.0)
    return table


def _report() -> dict[str, Any]:
    table = _table()
    return {
        "machine": {"cpus": 2, "kernel": "6.1", "loadBefore": 0.5},
        "rounds": 2,
        "seconds": 6.0,
        "failed": {},
        "results": table.report(),
        "goals": [goal.report() for goal in goals(table.rows, ["python", "go"])],
    }


def test_each_language_has_a_column_and_each_figure_its_floor() -> None:
    lines = tables(_report()).splitlines()
    assert "2 cores, Linux 6.1, load average 0.50 before the run, 2 rounds of 6 s" in lines[0]
    assert "| what | python | go |" in lines
    assert "| read of 6 advised tags, unary calls/s | 1,050 | 1,575 / 1,680 |" in lines
    assert "| the same, p50 ms | 0.60 | 0.50 / 0.48 |" in lines
    assert "| the same, CPU µs a call | 400 | 150 / 100 |" in lines
    assert "| start of the CLI, ms |  | 8.00 |" in lines


def test_rounds_that_differ_much_give_a_dash_and_what_nobody_measured_no_row() -> None:
    text = tables(_report())
    assert "| events/s, in batches |  | – |" in text
    assert "DataChanges/s" not in text


def test_goals_say_what_is_met_missed_and_not_measured() -> None:
    lines = tables(_report()).splitlines()
    assert "| CPU of a unary call / floor | not measured | **1.5 (1.5…1.5), missed: ≤ 1.25** |" in lines
    assert "| p50 of a unary call − floor, ms | not measured | 0.02 (0.02…0.02) ≤ 0.03 |" in lines
    assert "| start of the CLI, ms |  | 8 ≤ 20 |" in lines


def test_a_language_that_failed_is_named_with_the_reason() -> None:
    failed = _report() | {"failed": {"java": "building: no network"}}
    assert tables(failed).endswith("\nNot measured to the end: java (building: no network).")
    assert "Not measured to the end" not in tables(_report())


def test_the_line_of_a_round_tells_its_last_figures() -> None:
    line = progress(_table().rows, "go")
    assert line == (
        "go: unary reads 1,650/s (floor 1,760) with 150.00 µs of CPU each (100.00), "
        "events 146 k/s (floor –) with 1.50 µs of CPU each (–)"
    )


def test_the_tables_are_written_between_their_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    write(_report(), page)
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{BEGIN}\n\n2 cores")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
