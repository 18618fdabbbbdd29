"""Which program this process is at the moment, and what it has taken over from the one before."""

from __future__ import annotations

from dataclasses import dataclass, field

from mxgateway_server import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramStatus:
    """The same as a picture.

    Attributes:
        version: its version.
        since_ns: when it began, nanoseconds since 1970 UTC.
        process_since_ns: when the first program of the process did.
        upgrades: how often the process has become another program.
        came_from: version of the program before; empty for none.
        kept_sessions: sessions that were taken over from it, `lost_sessions` those that could not be.
        refused_upgrades: upgrades from this program that were refused.
    """

    version: str
    since_ns: int
    process_since_ns: int
    upgrades: int
    came_from: str
    kept_sessions: int
    lost_sessions: int
    refused_upgrades: int


@dataclass(slots=True, kw_only=True)
class Program:
    """One program of a process.

    Attributes:
        version: its version.
        since_ns: when it began, nanoseconds since 1970 UTC.
        begun_ns: when the first program of this process did.
        upgrades: how often the process has become another program.
        came_from: version of the program before; empty for a process that began with this one.
        kept: sessions that were taken over from it, `lost` those that could not be.
        addresses: setting → where it listens.
        refused: upgrades from this program that were refused.
    """

    version: str = __version__
    since_ns: int = 0
    begun_ns: int = 0
    upgrades: int = 0
    came_from: str = ""
    kept: int = 0
    lost: int = 0
    refused: int = 0
    addresses: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> ProgramStatus:
        """How it is now."""
        return ProgramStatus(
            version=self.version,
            since_ns=self.since_ns,
            process_since_ns=self.begun_ns,
            upgrades=self.upgrades,
            came_from=self.came_from,
            kept_sessions=self.kept,
            lost_sessions=self.lost,
            refused_upgrades=self.refused,
        )
