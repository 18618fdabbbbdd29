"""The seam between browse and the database that it reads."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from mxgateway_server.galaxy.data import GalaxyData


class GalaxySource(Protocol):
    """A Galaxy database. Its methods block and are called from worker threads, possibly at the same time.

    Each raises GalaxySourceError (GalaxyTimeoutError, GalaxyDataError) when the database does not answer as it should.
    """

    @property
    def identity(self) -> str:
        """What tells this Galaxy from another one, without credentials; stands in the snapshot."""

    @property
    def display_name(self) -> str:
        """The source for logs and people, without credentials."""

    @property
    def time_identifies(self) -> bool:
        """Whether an equal deploy time means an equal Galaxy across restarts of the gateway, as in a plant."""

    def test_connection(self) -> None:
        """Makes a round trip."""

    def read_deploy_time(self) -> datetime | None:
        """galaxy.time_of_last_deploy, or None when the Galaxy was never deployed."""

    def read_galaxy(self) -> GalaxyData:
        """Everything that browse serves. `deploy_time` is the one read before the rows."""

    def close(self) -> None:
        """Ends reads under way soon and releases what is open. Any later call fails."""
