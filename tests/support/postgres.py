"""A PostgreSQL server of the tests' own, from the installed binaries: socket only, in a folder that goes away."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_INSTALLED = Path("/usr/lib/postgresql")
_USER = "postgres"


def find_binaries() -> Path | None:
    """The newest installed server's folder of binaries."""
    found = [path.parent for path in _INSTALLED.glob("*/bin/pg_ctl")]
    return max(found, key=lambda path: float(path.parent.name), default=None)


@contextmanager
def running_postgres() -> Iterator[str]:
    """Starts a server and yields its SQLAlchemy URL; stops it and removes everything afterwards.

    Skips the test where no server is installed, but fails it in CI.
    """
    binaries = find_binaries()
    if binaries is None:
        reason = f"no PostgreSQL server under {_INSTALLED}; install the package postgresql"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    # Not pytest's folder: that one is closed to the user that the server runs as.
    folder = Path(tempfile.mkdtemp(prefix="mxgw-pg-"))
    data = folder / "data"
    try:
        as_user: list[str] = []
        if os.geteuid() == 0:
            # The server refuses to run as root.
            shutil.chown(folder, _USER)
            as_user = ["runuser", "-u", _USER, "--"]

        def call(program: str, *arguments: str) -> None:
            command = [*as_user, str(binaries / program), *arguments]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{program} failed: {done.stdout}{done.stderr}"

        call("initdb", "-D", str(data), "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections=20"
        call("pg_ctl", "-D", str(data), "-w", "-s", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://{_USER}@/postgres?host={folder}"
        finally:
            call("pg_ctl", "-D", str(data), "-w", "-s", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
