"""What an upgrade needs of the process around the gateway: how it was begun, and who has to be told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mxgateway_server.upgrade.checking import check
from mxgateway_server.upgrade.inheritance import Inheritance
from mxgateway_server.upgrade.judging import Answer

Replace: TypeAlias = Callable[[Sequence[str], int, Sequence[int], Sequence[int]], None]
"""Goes on as another program: command, descriptor of the state, those of pipes, process ids of workers."""


def _nobody() -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """How this process can become another program.

    Attributes:
        command: the program and its arguments, as it was begun; empty where nobody knows.
        inherited: what the program before has left; None for a process that begins.
        check: asks the installed program.
        replace: becomes it; raises OSError when that fails.
        before: called right before, `failed` when it could not be done.
    """

    command: tuple[str, ...] = ()
    inherited: Inheritance | None = None
    check: Callable[[Sequence[str]], Awaitable[Answer]] = check
    replace: Replace | None = field(default=None)
    before: Callable[[], None] = _nobody
    failed: Callable[[], None] = _nobody
