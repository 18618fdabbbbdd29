"""A built Galaxy to look into, and a look."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("galaxy") / "reference.db"
    build_galaxy(read_description("reference"), path)
    with closing(sqlite3.connect(path)) as connection:
        yield connection
