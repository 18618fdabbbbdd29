"""gRPC's health service with a bound on its watches, which need no key and are held for as long as their clients like.

The one that gRPC brings tells all watchers under a lock, so that one who does not read stands in the way of whoever
wants to change the status. Here each is told by itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mxgateway_server.errors import WatchLimitError
from mxgateway_server.rpc.errors import Context
from mxgateway_server.rpc.guard import peer_host
from mxgateway_server.rpc.surplus import origin

_Status = health_pb2.HealthCheckResponse


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """The health of the gateway's services.

    Args:
        watches: watches at once, of all clients together.
        watches_per_address: the same of one address.
    """

    def __init__(self, watches: int, watches_per_address: int) -> None:
        self._watches = watches
        self._watches_per_address = watches_per_address
        self._watching: Counter[str] = Counter()
        self._statuses: dict[str, health_pb2.HealthCheckResponse.ServingStatus.ValueType] = {}
        self._changed = asyncio.Event()

    def set(self, service: str, status: health_pb2.HealthCheckResponse.ServingStatus.ValueType) -> None:
        """Changes the status of a service; whoever watches it is told."""
        if self._statuses.get(service) == status:
            return
        self._statuses[service] = status
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> health_pb2.HealthCheckResponse:  # noqa: N802 - the contract's name
        """The status of a service; the empty name is the gateway as a whole."""
        status = self._statuses.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        return _Status(status=status)

    async def List(self, request: health_pb2.HealthListRequest, context: Context) -> health_pb2.HealthListResponse:  # noqa: N802 - the contract's name
        """The status of every service."""
        statuses = {service: _Status(status=status) for service, status in self._statuses.items()}
        return health_pb2.HealthListResponse(statuses=statuses)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:  # noqa: N802 - the contract's name
        """The status of a service now and after each change.

        Raises:
            WatchLimitError: there are too many.
        """
        address = origin(peer_host(context.peer()))
        self._take_place(address)
        told = None
        try:
            while True:
                changed = self._changed
                status = self._statuses.get(request.service, _Status.SERVICE_UNKNOWN)
                if status != told:
                    await context.write(_Status(status=status))
                    told = status
                await changed.wait()
        finally:
            self._watching[address] -= 1
            if not self._watching[address]:
                del self._watching[address]

    def _take_place(self, address: str) -> None:
        if self._watching[address] >= self._watches_per_address:
            raise WatchLimitError(
                f"this address has its {self._watches_per_address} health watches (setting "
                "protocol.max_health_watches_per_address); the method Check asks once",
                retry_after=10.0,
            )
        if self._watching.total() >= self._watches:
            raise WatchLimitError(
                f"the gateway has its {self._watches} health watches (setting protocol.max_health_watches); the method "
                "Check asks once",
                retry_after=10.0,
            )
        self._watching[address] += 1
