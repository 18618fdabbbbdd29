"""Errors of the simulator.

SimulatorError
    GalaxyDescriptionError   a description cannot be built
    GalaxyFileError          a Galaxy database is missing, or is none of the simulator's
    BoardError               the shared board cannot be used
    OptionError              an option of the backend, or a switch, is not known or has no such value
"""

from __future__ import annotations

from mxgateway_protocol.errors import BackendOptionError


class SimulatorError(Exception):
    """Anything that the simulator refuses; the text names the cause and the remedy."""


class GalaxyDescriptionError(SimulatorError):
    """A Galaxy description that cannot be built.

    Attributes:
        file: file the description was read from.
        path: place in the document, for example `templates.$Pump.attributes.Speed.type`.
        line: 0 where there is none, as for a file that cannot be opened.
    """

    def __init__(self, file: str, path: str, problem: str, *, line: int = 0, column: int = 0) -> None:
        self.file = file
        self.path = path
        self.problem = problem
        self.line = line
        place = f"line {line}" if line else ""
        if column:
            place += f", column {column}"
        elif not path:
            path = "document"
        super().__init__(": ".join(part for part in (file, place, path, problem) if part))


class GalaxyFileError(SimulatorError):
    """A Galaxy database that is missing, unreadable, or was not made by `mxgateway galaxy build`."""


class BoardError(SimulatorError):
    """The shared board is corrupt, locked for too long, or in a place that cannot be written."""


class OptionError(SimulatorError, BackendOptionError):
    """An option or switch that does not exist, or a value that it does not take."""
