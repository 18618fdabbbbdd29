"""Ratios, bars and the documentation's table, from figures that are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from benches.report import BEGIN, END, at, bars, ratios, table, write_docs

MACHINE = {
    "cores": 2,
    "memoryGiB": 8.0,
    "system": "Linux 6",
    "python": "3.11.0",
    "loadAverage": 0.1,
    "versions": {"grpcio": "1.76.0"},
}


def figures(**more: Any) -> dict[str, Any]:
    return {"machine": MACHINE, "secondsPerFigure": 1.0, **more}


GATEWAY = {"gateway": {"eventsPerSecond": 300_000}}
CHAIN = {"chain": {"eventsPerSecond": 400_000}}


def test_a_path_finds_numbers_only() -> None:
    """Missing parts, texts and truths are no figures."""
    tree = {"a": {"b": 2, "c": "text", "d": True}}
    assert at(tree, "a.b") == 2.0
    assert [at(tree, path) for path in ("a.x", "a.b.x", "a.c", "a.d", "x")] == [None] * 5


def test_a_ratio_needs_both_figures_of_the_run() -> None:
    """What was not measured has no ratio, and a floor of nothing has none either."""
    assert ratios(figures(saturated=GATEWAY)) == {}
    assert ratios(figures(saturated=GATEWAY | CHAIN)) == {"events / forwarding chain": 0.75}
    assert ratios(figures(saturated=GATEWAY | {"chain": {"eventsPerSecond": 0}})) == {}


def test_bars_hold_from_their_side() -> None:
    """A lower bar holds from above, an upper one from below."""
    found = bars(
        figures(
            saturated=GATEWAY | CHAIN,
            transports={
                "commandStream": {"sequential": {"latencyMs": {"p50": 0.8}}},
                "unary": {"sequential": {"latencyMs": {"p50": 1.0}}},
            },
            latency={"1k": {"latencyMs": {"p50": 1.2}}},
        )
    )
    assert found["events / forwarding chain"] == {"value": 0.75, "least": 0.6, "holds": True}
    assert found["command stream p50 / unary p50"] == {"value": 0.8, "most": 0.7, "holds": False}
    assert found["event latency at 1,000/s, p50 ms"]["holds"] is True


def test_the_table_shows_only_what_was_measured() -> None:
    """A row without a figure of ours does not stand there; a missing floor is a dash."""
    text = table(figures(saturated=GATEWAY))
    assert "| events/s, every event decoded | 300 k | – |  | – |" in text
    assert "latency" not in text
    assert "2 cores, 8.0 GiB" in text


def test_the_table_is_written_between_its_marks(tmp_path: Path) -> None:
    """Writing twice leaves the newer figures and everything around them."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_docs(figures(saturated=GATEWAY), page)
    write_docs(figures(saturated={"gateway": {"eventsPerSecond": 5}}), page)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "300 k" not in text
    assert "| events/s, every event decoded | 5 |" in text


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    """The error says which lines are missing."""
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(ValueError, match="figures: begin"):
        write_docs(figures(), page)
