"""Galaxy browse: reads the Galaxy Repository database of a plant or of the simulator, and serves it from a cache."""

from __future__ import annotations

from mxgateway_server.galaxy.component import GalaxyComponent, GalaxyTiming
from mxgateway_server.galaxy.index import AttributeFacts
from mxgateway_server.galaxy.service import GalaxyRepositoryService
from mxgateway_server.galaxy.snapshot import SnapshotFile
from mxgateway_server.galaxy.source import GalaxySource
from mxgateway_server.galaxy.sql_source import SqlGalaxySource

__all__ = [
    "AttributeFacts",
    "GalaxyComponent",
    "GalaxyRepositoryService",
    "GalaxySource",
    "GalaxyTiming",
    "SnapshotFile",
    "SqlGalaxySource",
]
