"""Who may read the metrics: this machine, a key of the scope metadata:read, or everybody where settings say so."""

from __future__ import annotations

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request

from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.access.scopes import Scope, allows
from mxgateway_server.errors import GatewayError
from mxgateway_server.operations.app import is_local


class MetricsReaders:
    """Says who may.

    Args:
        authenticator: who knows keys; None where nobody needs one.
        is_open: whether everybody may.
    """

    def __init__(self, authenticator: Authenticator | None, *, is_open: bool) -> None:
        self._authenticator = authenticator
        self._is_open = is_open

    async def may_read(self, request: Request) -> bool:
        """Whether who asks may read them."""
        if self._is_open or self._authenticator is None or is_local(request):
            return True
        address = "" if request.client is None else request.client.host
        try:
            caller = await self._authenticator.authenticate(request.headers.get("authorization", ""), address)
        except (GatewayError, SQLAlchemyError, OSError):
            return False
        return allows(caller.scopes, frozenset({Scope.METADATA_READ}))
