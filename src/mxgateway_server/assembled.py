"""What a gateway consists of once it is put together, and what it tells of itself when it listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mxgateway_server.access.shares import Shares
from mxgateway_server.alarms.component import AlarmComponent
from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.controls import Drain
from mxgateway_server.galaxy import GalaxyComponent
from mxgateway_server.health.watcher import HealthWatcher
from mxgateway_server.parts import Part
from mxgateway_server.program import Program
from mxgateway_server.reloading import Reloading
from mxgateway_server.rpc.connections import ConnectionWatch
from mxgateway_server.rpc.live_streams import LiveStreams
from mxgateway_server.rpc.server import Endpoint, RpcServer
from mxgateway_server.sessions.manager import SessionManager
from mxgateway_server.status import GatewayStatus, StatusReader
from mxgateway_server.upgrade.upgrading import Upgrading
from mxgateway_server.upkeep import Upkeep
from mxgateway_server.workers.launcher import Launcher
from mxgateway_server.workers.pool import WorkerPool

if TYPE_CHECKING:
    from mxgateway_server.dashboard.component import DashboardPart
    from mxgateway_server.operations.server import OperationsServer


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that listens.

    Attributes:
        galaxy: name of the Galaxy that it serves.
        status: how it is doing at the moment of the call.
        urls: where it is found over HTTP.
    """

    endpoints: tuple[Endpoint, ...]
    galaxy: str
    status: Callable[[], GatewayStatus] = field(repr=False)
    urls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a gateway consists of; `background` outlives the sessions, and ends in the reverse order."""

    server: RpcServer
    certificate: CertificateKeeper | None
    sessions: SessionManager
    pool: WorkerPool
    launcher: Launcher
    galaxy: GalaxyComponent
    galaxy_name: str
    streams: LiveStreams
    shares: Shares
    connections: ConnectionWatch
    upkeep: Upkeep
    health: HealthWatcher
    status: StatusReader
    alarms: AlarmComponent | None
    operations: OperationsServer | None
    dashboard: DashboardPart | None
    drain: Drain
    reloading: Reloading
    upgrading: Upgrading
    program: Program
    background: tuple[Part, ...]
