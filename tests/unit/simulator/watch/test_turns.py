"""Places in the row of a board's sessions."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from mxgateway_simulator.watch.turns import Turn

_HOLD = """
import sys
from pathlib import Path
from mxgateway_simulator.watch.turns import Turn
turn = Turn(Path(sys.argv[1]))
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
