"""What one gateway program hands on to the next, as one frozen record."""

from __future__ import annotations

from dataclasses import dataclass

from mxgateway_server.sessions.kept import KeptEnd, KeptSession


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAddress:
    """Where the gateway listens, by the setting that says so; where that leaves the port open, it stays the same."""

    setting: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """Everything that outlives the program.

    Attributes:
        version: of the program that wrote it.
        begun_ns: when the first program of this process began, nanoseconds since 1970 UTC.
        upgrades: how often the process has changed its program, this time included.
        actor: who asked for it, as the audit names him.
        sessions: open ones, each with its worker.
        ended: sessions that are over and remembered.
    """

    version: str
    begun_ns: int
    upgrades: int
    actor: str
    sessions: tuple[KeptSession, ...] = ()
    addresses: tuple[KeptAddress, ...] = ()
    ended: tuple[KeptEnd, ...] = ()
