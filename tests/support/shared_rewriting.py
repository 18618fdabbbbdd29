"""In a fresh checkout the processes of a run share the work of rewriting asserts, instead of each doing all of it.

Every process of pytest-xdist collects every test, and pytest rewrites a module's asserts when it is imported. They walk
through the folders side by side, so that each of them would come to a file before another one has left its bytecode.
Here each first takes every third file, say, and finds the bytecode of the others when it collects.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.assertion.rewrite import (
    PYC_TAIL,
    _read_pyc,
    _rewrite_test,
    _write_pyc,
    assertstate_key,
    get_cache_dir,
    try_makedirs,
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    process = getattr(session.config, "workerinput", None)
    if process is None or sys.dont_write_bytecode:
        return
    number, count = int(process["workerid"].removeprefix("gw")), process["workercount"]
    for file in sorted(asked_for(session.config))[number::count]:
        leave_bytecode(file, session.config)


def asked_for(config: pytest.Config) -> set[Path]:
    """The files with tests that the command line names, or that are in a folder that it names."""
    return {file for argument in config.args for file in _tests_in(Path(argument.partition("::")[0]).absolute())}


def _tests_in(place: Path) -> Iterator[Path]:
    if place.is_dir():
        yield from place.rglob("test_*.py")
    elif place.is_file():
        yield place


def leave_bytecode(file: Path, config: pytest.Config) -> bool:
    """Writes what pytest's import hook looks for, as it does itself; False where it is there, or has no place."""
    folder = get_cache_dir(file)
    bytecode = folder / f"{file.stem}{PYC_TAIL}"
    if not try_makedirs(folder) or _read_pyc(file, bytecode) is not None:
        return False
    source, code = _rewrite_test(file, config)
    return _write_pyc(config.stash[assertstate_key], code, source, bytecode)
