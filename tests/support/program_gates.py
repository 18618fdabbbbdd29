"""Moments of an upgrade at which a gateway in a process of its own waits until the test lets it go on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tests.support.waiting import eventually

RECORDED = "recorded"
"""The state is written down, and the next program not begun yet."""
BEGUN = "begun"
"""The next program has begun, and taken nothing over yet."""

# Python runs this at the beginning of every program.
_AT_THE_BEGINNING = f"""
import os

def wait(gate):
    path = os.path.join(os.path.dirname(__file__), gate)
    if os.path.exists(path):
        open(path + ".reached", "w").close()
        with open(path) as held:
            held.read()

def execve(*arguments):
    wait({RECORDED!r})
    begin(*arguments)

begin, os.execve = os.execve, execve
if "MXGATEWAY_UPGRADE" in os.environ:
    wait({BEGUN!r})
"""


class ProgramGates:
    """Gates that are open until they are closed.

    Args:
        folder: theirs alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "sitecustomize.py").write_text(_AT_THE_BEGINNING)

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that a gateway needs to mind them."""
        return {"PYTHONPATH": str(self._folder)}

    def close(self, *gates: str) -> None:
        """From now on a program waits there."""
        for gate in gates:
            os.mkfifo(self._folder / gate)

    async def reached(self, gate: str) -> None:
        """Returns once a program waits there."""
        await eventually((self._folder / f"{gate}.reached").exists, 60.0)

    def open(self, gate: str) -> None:
        """Lets it go on."""
        held = os.open(self._folder / gate, os.O_WRONLY)
        (self._folder / f"{gate}.reached").unlink()
        (self._folder / gate).unlink()
        os.close(held)
