"""The gateway's life as a Windows service: what Windows is told, and when the gateway is asked to end. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

ACCEPTS_STOP, ACCEPTS_SHUTDOWN, ACCEPTS_PRESHUTDOWN = 0x001, 0x004, 0x100
SERVICE_SPECIFIC_ERROR = 1066
START_HINT_MS, STOP_HINT_MS = 30_000, 20_000
MOST_STOP_SECONDS = 45
"""After it the gateway is ended without being asked; it is the time that a Windows that shuts down gives, too."""


class State(IntEnum):
    """As Windows numbers them."""

    STOPPED = 1
    START_PENDING = 2
    STOP_PENDING = 3
    RUNNING = 4


class Control(IntEnum):
    """What Windows may ask of a service."""

    STOP = 1
    INTERROGATE = 4
    SHUTDOWN = 5
    PRESHUTDOWN = 15


ENDING = frozenset((Control.STOP, Control.SHUTDOWN, Control.PRESHUTDOWN))


@dataclass(frozen=True, slots=True)
class Told:
    """What Windows knows of the service.

    Attributes:
        accepts: controls that it may send now.
        exit_code: of Windows; SERVICE_SPECIFIC_ERROR says that `specific` is the gateway's own.
        checkpoint: rises while the state is a pending one, which shows that something goes on.
        wait_hint_ms: how soon Windows hears of it again, at the latest.
    """

    state: State
    accepts: int = 0
    exit_code: int = 0
    specific: int = 0
    checkpoint: int = 0
    wait_hint_ms: int = 0


class Wish(IntEnum):
    """What the host does next."""

    NOTHING = 0
    ASK_TO_END = 1
    END = 2


class ServiceLife:
    """From the start to the end of one gateway.

    Attributes:
        told: what Windows is to know now.
    """

    def __init__(self) -> None:
        self.told = Told(State.START_PENDING, checkpoint=1, wait_hint_ms=START_HINT_MS)
        self._stopping_seconds = 0

    @property
    def is_over(self) -> bool:
        return self.told.state is State.STOPPED

    def ready(self) -> None:
        """The gateway listens."""
        if self.told.state is State.START_PENDING:
            self.told = Told(State.RUNNING, ACCEPTS_STOP | ACCEPTS_SHUTDOWN | ACCEPTS_PRESHUTDOWN)

    def control(self, number: int) -> Wish:
        """Windows asks for something; the first request to end counts, later ones change nothing."""
        if number not in ENDING or self.told.state in (State.STOP_PENDING, State.STOPPED):
            return Wish.NOTHING
        self.told = Told(State.STOP_PENDING, checkpoint=1, wait_hint_ms=STOP_HINT_MS)
        return Wish.ASK_TO_END

    def second_passed(self) -> Wish:
        """A second in which nothing happened."""
        told = self.told
        if told.state in (State.START_PENDING, State.STOP_PENDING):
            self.told = Told(told.state, checkpoint=told.checkpoint + 1, wait_hint_ms=told.wait_hint_ms)
        if told.state is State.STOP_PENDING:
            self._stopping_seconds += 1
            if self._stopping_seconds == MOST_STOP_SECONDS:
                return Wish.END
        return Wish.NOTHING

    def ended(self, code: int) -> None:
        """The gateway is gone. An end that nobody asked for is a failure, so that Windows starts the service again."""
        asked = self.told.state is State.STOP_PENDING
        if asked and code == 0:
            self.told = Told(State.STOPPED)
        else:
            self.told = Told(State.STOPPED, exit_code=SERVICE_SPECIFIC_ERROR, specific=(code or 1) & 0xFFFFFFFF)
