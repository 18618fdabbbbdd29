"""Private files and folders on Windows, made and read by Windows' own functions."""

from __future__ import annotations

from pathlib import Path

from tests.wine.conftest import RunWindowsPython, winpath

PROGRAM = """
import sys
from pathlib import Path
from mxgateway_contract.private_files import write_private
from mxgateway_contract.windows_rights import PRIVATE, _set_rights, make_private_folder, others, other_writers, readers
folder = Path(sys.argv[1])
make_private_folder(folder / "state")
print("readers", others(str(folder / "state")))
write_private(folder / "open" / "pepper", "secret")
_set_rights(str(folder / "open"), "D:(A;OICI;FA;;;WD)")
write_private(folder / "open" / "key", "secret")
(folder / "open" / "plain").write_text("nothing")
for name in ("open", "open/pepper", "open/key", "open/plain"):
    print(name, others(str(folder / name)), other_writers(str(folder / name)))
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
    # A private file stays one in a folder that is open to all.
    assert "open ['Everyone'] ['Everyone']" in run.stdout
    assert "open/pepper [] []" in run.stdout
    assert "open/key [] []" in run.stdout
    assert "open/plain ['Everyone']" in run.stdout
    assert "same True" in run.stdout
    assert "missing 2" in run.stdout
