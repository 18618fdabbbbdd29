"""Judges writes: what was confirmed stays, what failed for certain never shows, nothing runs backwards.

Each register has one writer, which writes ever greater numbers and never repeats one. A write without a confirmation
may have happened or not; it may also happen late, but never after a younger one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chaos.violations import Journal


@dataclass(slots=True)
class Register:
    """One tag with one writer.

    Attributes:
        floor: the youngest value that is known to have been there.
    """

    actor: str
    tag: str
    journal: Journal
    floor: int = 0
    confirmed: int = 0
    uncertain: int = 0
    _sent: set[int] = field(default_factory=set)
    _refused: set[int] = field(default_factory=set)

    def sent(self, value: int) -> None:
        """The write of this value begins."""
        self._sent.add(value)

    def confirm(self, value: int, now: float) -> None:
        """OnWriteComplete said that the value was written."""
        self.confirmed += 1
        if value not in self._sent:
            self.journal.violation("write", self.actor, now, f"{self.tag}: a write of {value} completed, never sent")
        if value in self._refused:
            self.journal.violation("write", self.actor, now, f"{self.tag}: {value} completed after its refusal")
        self.floor = max(self.floor, value)

    def refuse(self, value: int) -> None:
        """The write certainly did not happen."""
        self._refused.add(value)

    def unknown(self, value: int) -> None:
        """Whether the write happened is not known."""
        self.uncertain += 1

    def read(self, value: int, now: float) -> None:
        """The tag was read while no write was under way."""
        if value == self.floor:
            return
        if value < self.floor:
            self.journal.violation(
                "write", self.actor, now, f"{self.tag} is {value}, but {self.floor} was there already: a write is lost"
            )
        elif value not in self._sent:
            self.journal.violation("write", self.actor, now, f"{self.tag} is {value}, which nobody wrote")
        elif value in self._refused:
            self.journal.violation("write", self.actor, now, f"{self.tag} is {value}, whose write was refused")
        self.floor = max(self.floor, value)
        self._sent = {v for v in self._sent if v >= self.floor}
        self._refused = {v for v in self._refused if v >= self.floor}
