"""A disk that can be filled for real: a file system of its own in memory, where this machine lets us mount one."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.programs import lacking

BYTES = 96 * 1024 * 1024
"""A third more than what the gateway wants to have free."""


class SmallDisk:
    """A folder on a disk of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leaves no byte free."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (1024 * 1024, 4096, 1):
                block = b"\0" * size
                try:
                    while file.write(block) == size:
                        pass
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    def make_room(self) -> None:
        """Gives all of it back."""
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mounts it on this folder, and takes it away again; without that the test is skipped, and fails in CI."""
    if sys.platform != "linux" or os.geteuid() != 0:
        lacking("only root can mount a small disk, on Linux")
    folder.mkdir()
    options = f"size={BYTES},mode=700"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        lacking(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    disk = SmallDisk(folder)
    try:
        yield disk
    finally:
        with contextlib.suppress(FileNotFoundError):
            disk.make_room()
        # Lazily: what still looks at it must not keep it in the way of the tests that follow.
        subprocess.run(["umount", "--lazy", folder], check=True)
