"""A backup is whole and of one moment, goes back with its rights, and never over a gateway or another state."""

from __future__ import annotations

import io
import os
import sqlite3
import stat
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mxgateway_server.cli.main import main
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.node.archive import back_up, restore
from mxgateway_server.state import hold_state, prepare_state


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    (folder / "certs").mkdir(parents=True, mode=0o700)
    (folder / "run").mkdir()
    (folder / "run" / "control-1.sock").write_text("")
    (folder / "gateway.lock").write_text("1")
    for name in ("pepper", "certs/gateway.key"):
        (folder / name).write_text(name)
        (folder / name).chmod(0o600)
    return folder


def test_a_database_is_saved_as_of_one_moment_also_while_it_is_written(state: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(state / "keys.db")) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE t (x)")
        writer.execute("INSERT INTO t VALUES (1)")
        writer.commit()
        writer.execute("INSERT INTO t VALUES (2)")
        done = back_up(state, tmp_path / "b.tar.gz", "1")
    assert done.files == 3
    restore(tmp_path / "b.tar.gz", tmp_path / "new")
    with closing(sqlite3.connect(tmp_path / "new" / "keys.db")) as reader:
        assert reader.execute("SELECT x FROM t").fetchall() == [(1,)]
    names = sorted(path.relative_to(tmp_path / "new").as_posix() for path in (tmp_path / "new").rglob("*"))
    assert names == ["certs", "certs/gateway.key", "keys.db", "pepper"]


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_backup_and_state_are_for_their_owner(state: Path, tmp_path: Path) -> None:
    (state / "pepper").chmod(0o640)
    back_up(state, tmp_path / "b.tar.gz", "1")
    restore(tmp_path / "b.tar.gz", tmp_path / "new")

    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(tmp_path / "b.tar.gz") == 0o600
    assert mode(tmp_path / "new") == 0o700
    assert (mode(tmp_path / "new" / "pepper"), mode(tmp_path / "new" / "certs" / "gateway.key")) == (0o640, 0o600)


def test_what_is_there_is_never_written_over(state: Path, tmp_path: Path) -> None:
    back_up(state, tmp_path / "b.tar.gz", "1")
    with pytest.raises(ConfigurationError, match="there already"):
        back_up(state, tmp_path / "b.tar.gz", "1")
    with pytest.raises(ConfigurationError, match="not empty"):
        restore(tmp_path / "b.tar.gz", state)
    with hold_state(state, shared=False), pytest.raises(ConfigurationError, match="running gateway"):
        restore(tmp_path / "b.tar.gz", state)
    with pytest.raises(ConfigurationError, match="nothing to back up"):
        back_up(tmp_path / "nowhere", tmp_path / "c.tar.gz", "1")


def test_a_backup_that_was_cut_or_changed_makes_nothing(state: Path, tmp_path: Path) -> None:
    whole = tmp_path / "b.tar.gz"
    back_up(state, whole, "1")
    (tmp_path / "cut.tar.gz").write_bytes(whole.read_bytes()[:200])
    with tarfile.open(whole) as source, tarfile.open(tmp_path / "changed.tar.gz", "w:gz") as changed:
        for entry in source:
            data = b"another" if entry.name == "pepper" else source.extractfile(entry).read()  # type: ignore[union-attr]
            entry.size = len(data)
            changed.addfile(entry, io.BytesIO(data))
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as evil:
        entry = tarfile.TarInfo("../evil")
        evil.addfile(entry, io.BytesIO(b""))
    for name in ("cut", "changed", "evil", "missing"):
        with pytest.raises(ConfigurationError, match="backup"):
            restore(tmp_path / f"{name}.tar.gz", tmp_path / "new")
        assert not (tmp_path / "new").exists()


def test_the_commands_say_what_they_did(state: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    target = tmp_path / "b.tar.gz"
    saved = runner.invoke(main, ["backup", "--state-dir", str(state), "--output", str(target)])
    assert (saved.exit_code, "2 files" in saved.stdout) == (0, True), saved.output
    made = runner.invoke(main, ["restore", "--state-dir", str(tmp_path / "new"), str(target)])
    assert made.exit_code == 0, made.output
    again = runner.invoke(main, ["restore", "--state-dir", str(tmp_path / "new"), str(target)])
    assert (again.exit_code, "not empty" in again.stderr) == (1, True)
    assert os.listdir(tmp_path / "new") != []


class KilledError(BaseException):
    """The process is gone."""


def test_whenever_putting_back_is_broken_off_no_gateway_takes_a_part_for_the_whole(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(state, tmp_path / "b.tar.gz", "1")
    whole = {"certs", "pepper"}
    seen = set()
    for steps in range(100):
        target = tmp_path / f"new-{steps}"
        left = steps

        def step(real: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*given: Any, **more: Any) -> Any:
                nonlocal left
                left -= 1
                if left < 0:
                    raise KilledError
                return real(*given, **more)

            return counted

        with monkeypatch.context() as patch:
            for name in ("mkdir", "chmod", "replace", "rmdir"):
                patch.setattr(Path, name, step(getattr(Path, name)))
            try:
                restore(tmp_path / "b.tar.gz", target)
            except KilledError:
                pass
            else:
                break
        there = {path.name for path in target.iterdir()} if target.exists() else set()
        if there:
            with pytest.raises(ConfigurationError, match="broken off"):
                prepare_state(target)
            with pytest.raises(ConfigurationError, match="broken off"):
                restore(tmp_path / "b.tar.gz", target)
        seen.add(frozenset(there))
    assert {path.name for path in target.iterdir()} == whole
    prepare_state(target)
    assert (steps > 5, frozenset({".restoring", "certs"}) in seen) == (True, True)
