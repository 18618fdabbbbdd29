"""Lines of the log are written by a thread: a full pipe or a lost disk stops nobody, and what is lost is counted."""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from tests.support.waiting import wait_until

from mxgateway_server import logs
from mxgateway_server.log_writer import LogRing, LogWriter


@pytest.fixture
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def record(text: str, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("x", level, "", 0, text, None, None)


def test_lines_come_in_order_and_the_last_ones_are_not_lost_at_the_end() -> None:
    lines: list[str] = []
    writer = LogWriter(lines.append)
    for number in range(500):
        writer.emit(record(str(number)))
    writer.close()
    assert lines == [f"{number}\n" for number in range(500)]


def test_a_reader_that_is_stuck_stops_nobody_and_what_is_dropped_is_counted() -> None:
    let_go, begun = threading.Event(), threading.Event()
    written: list[str] = []

    def stuck(text: str) -> None:
        begun.set()
        let_go.wait()
        written.append(text)

    ring = LogRing()
    writer = LogWriter(stuck, capacity=2, ring=ring)
    writer.emit(record("first"))
    begun.wait()
    for number in range(5):
        writer.emit(record(str(number)))
    writer.emit(record("warning", logging.WARNING))
    assert ring.dropped == 4
    let_go.set()
    writer.close()
    assert written == ["first\n", "0\n", "1\n"]


def test_stderr_that_fails_is_counted_and_the_file_goes_on(tmp_path: Path) -> None:
    def broken(_: str) -> None:
        raise BrokenPipeError

    writer = LogWriter(broken, file=tmp_path / "gateway.log")
    writer.emit(record("one"))
    writer.emit(record("two"))
    writer.close()
    assert writer.unwritten == 2
    assert (tmp_path / "gateway.log").read_text() == "one\ntwo\n"


def test_the_file_is_put_aside_when_it_is_long_and_only_so_many_are_kept(tmp_path: Path) -> None:
    writer = LogWriter(lambda _: None, file=tmp_path / "gateway.log", max_bytes=100, count=2)
    for number in range(20):
        writer.emit(record(f"{number:050d}"))
    writer.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gateway.log", "gateway.log.1", "gateway.log.2"]
    assert all(path.stat().st_size <= 100 for path in tmp_path.iterdir())
    assert (tmp_path / "gateway.log").read_text().endswith("19\n")


def test_two_gateways_may_write_into_one_file_and_put_it_aside(tmp_path: Path) -> None:
    file = tmp_path / "gateway.log"
    writers = [LogWriter(lambda _: None, file=file, max_bytes=200, count=50) for _ in range(2)]
    for number in range(100):
        for name, writer in zip("ab", writers, strict=True):
            writer.emit(record(f"{name} {number}"))
            writer.flush_for(10.0)
    for writer in writers:
        writer.close()
    lines = [line for each in tmp_path.iterdir() for line in each.read_text().splitlines()]
    assert sorted(lines) == sorted(f"{name} {number}" for name in "ab" for number in range(100))
    assert [writer.unwritten for writer in writers] == [0, 0]


def test_a_folder_that_goes_and_comes_back_is_taken_up_again(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    writer = LogWriter(lambda _: None, file=folder / "gateway.log", max_bytes=10)
    writer.emit(record("a line that is long"))
    wait_until(lambda: (folder / "gateway.log").exists())
    shutil.rmtree(folder)
    writer.emit(record("lost"))
    wait_until(lambda: writer.unwritten > 0)
    folder.mkdir()
    writer.emit(record("there again"))
    writer.close()
    assert "there again" in (folder / "gateway.log").read_text()


def test_under_the_journal_each_line_has_its_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = (tmp_path / "journal").open("w+")
    kept = os.dup(2)
    try:
        os.dup2(target.fileno(), 2)
        there = os.fstat(2)
        monkeypatch.setenv("JOURNAL_STREAM", f"{there.st_dev}:{there.st_ino}")
        monkeypatch.setattr("sys.stderr", target)
        writer = LogWriter()
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            writer.emit(record("x", level))
        writer.close()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    target.seek(0)
    assert target.read().split() == ["<7>x", "<6>x", "<4>x", "<3>x"]
    target.close()


def test_the_ring_keeps_the_last_and_counts_all() -> None:
    ring = LogRing(3)
    for number in range(5):
        ring.add({"event": "tick", "level": "info", "number": number})
    ring.add({"event": "tock", "level": "error"})
    assert [each.facts.get("number") for each in ring.after()] == [3, 4, None]
    assert [each.event for each in ring.after(5)] == ["tock"]
    assert [each.event for each in ring.after(limit=1)] == ["tock"]
    assert (ring.counts, ring.newest) == ({"info": 5, "error": 1}, 6)
    ring.resize(1)
    assert len(ring.after()) == 1


@pytest.mark.usefixtures("_restored")
def test_a_record_has_what_is_known_of_its_moment_its_keys_in_order_and_no_secret() -> None:
    lines: list[str] = []
    writer = LogWriter(lines.append)
    known = {"correlation_id": "c-1", "key_id": "line4"}

    def context() -> dict[str, str]:
        return known

    logs.configure("info", "json", writer=writer)
    logs.add_context(context)
    try:
        logs.get_logger("x").info("happened", zebra=1, apple="password=SENTINEL", session_id="s", key_id="own")
    finally:
        logs.remove_context(context)
    writer.close()
    (line,) = lines
    assert "SENTINEL" not in line
    assert list(json.loads(line)) == [
        "timestamp",
        "level",
        "event",
        "logger",
        "session_id",
        "correlation_id",
        "key_id",
        "apple",
        "zebra",
    ]
    assert json.loads(line)["key_id"] == "own"
    kept = logs.recent.after()[-1]
    assert (kept.event, kept.level, kept.facts["correlation_id"]) == ("happened", "info", "c-1")
    assert "SENTINEL" not in str(kept)


@pytest.mark.usefixtures("_restored")
def test_the_level_changes_at_run_time() -> None:
    lines: list[str] = []
    writer = LogWriter(lines.append)
    logs.configure("warning", "json", writer=writer)
    log = logs.get_logger("x")
    log.info("one")
    logs.set_level("debug")
    assert logs.level() == "debug"
    log.debug("two")
    writer.close()
    assert [json.loads(line)["event"] for line in lines] == ["two"]


def test_whoever_is_about_to_be_replaced_can_wait_for_what_waits_and_not_for_ever() -> None:
    lines: list[str] = []
    may_write = threading.Event()

    def write(line: str) -> None:
        may_write.wait()
        lines.append(line)

    writer = LogWriter(write)
    writer.emit(record("last words"))
    writer.flush_for(0.01)
    assert lines == []
    may_write.set()
    writer.flush_for(20)
    assert [line.strip() for line in lines] == ["last words"]
    writer.close()
