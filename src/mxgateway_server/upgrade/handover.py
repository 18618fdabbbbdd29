"""What an upgrade needs of the process around the gateway: how it was begun, and who has to be told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TypeAlias

from mxgateway_server.upgrade.checking import check
from mxgateway_server.upgrade.inheritance import Inheritance
from mxgateway_server.upgrade.judging import Answer
from mxgateway_server.upgrade.legacy import NONE, Legacy

Replace: TypeAlias = Callable[[Sequence[str], Legacy], None]
"""Goes on as another program: its command, and what is left to it."""


def _nobody() -> None:
    return


def _heard() -> AbstractContextManager[int]:
    return nullcontext(NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """How this process can become another program.

    Attributes:
        command: the program and its arguments, as it was begun; empty where nobody knows.
        inherited: what the program before has left; None for a process that begins.
        check: asks the installed program.
        replace: becomes it; raises OSError when that fails.
        before: called right before, `failed` when it could not be done.
        holds_signals: within it nobody hears signals; gives the descriptor that is left to the next program.
    """

    command: tuple[str, ...] = ()
    inherited: Inheritance | None = None
    check: Callable[[Sequence[str]], Awaitable[Answer]] = check
    replace: Replace | None = field(default=None)
    before: Callable[[], None] = _nobody
    failed: Callable[[], None] = _nobody
    holds_signals: Callable[[], AbstractContextManager[int]] = _heard

    @property
    def lock(self) -> int:
        """What keeps the state directory already; NONE where nothing does."""
        return NONE if self.inherited is None else self.inherited.lock
