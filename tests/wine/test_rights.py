"""A private folder on Windows, made and read by Windows' own functions."""

from __future__ import annotations

from pathlib import Path

from tests.wine.conftest import RunWindowsPython, winpath

PROGRAM = """
import sys
from pathlib import Path
from mxgateway_contract.windows_rights import PRIVATE, _rights, make_private_folder, others, readers
folder = Path(sys.argv[1])
make_private_folder(folder / "state")
print("readers", others(str(folder / "state")))
print("same", readers("O:BA" + PRIVATE, "BA") == [])
try:
    others(str(folder / "nothing"))
except OSError as error:
    print("missing", error.winerror)
"""


def test_a_private_folder_is_made_and_read(windows_python: RunWindowsPython, tmp_path: Path) -> None:
    run = windows_python("-c", PROGRAM, winpath(tmp_path))
    assert run.returncode == 0, run.stdout
    assert "readers []" in run.stdout
    assert "same True" in run.stdout
    assert "missing 2" in run.stdout
