"""What a directory of people is, whichever program it is."""

from __future__ import annotations

from typing import Protocol

from mxgateway_server.dashboard.people.persons import Person
from mxgateway_server.dashboard.people.question import Question


class DirectoryError(Exception):
    """Nobody is let in.

    Attributes:
        why: a word for the audit: `refused` for name or password, `expired`, `unreachable`, `account`, `several`.
        cause: what the directory or the network said, for whoever runs the gateway and for nobody who signs in.
    """

    def __init__(self, why: str, text: str, remedy: str = "", *, cause: str = "") -> None:
        self.why = why
        self.remedy = remedy
        self.cause = cause
        super().__init__(text)


class Directory(Protocol):
    """Knows people by name and password; blocks."""

    def person(self, name: str, password: str, question: Question | None = None) -> Person:
        """Who this is; raises DirectoryError for nobody.

        Args:
            question: by which another thread gives it up.
        """

    def look(self) -> None:
        """Does what comes before a person's name and password; raises DirectoryError where that fails."""
