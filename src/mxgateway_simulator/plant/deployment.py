"""Deploys and undeploys objects of a simulated Galaxy, changing its database as the product does.

Deploying makes the checked-in package the running one, undeploying leaves none; both move the Galaxy's time of last
deploy, which is what browse watches. Running workers notice by themselves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mxgateway_simulator.errors import GalaxyFileError, SimulatorError
from mxgateway_simulator.plant.galaxy_file import has_spellings, other_spellings

_TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class DeploymentError(SimulatorError):
    """Objects that cannot be deployed or undeployed like this."""


@dataclass(frozen=True, slots=True)
class DeploymentResult:
    """What was changed.

    Attributes:
        objects: tag names in the order in which they were changed.
        time_of_last_deploy: the Galaxy's new one, UTC.
    """

    objects: tuple[str, ...]
    time_of_last_deploy: datetime


@dataclass(frozen=True, slots=True)
class _Row:
    gobject_id: int
    tag_name: str
    host_id: int
    is_deployed: bool


class Deployment:
    """One change of a Galaxy's deployment; all of it happens, or nothing.

    Args:
        now: UTC time that the Galaxy is to remember.

    Raises:
        GalaxyFileError: there is no such database, or it is busy for too long.
    """

    def __init__(self, path: str | Path, now: datetime) -> None:
        self._path = Path(path)
        self._now = now.replace(tzinfo=None)

    def deploy(self, tags: Iterable[str], *, cascade: bool = False) -> DeploymentResult:
        """Deploys objects as they are checked in; those that run already are deployed again.

        Args:
            cascade: also deploys the hosts that are missing, and what the objects host and contain.

        Raises:
            DeploymentError: an object does not exist, or its host does not run.
        """
        with self._opened() as connection:
            changed: dict[int, str] = {}
            for row in [self._find(connection, tag) for tag in tags]:
                self._deploy(connection, row, cascade, changed)
            return self._finish(connection, changed)

    def undeploy(self, tags: Iterable[str], *, cascade: bool = False) -> DeploymentResult:
        """Undeploys objects.

        Args:
            cascade: also undeploys what the objects host and contain.

        Raises:
            DeploymentError: an object does not exist, or hosts objects that run.
        """
        with self._opened() as connection:
            changed: dict[int, str] = {}
            for row in [self._find(connection, tag) for tag in tags]:
                self._undeploy(connection, row, cascade, changed)
            return self._finish(connection, changed)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        if not self._path.is_file():
            raise GalaxyFileError(f"there is no Galaxy database {self._path}; make one with: mxgateway galaxy build")
        connection = sqlite3.connect(self._path, timeout=10, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise GalaxyFileError(f"the Galaxy database {self._path} cannot be changed: {error}") from error
        finally:
            connection.close()

    @staticmethod
    def _find(connection: sqlite3.Connection, tag: str) -> _Row:
        others = other_spellings(connection, tag) if has_spellings(connection) else ()
        for name in (tag, *others):
            row = connection.execute(
                "SELECT gobject_id, tag_name, hosted_by_gobject_id, deployed_package_id <> 0 FROM gobject"
                " WHERE tag_name = ? AND +namespace_id = 1 AND +is_template = 0",
                (name,),
            ).fetchone()
            if row is not None:
                return _Row(*row)
        raise DeploymentError(f"there is no instance {tag!r} in this Galaxy")

    @staticmethod
    def _by_id(connection: sqlite3.Connection, gobject_id: int) -> _Row | None:
        row = connection.execute(
            "SELECT gobject_id, tag_name, hosted_by_gobject_id, deployed_package_id <> 0 FROM gobject"
            " WHERE gobject_id = ?",
            (gobject_id,),
        ).fetchone()
        return _Row(*row) if row else None

    @staticmethod
    def _owned(connection: sqlite3.Connection, gobject_id: int) -> list[_Row]:
        """What an object hosts or contains."""
        return [
            _Row(*row)
            for row in connection.execute(
                "SELECT gobject_id, tag_name, hosted_by_gobject_id, deployed_package_id <> 0 FROM gobject"
                " WHERE (hosted_by_gobject_id = ? OR contained_by_gobject_id = ?) AND is_template = 0"
                " AND namespace_id = 1 ORDER BY gobject_id",
                (gobject_id, gobject_id),
            )
        ]

    def _deploy(self, connection: sqlite3.Connection, row: _Row, cascade: bool, changed: dict[int, str]) -> None:
        if row.gobject_id in changed:
            return
        host = self._by_id(connection, row.host_id)
        if host is not None and not host.is_deployed and host.gobject_id not in changed:
            if not cascade:
                raise DeploymentError(
                    f"{row.tag_name} is hosted by {host.tag_name}, which is not deployed; deploy that first, or cascade"
                )
            self._deploy(connection, host, False, changed)
        changed[row.gobject_id] = row.tag_name
        connection.execute(
            "UPDATE gobject SET deployed_package_id = checked_in_package_id,"
            " last_deployed_package_id = checked_in_package_id, deployed_version = deployed_version + 1,"
            " deployment_pending_status = 0 WHERE gobject_id = ? OR tag_name = ? AND namespace_id = 2",
            (row.gobject_id, row.tag_name),
        )
        if cascade:
            for owned in self._owned(connection, row.gobject_id):
                self._deploy(connection, owned, True, changed)

    def _undeploy(self, connection: sqlite3.Connection, row: _Row, cascade: bool, changed: dict[int, str]) -> None:
        if row.gobject_id in changed:
            return
        hosted = [
            owned
            for owned in self._owned(connection, row.gobject_id)
            if owned.is_deployed and owned.host_id == row.gobject_id and owned.gobject_id not in changed
        ]
        if hosted and not cascade:
            raise DeploymentError(
                f"{row.tag_name} hosts {len(hosted)} deployed objects, for example {hosted[0].tag_name};"
                " undeploy them first, or cascade"
            )
        changed[row.gobject_id] = row.tag_name
        if cascade:
            for owned in self._owned(connection, row.gobject_id):
                if owned.is_deployed:
                    self._undeploy(connection, owned, True, changed)
        connection.execute(
            "UPDATE gobject SET deployed_package_id = 0, deployed_version = 0"
            " WHERE gobject_id = ? OR tag_name = ? AND namespace_id = 2",
            (row.gobject_id, row.tag_name),
        )

    def _finish(self, connection: sqlite3.Connection, changed: dict[int, str]) -> DeploymentResult:
        connection.execute("UPDATE galaxy SET time_of_last_deploy = ?", (self._now.strftime(_TIME_FORMAT),))
        return DeploymentResult(tuple(changed.values()), self._now)
