"""What the HTTP listener answers: the two health questions without a login, and what others put beside them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from mxgateway_server.health.readiness import CheckStatus, HealthStatus
from mxgateway_server.rpc.sockets import plain_address

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def operations_app(routes: Sequence[BaseRoute]) -> Starlette:
    """One application of these routes; whatever is not listed is not found."""
    return Starlette(routes=list(routes))


def health_routes(
    health: Callable[[], HealthStatus],
    is_alive: Callable[[], bool],
    may_see: Callable[[Request], bool] | None = None,
) -> list[BaseRoute]:
    """`/health/live` and `/health/ready`, for load balancers and containers.

    Args:
        health: the verdict now.
        is_alive: whether the gateway's own clockwork runs.
        may_see: who is told of each check; whoever asks from this machine, unless said otherwise.
    """
    sees = may_see or is_local

    async def live(_: Request) -> JSONResponse:
        alive = is_alive()
        return _answer(alive, {"status": "live" if alive else "stalled"})

    async def ready(request: Request) -> JSONResponse:
        found = health()
        told: dict[str, object] = {"status": found.readiness}
        if sees(request):
            told["checks"] = {check.name: _told(check) for check in found.checks}
        return _answer(found.readiness != "not_ready", told)

    return [Route("/health/live", live), Route("/health/ready", ready)]


def is_local(request: Request) -> bool:
    """Whether somebody on this machine asks, and not a proxy on it for somebody else."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(plain_address(request.client.host)).is_loopback
    except ValueError:
        return False


def _answer(is_good: bool, told: dict[str, object]) -> JSONResponse:
    return JSONResponse(told, status_code=200 if is_good else 503, headers=_HEADERS)


def _told(check: CheckStatus) -> dict[str, object]:
    return {"ok": check.is_ok, "since": check.since_seconds, "reason": check.reason, "remedy": check.remedy}
