"""The board: what one session does to the plant, every other session sees."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.unit.simulator.conftest import BuildGalaxy, MakeSession
from tests.unit.simulator.plant_session import Change, array, i4, text

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError
from mxgateway_protocol.variants import VarType
from mxgateway_simulator.errors import BoardError
from mxgateway_simulator.plant.alarms.states import UNTOLD, Acknowledgement, Run
from mxgateway_simulator.plant.alarms.tracking import Track
from mxgateway_simulator.plant.board import Board
from mxgateway_simulator.plant.entries import Dismissed, Entry, Forced, Shelved, Step, Storm, Switched, Written


def _written(value: object) -> Written:
    return Written(value, 192, 5, 6)


def test_a_write_reaches_other_sessions_within_100_ms(make_session: MakeSession) -> None:
    """Session B sees the value that session A wrote after at most 100 ms, stamped with the time of the write."""
    writer, reader = make_session(), make_session()
    written, watched = writer.advised("TestChildObject.TestInt"), reader.advised("testchildobject.testint")
    moment = writer.clock.unix_ns()
    writer.write(written, i4(99))
    seen = [event for event in reader.advance(0.1) if isinstance(event, Change) and event.item == watched]
    assert [(event.value, event.timestamp_ns) for event in seen] == [(99, moment)]


def test_writes_survive_a_restart(make_session: MakeSession) -> None:
    """A session that starts later, alone, reads what an earlier one wrote; arrays keep their new length."""
    writer = make_session()
    writer.write(writer.advised("TestChildObject.TestString"), text("kept"))
    writer.write(writer.advised("TestChildObject.TestIntArray[]"), array(VarType.VT_I4, 7, 8))
    writer.close()
    reader = make_session()
    assert reader.read("TestChildObject.TestString").value == "kept"
    assert reader.read("TestChildObject.TestIntArray[]").value == (7, 8)


def test_an_acknowledgement_is_seen_by_others(make_session: MakeSession) -> None:
    """Writing AckMsg in one session makes Acked true in another."""
    one, other = make_session(), make_session()
    acked = other.advised("TestMachine_001.TestAlarm001.Acked")
    comment = other.advised("TestMachine_001.TestAlarm001.AckMsg")
    one.write(one.advised("TestMachine_001.TestAlarm001.AckMsg"), text("seen"))
    values = {event.item: event.value for event in other.advance(0.1) if isinstance(event, Change)}
    assert values == {acked: True, comment: "seen"}


def test_elements_written_by_two_sessions_do_not_undo_each_other(make_session: MakeSession) -> None:
    """Each element write starts from the newest array, whoever wrote it."""
    one, other = make_session(), make_session()
    first, second = one.advised("TestChildObject.TestIntArray[1]"), other.advised("TestChildObject.TestIntArray[2]")
    one.write(first, i4(101))
    other.write(second, i4(102))
    one.advance(0.1)
    assert one.read("TestChildObject.TestIntArray[]").value[:3] == (101, 102, 3)


def test_the_later_write_wins_in_every_session(make_session: MakeSession) -> None:
    """Two sessions that write one tag end up with the same value."""
    one, other = make_session(), make_session()
    first, second = one.advised("TestChildObject.TestInt"), other.advised("TestChildObject.TestInt")
    one.write(first, i4(1))
    other.write(second, i4(2))
    one.advance(0.1)
    other.advance(0.1)
    assert one.read("TestChildObject.TestInt").value == other.read("TestChildObject.TestInt").value == 2


def test_a_board_of_another_galaxy_starts_empty(tmp_path: Path) -> None:
    """Entries belong to the Galaxy that they were made for."""
    with closing(Board(tmp_path / "b.db", "one")) as board:
        board.change(lambda edit: edit.put("value", "a.b", _written(1)))
    with closing(Board(tmp_path / "b.db", "one")) as board:
        assert board.get("value", "a.b") == _written(1)
    with closing(Board(tmp_path / "b.db", "two")) as board:
        assert board.entries() == {}


def test_a_poll_reports_what_others_changed_once(tmp_path: Path) -> None:
    """Own changes are not reported, others' are, once each, and a removed entry is gone."""
    with closing(Board(tmp_path / "b.db", "g")) as one, closing(Board(tmp_path / "b.db", "g")) as other:
        one.change(lambda edit: edit.put("value", "a", _written(1)))
        assert one.poll() == set()
        assert other.poll() == {("value", "a")}
        assert other.poll() == set()
        other.change(lambda edit: edit.put("value", "a", None))
        assert one.poll() == {("value", "a")}
        assert one.get("value", "a") is None


