"""The worker's hold on its descriptors: the pipe is private before anything else can print into it."""

from __future__ import annotations

import os
import select
import stat
import sys

from mxgateway_worker import windows_process


def take_over() -> tuple[int, int]:
    """Returns private descriptors of the pipe (read, write); afterwards 0 is empty and 1 is the log."""
    read_fd, write_fd = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(read_fd, os.O_BINARY)
        msvcrt.setmode(write_fd, os.O_BINARY)
        windows_process.keep_to_itself(0, 1, 2, read_fd, write_fd)
    return read_fd, write_fd


def make_nonblocking(fd: int) -> bool:
    """Makes reads and writes of the pipe return instead of block; False where that cannot be had."""
    if sys.platform == "win32":
        return False
    mode = os.fstat(fd).st_mode
    if not stat.S_ISFIFO(mode) and not stat.S_ISSOCK(mode):
        # A terminal or a file may be shared with others, who would not expect it.
        return False
    os.set_blocking(fd, False)
    return True


def write_some(fd: int, data: bytes | memoryview) -> int:
    """Writes what a nonblocking pipe takes now; returns how many bytes that were."""
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return 0


SHORT = 4096
"""Bytes that a pipe takes in one piece."""


def write_short(fd: int, data: bytes) -> int:
    """Writes all of a short piece to a pipe that blocks, and nothing of a longer one; returns how many bytes that were.

    It waits only while the pipe is full, which the gateway never leaves it: it reads all the time.
    """
    return os.write(fd, data) if len(data) <= SHORT else 0


def write_all(fd: int, data: bytes) -> None:
    """Writes every byte; blocks while the pipe is full."""
    written = write_some(fd, data)
    if written == len(data):
        return
    view = memoryview(data)
    while written < len(data):
        _wait_for_room(fd)
        written += write_some(fd, view[written:])


def _wait_for_room(fd: int) -> None:
    if sys.platform != "win32":
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        poll.poll()
