"""What a worker gives up: tried in processes of its own, since it is for good."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mxgateway_worker import sandbox
from mxgateway_worker.sandbox import Grants, Laid, grants, probe

LAID = probe()
here = pytest.mark.skipif(bool(LAID.missing), reason=f"this kernel lacks {LAID.missing}")

TRY = """
import ctypes, json, os, socket, sqlite3, subprocess, sys
from pathlib import Path
from mxgateway_worker.sandbox import grants, lay_down

secret, board, gateway = sys.argv[1], sys.argv[2], int(sys.argv[3])
laid = lay_down(grants({"board": board, "galaxy": board}))

def refused(attempt):
    try:
        attempt()
    except (OSError, sqlite3.Error) as error:
        return type(error).__name__
    return ""

def attach():
    if ctypes.CDLL(None, use_errno=True).ptrace(16, gateway, None, None):
        raise PermissionError(ctypes.get_errno(), "ptrace")

def works():
    import decimal, zoneinfo, sqlite3.dump  # loaded only now
    connection = sqlite3.connect(board)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS t (x)")
    connection.commit()
    connection.close()
    zoneinfo.ZoneInfo("UTC")
    os.urandom(8)
    Path(board).with_name("beside").write_text("x")
    Path(board).with_name("beside").unlink()

print(json.dumps({
    "missing": laid.missing,
    "works": refused(works),
    "read a secret": refused(lambda: Path(secret).read_text()),
    "list its folder": refused(lambda: os.listdir(Path(secret).parent)),
    "write a secret": refused(lambda: Path(secret).write_text("x")),
    "write elsewhere": refused(lambda: Path("/tmp/mxgateway-sandbox-test").write_text("x")),
    "read of a process": refused(lambda: Path(f"/proc/{gateway}/environ").read_bytes()),
    "tcp": refused(lambda: socket.socket(socket.AF_INET)),
    "udp": refused(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)),
    "unix": refused(lambda: socket.socket(socket.AF_UNIX)),
    "start a program": refused(lambda: subprocess.run(["/bin/true"])),
    "attach": refused(attach),
    "signal": refused(lambda: os.kill(gateway, 0)),
}))
"""


@here
def test_a_worker_keeps_what_it_needs_and_nothing_else(tmp_path: Path) -> None:
    secret = tmp_path / "pepper"
    secret.write_text("SENTINEL")
    (tmp_path / "galaxy").mkdir()
    board = tmp_path / "galaxy" / "plant.board.db"
    arguments = [str(secret), str(board), str(os.getpid())]
    done = subprocess.run(
        [sys.executable, "-P", "-c", TRY, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found.pop("missing"), found.pop("works")) == ({}, "")
    if found.pop("signal") == "":
        pytest.skip("signals are out of reach of this kernel's Landlock; all else held")
    assert [name for name, error in found.items() if not error] == []
    assert secret.read_text() == "SENTINEL"


def test_what_shows_a_secret_is_found(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "galaxy").mkdir(parents=True)
    own = grants({"board": str(state / "galaxy" / "plant.board.db"), "galaxy": str(state / "galaxy" / "plant.db")})
    assert own.writes == (state / "galaxy",)
    assert grants({"galaxy": str(state / "galaxy" / "plant.db")}).writes == (state / "galaxy",)
    assert grants({"file": str(state / "day.csv")}).writes == ()
    assert own.showing([state]) == []
    for folder in (state, tmp_path):
        wide = grants({"board": str(folder / "plant.board.db")})
        assert wide.showing([state / "pepper"]) == [((state / "pepper").resolve(), folder.resolve())]
    link = tmp_path / "link"
    link.symlink_to(state)
    assert Grants((link,), ()).showing([state]) != []


def test_a_recording_alone_is_read_not_its_folder(tmp_path: Path) -> None:
    recording = tmp_path / "day.csv"
    assert recording in grants({"file": str(recording)}).reads
    assert tmp_path not in grants({"file": str(recording)}).reads


def test_what_is_not_in_force_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Laid(network="no filter").missing == {"network": "no filter"}
    monkeypatch.setattr(sandbox.sys, "platform", "win32")
    assert set(probe().missing) == {"files", "programs", "network", "processes"}
    assert sandbox.lay_down(grants({})) == probe()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux")
def test_a_kernel_without_them_gives_nothing_up_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from mxgateway_worker.sandbox import landlock, seccomp

    monkeypatch.setattr(landlock, "_call", lambda *_: -1)
    monkeypatch.setattr(seccomp.os, "uname", lambda: SimpleNamespace(machine="vax"))
    found = sandbox.lay_down(grants({}))
    assert "Landlock" in found.files
    assert found.network == found.processes == "there is no filter of system calls for vax"
