"""The worker's hold on its descriptors: the pipe is private before anything else can print into it."""

from __future__ import annotations

import os
import sys


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
    return read_fd, write_fd


def write_all(fd: int, data: bytes) -> None:
    """Writes every byte; blocks while the pipe is full."""
    written = os.write(fd, data)
    if written == len(data):
        return
    view = memoryview(data)
    while written < len(data):
        written += os.write(fd, view[written:])
