"""One request of the dashboard: who asks, and the problem that is answered when something is in the way."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from mxgateway_server.access.authenticator import Caller
from mxgateway_server.dashboard.logins import Login
from mxgateway_server.dashboard.roles import Role
from mxgateway_server.errors import GatewayError, InvalidRequestError

DOOR = "dashboard"
"""By which door whoever asks came, for the audit."""
MAX_BODY = 64 * 1024
MAX_TEXT = 1100
NO_STORE = {"cache-control": "no-store"}

_STATUS = {
    "CANCELLED": 499,
    "DEADLINE_EXCEEDED": 504,
    "FAILED_PRECONDITION": 409,
    "INTERNAL": 500,
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "UNAUTHENTICATED": 401,
    "UNAVAILABLE": 503,
    "UNIMPLEMENTED": 404,
}


class ProblemError(Exception):
    """An answer that is no success; `remedy` says what to do about it."""

    def __init__(
        self, status: int, reason: str, detail: str, remedy: str = "", *, retry_after: float | None = None
    ) -> None:
        self.status = status
        self.reason = reason
        self.detail = detail
        self.remedy = remedy
        self.retry_after = retry_after
        super().__init__(detail)

    @classmethod
    def of(cls, error: GatewayError) -> ProblemError:
        """What one of the gateway's own errors means over HTTP."""
        return cls(_STATUS[error.grpc_status], error.reason, str(error), retry_after=error.retry_after)

    def response(self, correlation_id: str) -> Response:
        """The answer, as RFC 9457 has it."""
        told = {
            "status": self.status,
            "title": self.reason,
            "reason": self.reason,
            "detail": self.detail,
            "remedy": self.remedy,
            "correlationId": correlation_id,
        }
        headers = dict(NO_STORE)
        if self.retry_after is not None:
            headers["retry-after"] = str(max(1, round(self.retry_after)))
        return Response(json.dumps(told), self.status, headers, "application/problem+json")


def not_found() -> ProblemError:
    return ProblemError(404, "NOT_FOUND", "there is nothing here")


def data(value: Any, status: int = 200) -> Response:
    """An answer with data."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Response(text, status, NO_STORE, "application/json")


@dataclass(slots=True, kw_only=True)
class Call:
    """One request that came in.

    Attributes:
        origin: of this dashboard, as `https://host:port`.
        address: who asks, as an address without port.
        peer: the other end of the connection: a proxy, where one is in front.
        login, token, caller, role: who asks; without a login they are empty.
    """

    request: Request
    origin: str
    address: str
    correlation_id: str
    peer: str = ""
    login: Login | None = None
    token: str = field(default="", repr=False)
    caller: Caller | None = None
    role: Role = Role.NONE
    body: dict[str, Any] = field(default_factory=dict, repr=False)
    form: bytes = field(default=b"", repr=False)

    @property
    def is_https(self) -> bool:
        return self.origin.startswith("https:")

    def introduce(self, key_id: str) -> None:
        """Tells the listener that somebody is signed in over this connection, so that it does not go for strangers."""
        introduce = self.request.scope.get("state", {}).get("introduce")
        if introduce is not None:
            introduce(key_id)

    @property
    def actor(self) -> str:
        """Who acts, for the audit: `key:…`, `oidc:…`, `ldap:…`, `proxy:…`, or `screen:…` of whoever made it."""
        who, login = self.who, self.login
        if login is not None and login.is_screen:
            return f"screen:{login.name}"
        return who.key_id if login is not None and login.key.door else f"key:{who.key_id}"

    @property
    def who(self) -> Caller:
        """Who asks, on a route that needs a login."""
        if self.caller is None:
            raise ProblemError(401, "NOT_SIGNED_IN", "sign in first")
        return self.caller

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def text(self, name: str, *, at_most: int = MAX_TEXT, is_needed: bool = False) -> str:
        """A text of the body.

        Raises:
            InvalidRequestError: it is something else, too long, or missing.
        """
        value = self.body.get(name, "")
        if not isinstance(value, str) or len(value) > at_most:
            raise InvalidRequestError(f"{name}: write a text of at most {at_most} characters")
        if is_needed and not value.strip():
            raise InvalidRequestError(f"{name}: write something")
        return value.strip()

    def secret(self, name: str) -> str:
        """A text of the body as it was typed; empty when there is none."""
        value = self.body.get(name, "")
        return value if isinstance(value, str) else ""

    def query(self, name: str, *, at_most: int = MAX_TEXT) -> str:
        """A text of the query; empty when it is not there."""
        value = self.request.query_params.get(name, "")
        if len(value) > at_most:
            raise InvalidRequestError(f"{name}: at most {at_most} characters")
        return value

    def number(self, name: str, default: int, *, at_most: int) -> int:
        """A whole number of the query, from 0."""
        value = self.query(name)
        if not value:
            return default
        if not (value.isascii() and value.isdecimal()) or len(value) > 19 or int(value) > at_most:
            raise InvalidRequestError(f"{name}: write a whole number from 0 to {at_most}")
        return int(value)
