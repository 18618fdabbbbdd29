"""An OpenID Connect provider that does as it is told, also what none should do."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from mxgateway_server.operations.server import HttpEndpoint, OperationsServer

CLIENT = "gateway"
SECRET = "client-s3cret"
KEYS = [RSAKey.generate_key(2048, parameters={"kid": name}) for name in ("first", "second")]


@dataclass
class ScriptedProvider:
    """What it says next, and what it was asked.

    Attributes:
        claims: of the person who signs in next, in place of the usual ones; None leaves one out.
        algorithm: by which it signs; `none`, and `HS256` with its public key, are what attackers try.
        userinfo: what it tells to whoever shows the access token.
        is_down: answers everything with 502.
    """

    url: str = ""
    key: RSAKey = field(default_factory=lambda: KEYS[0])
    published: list[RSAKey] = field(default_factory=lambda: [KEYS[0]])
    algorithm: str = "RS256"
    claims: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    is_down: bool = False
    now_s: float = 0.0
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def sign_in(self, url: str) -> tuple[str, str]:
        """What the browser brings back from the page at this address: code and state."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return code, query["state"]

    def token(self, **claims: Any) -> str:
        """A token of this provider's; a claim of None is left out."""
        now = int(self.now_s)
        told = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "subject-1",
            "iat": now,
            "exp": now + 300,
            "preferred_username": "anna",
            "name": "Anna Berg",
            "sid": "provider-session-1",
            "groups": ["everybody", "plant-operators"],
            **claims,
        }
        told = {name: value for name, value in told.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid}
        if self.algorithm in ("none", "HS256"):
            # No library makes these, and rightly so.
            signed = ".".join(_encoded(json.dumps(part).encode()) for part in (header, told))
            secret = self.key.as_pem(private=False)
            seal = hmac.digest(secret, signed.encode(), "sha256") if self.algorithm == "HS256" else b""
            return f"{signed}.{_encoded(seal)}"
        return jwt.encode(header, told, self.key, algorithms=[self.algorithm])

    async def answer(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        if self.is_down:
            return PlainTextResponse("<h1>Bad gateway</h1>", 502)
        if request.url.path == "/jwks":
            return JSONResponse({"keys": [key.as_dict(private=False) for key in self.published]})
        if request.url.path == "/userinfo":
            is_known = request.headers.get("authorization") == "Bearer access-1"
            return JSONResponse(self.userinfo, 200 if is_known else 401)
        if request.url.path == "/token":
            return self._exchange((await request.body()).decode(), request.headers.get("authorization", ""))
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "end_session_endpoint": f"{self.url}/end",
                "scopes_supported": ["openid", "profile"],
                "code_challenge_methods_supported": ["S256"],
                **self.metadata,
            }
        )

    def _exchange(self, body: str, authorization: str) -> Response:
        form = {name: values[0] for name, values in parse_qs(body).items()}
        asked = self.codes.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if authorization != f"Basic {basic}":
            return JSONResponse({"error": "invalid_client"}, 401)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = _encoded(digest)
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form.get("redirect_uri"):
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = self.token(**{"nonce": asked["nonce"], **self.claims})
        return JSONResponse({"access_token": "access-1", "token_type": "Bearer", "id_token": token})


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@asynccontextmanager
async def scripted_provider() -> AsyncIterator[ScriptedProvider]:
    """A provider on a free port of the loopback."""
    provider = ScriptedProvider()
    app = Starlette(routes=[Route("/{path:path}", provider.answer, methods=["GET", "POST"])])
    endpoint = HttpEndpoint(setting="test", address="127.0.0.1:0", is_tls=False, is_asked_for=True, app=app)
    server = OperationsServer([endpoint], None)
    (provider.url,) = server.start()
    async with asyncio.TaskGroup() as group:
        group.create_task(server.run())
        try:
            yield provider
        finally:
            await server.stop()
