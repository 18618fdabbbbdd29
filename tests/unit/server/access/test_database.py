"""The database of the key store: its failures are one line, with the remedy, the store and never a password."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from mxgateway_server.access.database import Database


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("database or disk is full", "make room"),
        ("database is locked", "another process"),
        ("attempt to write a readonly database", "may not be written"),
        ("unable to open database file", "may not be opened"),
        ("database disk image is malformed", "restore it from a backup"),
        ("file is not a database", "restore it from a backup"),
        ("no such column: x", "OperationalError: no such column: x"),
    ],
)
async def test_a_failure_is_one_line_with_the_store_and_the_remedy(tmp_path: Path, said: str, remedy: str) -> None:
    database = Database.connect(str(tmp_path / "keys.db"))
    try:
        for error in (
            sa.exc.OperationalError("INSERT …", {}, sqlite3.OperationalError(said)),
            sqlite3.OperationalError(f"{said}\nand more"),
        ):
            text = database.problem(error)
            assert remedy in text
            assert str(tmp_path / "keys.db") in text
            assert "\n" not in text
            assert "INSERT" not in text
    finally:
        await database.close()


async def test_a_full_disk_is_told_as_the_system_tells_it(tmp_path: Path) -> None:
    database = Database.connect(str(tmp_path / "keys.db"))
    assert "make room" in database.problem(OSError(28, "No space left on device"))
    await database.close()


async def test_a_servers_name_is_shown_without_its_password() -> None:
    database = Database.connect("postgresql+psycopg://gateway:hunter2@db.example/keys")
    assert database.name == "postgresql+psycopg://gateway:***@db.example/keys"
    assert "hunter2" not in database.problem(OSError(111, "password=hunter2 refused"))
    await database.close()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only the superuser makes files for others")
async def test_what_the_superuser_makes_belongs_to_whose_folder_it_is(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    database = Database.connect(str(tmp_path / "keys.db"))
    await database.close()
    assert (tmp_path / "keys.db").stat().st_uid == 12345
