"""Open files: raised to what the system allows, and shared out so that connections never take those of workers."""

from __future__ import annotations

import sys

import pytest

from mxgateway_server import open_files
from mxgateway_server.open_files import OF_A_START, OF_A_WORKER, OF_THE_GATEWAY, ConnectionRoom, room_for_connections

WORKERS = {"workers": 66, "starts": 4}


def test_with_files_enough_there_are_as_many_connections_as_the_settings_say() -> None:
    assert room_for_connections(None, 1000, **WORKERS) == ConnectionRoom(1000, 1250)
    assert room_for_connections(20_000, 1000, **WORKERS) == ConnectionRoom(1000, 1250)
    assert room_for_connections(20_000, 1, **WORKERS) == ConnectionRoom(1, 2)


@pytest.mark.parametrize("files", [450, 512, 1024, 1500])
def test_connections_never_take_the_files_of_workers(files: int) -> None:
    room = room_for_connections(files, 1000, **WORKERS)
    of_others = OF_THE_GATEWAY + 66 * OF_A_WORKER + 4 * OF_A_START
    assert room.taken + of_others <= files
    assert 0 < room.kept < room.taken, "some places are for those who come while others are about to be closed"
    assert room.is_cut


def test_with_far_too_few_files_some_connections_are_left() -> None:
    room = room_for_connections(64, 1000, **WORKERS)
    assert (room.kept, room.taken, room.is_cut) == (12, 16, True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_the_limit_is_raised_to_what_the_system_allows() -> None:
    import resource

    soft, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, soft), hard))
        assert open_files.limit() == min(512, soft)
        open_files.raise_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
        assert open_files.limit() == (None if hard == resource.RLIM_INFINITY else hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
