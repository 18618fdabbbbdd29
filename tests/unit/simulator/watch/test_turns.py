"""Places in the row of a board's sessions."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from mxgateway_simulator.watch.turns import EVERYTHING, Row, Turn

_HOLD = """
import sys
from pathlib import Path
from mxgateway_simulator.watch.turns import Turn
turn = Turn(Path(sys.argv[1]))
turn.saw(int((sys.argv[2:] or ["0"])[0]))
print(turn.place, turn.delay_ns, flush=True)
sys.stdin.read()
"""


def test_each_process_has_a_place_and_gives_it_up_when_it_ends(tmp_path: Path) -> None:
    """The lowest free one, whatever ended its holder."""
    board = tmp_path / "b.db"
    with closing(Turn(board)) as first:
        assert (first.place, first.delay_ns) == (0, 0)
        places = []
        for _ in range(2):
            with subprocess.Popen(
                [sys.executable, "-c", _HOLD, str(board)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            ) as other:
                assert other.stdout is not None
                places.append(other.stdout.readline().split())
                other.kill()
        assert places == [["1", "1000000"]] * 2


def test_where_there_is_no_place_all_are_first(tmp_path: Path) -> None:
    """A directory that cannot be written costs nothing but the order."""
    with closing(Turn(tmp_path / "missing" / "b.db")) as turn:
        assert turn.delay_ns == 0


def test_a_row_tells_whether_all_have_seen_a_change(tmp_path: Path) -> None:
    """Who lives and has read less is waited for; who has nothing to tell, and who has died, is not."""
    board = tmp_path / "b.db"
    with closing(Row(board)) as row:
        assert row.have_seen(5)
        command = [sys.executable, "-c", _HOLD, str(board), "5"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            other.stdout.readline()
            assert (row.have_seen(5), row.have_seen(6)) == (True, False)
            other.kill()
            other.wait()
            assert row.have_seen(6)
        with subprocess.Popen(
            [*command[:-1], str(EVERYTHING)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as idle:
            assert idle.stdout is not None
            idle.stdout.readline()
            assert row.have_seen(EVERYTHING)
            idle.kill()