def test_a_change_works_on_the_newest_state(tmp_path: Path) -> None:
    """An edit sees what others committed even before this board has polled, and the next poll still reports it."""
    with closing(Board(tmp_path / "b.db", "g")) as one, closing(Board(tmp_path / "b.db", "g")) as other:
        one.change(lambda edit: edit.put("value", "n", _written(1)))
        other.change(lambda edit: edit.put("value", "n", _written(edit.written("n").value + 1)))
        assert other.written("n") == _written(2)
        assert one.poll() == {("value", "n")}
        assert one.written("n") == _written(2)


def test_a_failed_edit_changes_nothing(tmp_path: Path) -> None:
    """An exception inside an edit leaves board and mirror as they were."""

    def fail(edit: object) -> None:
        edit.put("value", "a", _written(1))  # type: ignore[attr-defined]
        raise RuntimeError

    with closing(Board(tmp_path / "b.db", "g")) as board:
        with pytest.raises(RuntimeError):
            board.change(fail)
        assert board.entries() == {}
        board.change(lambda edit: edit.put("value", "b", _written(1)))
    with closing(Board(tmp_path / "b.db", "g")) as board:
        assert list(board.entries()) == [("value", "b")]


def test_a_corrupt_board_is_named_with_the_remedy(tmp_path: Path, make_session: MakeSession) -> None:
    """A board that is no database is refused with its path, and with what would be lost by removing it."""
    (tmp_path / "board.db").write_bytes(b"this is no database at all" * 100)
    with pytest.raises(MxComError, match=r"board\.db cannot be read: file is not a database; remove it"):
        make_session()


