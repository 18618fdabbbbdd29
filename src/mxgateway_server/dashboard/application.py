"""The dashboard as an ASGI application: routes behind the gate, and the same headers on every answer."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mxgateway_server.access.actors import Actor, acting
from mxgateway_server.dashboard.calls import DOOR, Call, ProblemError, not_found
from mxgateway_server.dashboard.checks import HEADERS
from mxgateway_server.dashboard.gate import Gate
from mxgateway_server.dashboard.routes import Rule
from mxgateway_server.errors import GatewayError
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

MAX_URL = 4096


class Dashboard:
    """Answers what is listed, and nothing else."""

    def __init__(self, gate: Gate, rules: Sequence[Rule]) -> None:
        self._gate = gate
        self.rules = tuple(rules)
        self._patterns = [(rule, *compile_path(rule.path)) for rule in rules]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message.get("headers", ())))
                for name, value in HEADERS:
                    headers.setdefault(name.decode(), value.decode())
                message = {**message, "headers": headers.raw}
            await send(message)

        try:
            answer = await self._answer(Request(scope, receive))
            await answer(scope, receive, send_with_headers)
        except ClientDisconnect:
            return

    async def _answer(self, request: Request) -> ASGIApp:
        correlation_id = ""
        try:
            call = self._gate.enter(request)
            correlation_id = call.correlation_id
            rule = self._find(request)
            await self._gate.admit(call, rule)
            return await self._handle(call, rule)
        except ProblemError as problem:
            return problem.response(correlation_id)

    async def _handle(self, call: Call, rule: Rule) -> ASGIApp:
        try:
            if call.caller is None:
                return await rule.handler(call)
            with acting(Actor(call.actor[:100], DOOR)):
                return await rule.handler(call)
        except GatewayError as error:
            raise ProblemError.of(error) from None
        except (ProblemError, ClientDisconnect):
            raise
        except (SQLAlchemyError, OSError) as error:
            logger.warning("key_store_failed", error=error, path=rule.path)
            raise ProblemError(
                503,
                "STORE_UNAVAILABLE",
                "the store of keys and audit does not answer; nothing was changed",
                "look whether authentication.database can be reached, is not locked, and its disk has room",
                retry_after=2.0,
            ) from None
        except Exception:
            logger.exception("dashboard_request_failed", path=rule.path, correlation_id=call.correlation_id)
            raise ProblemError(500, "INTERNAL", "an unexpected error; the gateway's log has it") from None

    def _find(self, request: Request) -> Rule:
        path, method = request.scope["path"], "GET" if request.method == "HEAD" else request.method
        if len(path) + len(request.scope.get("query_string", b"")) > MAX_URL:
            raise ProblemError(414, "TOO_LONG", f"an address has at most {MAX_URL} characters")
        is_there = False
        for rule, pattern, _, convertors in self._patterns:
            match = pattern.match(path)
            if match is None:
                continue
            is_there = True
            if rule.method == method:
                request.scope["path_params"] = {
                    name: convertors[name].convert(value) for name, value in match.groupdict().items()
                }
                return rule
        if is_there:
            raise ProblemError(405, "METHOD_NOT_ALLOWED", "this is not asked in this way")
        raise not_found()
