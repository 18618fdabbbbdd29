"""What one program leaves to the next, as numbers: open descriptors and process ids. Without I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

NONE = -1
"""Stands for a descriptor that there is none of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Legacy:
    """What is open in one program and stays so in the next.

    Attributes:
        memory: holds the state; sealed.
        pipes: those of the workers whose sessions stay.
        workers: process ids of all workers, those whose sessions stay and others.
        lock: keeps other gateways from the state directory.
        signals: a pipe that holds the numbers of signals which nobody has heard.
    """

    memory: int
    pipes: tuple[int, ...] = ()
    workers: tuple[int, ...] = ()
    lock: int = NONE
    signals: int = NONE

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that are open."""
        return tuple(each for each in (self.memory, self.lock, self.signals, *self.pipes) if each != NONE)

    @property
    def text(self) -> str:
        """The same for a variable of the environment."""
        told = {
            "state": self.memory,
            "pipes": self.pipes,
            "workers": self.workers,
            "lock": self.lock,
            "signals": self.signals,
        }
        return json.dumps(told, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Legacy:
        """What `text` was made of.

        Raises:
            ValueError: it was made of nothing of the kind.
        """
        try:
            found = json.loads(text)
            return cls(
                memory=int(found["state"]),
                pipes=_numbers(found["pipes"]),
                workers=_numbers(found["workers"]),
                lock=int(found["lock"]),
                signals=int(found["signals"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(text) from error


def _numbers(found: Iterable[object]) -> tuple[int, ...]:
    return tuple(int(str(each)) for each in found)