def test_a_locked_board_fails_the_write_and_nothing_else(
    make_session: MakeSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the board stays locked the write is completed with a failure, and the session goes on."""
    monkeypatch.setattr("mxgateway_simulator.plant.board._BUSY_SECONDS", 0.01)
    session = make_session()
    handle = session.advised("TestChildObject.TestInt")
    with closing(sqlite3.connect(tmp_path / "board.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert session.outcome(handle, i4(1)) == (0, 8, 5, 1009)
        other.execute("ROLLBACK")
    assert session.outcome(handle, i4(1)) == (-1, 0, 5, 0)


def test_a_board_in_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """The error names the path."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(BoardError, match=r"file/b\.db"):
        Board(tmp_path / "file" / "b.db", "g")


def test_a_board_that_breaks_later_fails_the_call(make_session: MakeSession, tmp_path: Path) -> None:
    """When the file turns to rubbish under a running session, calls fail with E_FAIL and the path."""
    session = make_session()
    other = Board(tmp_path / "board.db", session.backend._galaxy.settings["build_id"])  # type: ignore[union-attr]
    other.change(lambda edit: edit.put("value", "a.b", _written(1)))
    other._connection.execute("DROP TABLE entry")
    session.clock.advance(0.05)
    with pytest.raises(MxComError, match=r"board\.db cannot be read") as caught:
        session.backend.add_item(1, "A.B")
    assert caught.value.hresult == hresults.E_FAIL
    other.close()


def test_what_was_written_to_another_type_does_not_count(make_session: MakeSession, galaxy_of: BuildGalaxy) -> None:
    """An attribute that has become text, or an array, shows its configured value, and can be written again."""
    before = make_session(galaxy_of("X: {type: Integer}, Y: {type: Integer}, Z: {type: Integer}"))
    for name in "XYZ":
        before.write(before.advised(f"O.{name}"), i4(5))
    before.close()
    after = make_session(galaxy_of("X: {type: String, value: new}, Y: {type: Integer, array: 3}, Z: {type: Integer}"))
    assert [after.read(reference).value for reference in ("O.X", "O.Y[]", "O.Z")] == ["new", (0, 0, 0), 5]
    after.write(after.advised("O.Y[2]"), i4(7))
    assert after.read("O.Y[]").value == (0, 7, 0)


def test_opening_waits_for_another_that_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new board that another worker has just made and still looks at is waited for, not given up at once."""
    path = tmp_path / "b.db"
    pauses: list[float] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as other:

        def end_look(seconds: float) -> None:
            pauses.append(seconds)
            other.execute("COMMIT")

        monkeypatch.setattr("mxgateway_simulator.plant.board.time.sleep", end_look)
        other.execute("CREATE TABLE busy (a)")
        other.execute("BEGIN")
        other.execute("SELECT * FROM busy").fetchall()
        Board(path, "g").close()
    assert len(pauses) == 1


@pytest.mark.parametrize(
    ("kind", "text", "entry"),
    [
        ("value", '{"v": 7, "q": 192, "t": 1, "w": 2}', Written(7, 192, 1, 2)),
        (
            "value",
            '{"v": true, "q": 64, "t": 1, "w": 2, "s": 1, "h": [[0, false], [2, true]]}',
            Written(value=True, quality=64, time_ns=1, written_ns=2, shape=1, steps=(Step(0, False), Step(2, True))),
        ),
        (
            "value",
            '{"v": ["a", "b"], "q": 192, "t": 1, "w": 2, "s": 69}',
            Written(value=("a", "b"), quality=192, time_ns=1, written_ns=2, shape=69),
        ),
        ("ack", '{"t": 3, "m": "seen"}', Acknowledgement(UNTOLD, 3, "seen")),
        (
            "ack",
            '{"t": 3, "m": "seen", "o": 2, "by": ["anna", "PC1", "PLANT", "Anna A."]}',
            Acknowledgement(2, 3, "seen", "anna", "PC1", "PLANT", "Anna A."),
        ),
        (
            "alarm",
            '{"t": 9, "r": [true, 7, 5, 6, 81.5], "p": 0, "v": null}',
            Track(9, Run(is_on=True, on_ns=7, off_ns=5, stamp_ns=6, value=81.5)),
        ),
        (
            "shelf",
            '{"from_ns": 1, "until_ns": 2, "reason": "pump", "user": "anna", "node": "PC1"}',
            Shelved(1, 2, "pump", "anna", "PC1"),
        ),
        ("dismissed", '{"occurrence_ns": 1, "time_ns": 2}', Dismissed(1, 2)),
        ("forced", '{"is_on": true, "from_ns": 1, "until_ns": 0}', Forced(is_on=True, from_ns=1)),
        (
            "storm",
            '{"from_ns": 1, "within_ns": 2, "for_ns": 3, "share": 0.5, "seed": 4}',
            Storm(from_ns=1, within_ns=2, for_ns=3, share=0.5, seed=4),
        ),
        ("scan", '{"on": false, "t": 4}', Switched(False, 4)),
        ("engine", '{"on": true, "t": 4}', Switched(True, 4)),
    ],
)
def test_the_file_keeps_its_form(tmp_path: Path, kind: str, text: str, entry: Entry) -> None:
    """What earlier versions wrote is read, and what is written now has their form."""
    with closing(Board(tmp_path / "b.db", "g")) as board, closing(sqlite3.connect(tmp_path / "b.db")) as file:
        file.execute("INSERT INTO entry VALUES (?, 'o.old', 1, ?)", (kind, text))
        file.commit()
        board.poll()
        assert board.get(kind, "o.old") == entry
        board.change(lambda edit: edit.put(kind, "o.new", entry))
        assert file.execute("SELECT payload FROM entry WHERE name = 'o.new'").fetchone() == (text,)
        board.change(lambda edit: edit.put(kind, "o.new", None))
        assert file.execute("SELECT payload FROM entry WHERE name = 'o.new'").fetchone() == ('{"removed": true}',)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("shelf", "{}"),
        ("nothing", "{}"),
        ("value", '{"v": 1}'),
        ("value", "7"),
        ("ack", "null"),
        ("scan", "no JSON"),
        ("engine", "[]"),
    ],
)
def test_an_entry_that_cannot_be_read_is_refused_with_the_remedy(tmp_path: Path, kind: str, text: str) -> None:
    """Opening such a board says which file it is and what removing it would cost."""
    Board(tmp_path / "b.db", "g").close()
    with closing(sqlite3.connect(tmp_path / "b.db")) as file:
        file.execute("INSERT INTO entry VALUES (?, 'o.x', 1, ?)", (kind, text))
        file.commit()
    with pytest.raises(BoardError, match=rf"b\.db cannot be read: it holds an entry of kind {kind} .*; remove it"):
        Board(tmp_path / "b.db", "g")
