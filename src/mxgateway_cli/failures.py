"""How commands fail: texts without secrets, and defined exit codes."""

from __future__ import annotations

import click

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_SIGNALLED = 128
"""Plus the number of the signal, as shells have it: 143 for SIGTERM."""


class CommandFailure(click.ClickException):
    """A command ended without success: its text goes to stderr, the exit code is 1."""

    exit_code = EXIT_FAILED


class SilentFailure(CommandFailure):
    """The command has printed its result already, but the exit code has to tell that part of it failed."""

    def __init__(self) -> None:
        super().__init__("")

    def show(self, file: object = None) -> None:
        """Shows nothing."""


def first_cause(group: BaseExceptionGroup[Exception]) -> BaseException:
    """What came first of all that a group of tasks ended with."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
