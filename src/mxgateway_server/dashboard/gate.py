"""The gate before every route: where a request comes from, who makes it, and whether he may."""

from __future__ import annotations

import itertools
import json
import secrets
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import ANYONE, Authenticator, Caller
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.access.scopes import Scope
from mxgateway_server.dashboard import checks
from mxgateway_server.dashboard.calls import DOOR, MAX_BODY, Call, ProblemError
from mxgateway_server.dashboard.limits import RequestLimit
from mxgateway_server.dashboard.logins import KeyPart, Login, LoginBook
from mxgateway_server.dashboard.people.persons import Door, RoleBook
from mxgateway_server.dashboard.people.proxies import ProxyDoor, TrustedProxies
from mxgateway_server.dashboard.roles import Role, role_of
from mxgateway_server.dashboard.routes import PUBLIC, Rule
from mxgateway_server.logs import get_logger
from mxgateway_server.rpc.sockets import plain_address

logger = get_logger(__name__)

CSRF_HEADER = "x-csrf-token"
_PROCESS = secrets.token_hex(6)
_numbers = itertools.count(1)


class Gate:
    """Lets requests in, or says what is in the way.

    Args:
        book: who is signed in.
        authenticator: None where nobody needs a key.
        hosts: the names under which this gateway is reached, at this moment.
        gateway_id: what its cookie is named after.
        external_url: under which browsers reach it through a proxy; empty without one.
        people: what people without a key may; None where none is let in.
        proxies: those whose word counts.
        proxy: by which people are let in; None where none is.
    """

    def __init__(
        self,
        book: LoginBook,
        authenticator: Authenticator | None,
        audit: AuditLog,
        clock: Clock,
        *,
        hosts: Callable[[], frozenset[str]],
        gateway_id: str,
        external_url: str = "",
        people: RoleBook | None = None,
        proxies: TrustedProxies | None = None,
        proxy: ProxyDoor | None = None,
    ) -> None:
        self._book = book
        self._authenticator = authenticator
        self._audit = audit
        self._clock = clock
        self._hosts = hosts
        self._gateway_id = gateway_id
        parts = urlsplit(external_url)
        self._external = f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
        self._people = people
        self._proxies = proxies or TrustedProxies(())
        self._proxy = proxy
        self._limit = RequestLimit()

    def cookie_name(self, call: Call) -> str:
        return checks.cookie_name(self._gateway_id, is_https=call.is_https)

    def enter(self, request: Request) -> Call:
        """A request that was sent to one of our names, by nobody yet.

        Raises:
            ProblemError: it was not.
        """
        host = request.headers.get("host", "")
        if not self._is_known(host):
            raise ProblemError(
                421,
                "UNKNOWN_HOST",
                "this gateway is not known under the name that was asked for",
                "use a name of its certificate, or set dashboard.external_url to the address that browsers use",
            )
        peer = plain_address(request.client.host) if request.client else ""
        return Call(
            request=request,
            origin=self._external or f"{request.url.scheme}://{host}".lower(),
            address=self._proxies.client(peer, request.headers),
            peer=peer,
            correlation_id=f"ui-{_PROCESS}{next(_numbers):06x}",
        )

    def _is_known(self, header: str) -> bool:
        host = checks.host_of(header)
        if not host:
            return False
        return checks.is_known_host(header, self._hosts()) or host == (urlsplit(self._external).hostname or "")

    async def admit(self, call: Call, rule: Rule) -> None:
        """Finds out who asks, and whether he may.

        Raises:
            ProblemError: he may not, or nobody is signed in.
        """
        is_unsafe = rule.method != "GET"
        if rule.is_form:
            call.form = await _bytes(call.request)
            return
        if is_unsafe:
            self._check_origin(call, rule)
        if rule.needs is not PUBLIC:
            await self._sign_in(call, looks_anew=is_unsafe)
            if is_unsafe and not checks.is_csrf_token(call.request.headers.get(CSRF_HEADER, ""), call.token):
                self._refuse(call, rule, "csrf")
                raise ProblemError(
                    403, "CSRF", "the page's token is not valid any more", "it renews it by itself; else reload it"
                )
            if call.role < rule.needs:
                self._refuse(call, rule, "role")
                raise ProblemError(
                    403,
                    "ROLE",
                    f"this needs the role {rule.needs.word}, and you have {call.role.word}",
                    "an administrator gives it with a scope of your key (dashboard:view, dashboard:operate, admin), or "
                    "to a group of yours (dashboard.roles)",
                )
            if rule.is_use and call.login is not None:
                self._book.use(call.login, self._clock.unix_ns())
        if is_unsafe:
            call.body = await _body(call.request)

    def _check_origin(self, call: Call, rule: Rule) -> None:
        headers = call.request.headers
        is_no_browser = rule.is_for_programs and "origin" not in headers and "sec-fetch-site" not in headers
        if not is_no_browser and not checks.is_same_origin(headers, call.origin):
            raise ProblemError(
                403,
                "ORIGIN",
                "the request does not come from a page of this gateway",
                "behind a proxy, set dashboard.external_url to the address that browsers use",
            )
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise ProblemError(415, "CONTENT_TYPE", "send JSON (Content-Type: application/json)")

    async def _sign_in(self, call: Call, *, looks_anew: bool) -> None:
        token = call.request.cookies.get(self.cookie_name(call), "")
        login = self._book.find(token, self._clock.unix_ns()) if token else None
        login = self._as_proxy_says(call, login)
        caller = None if login is None else await self.caller_of(login, looks_anew=looks_anew)
        if login is None or caller is None:
            raise ProblemError(401, "NOT_SIGNED_IN", "sign in first" if not token else "your sign-in has ended")
        if not self._limit.admit(login.token_hash, self._clock.monotonic()):
            raise ProblemError(429, "TOO_MANY_REQUESTS", "that was too much at once", retry_after=1.0)
        call.introduce(login.key.key_id)
        call.login, call.token, call.caller = login, token, caller
        call.role = self.role(login, caller)

    def _as_proxy_says(self, call: Call, login: Login | None) -> Login | None:
        """Whom a proxy let in is who the proxy says with each request, in the groups of now."""
        if login is None or login.key.door != Door.PROXY or login.is_screen:
            return login
        person = None if self._proxy is None else self._proxy.person(call.peer, call.request.headers)
        if person is None or self._people is None:
            return None
        part = self._people.part(person)
        return replace(login, key=part) if part.key_id == login.key.key_id else None

    def role(self, login: Login, caller: Caller) -> Role:
        """What a login may do: a screen only looks, whoever made it."""
        role = role_of(caller.scopes)
        return min(role, Role.VIEWER) if login.is_screen else role

    async def caller_of(self, login: Login, *, looks_anew: bool = False) -> Caller | None:
        """Whose key a login was made with, with the rights of now; None when the key is not what it was.

        Args:
            looks_anew: ask the store first, whatever is remembered.

        Raises:
            ProblemError: the store cannot be asked, and something is to be changed.
        """
        if login.key.door:
            return self._person(login.key)
        if self._authenticator is None:
            return ANYONE if login.key == key_part(ANYONE) else None
        key = login.key
        try:
            return await self._authenticator.caller_of(key.key_id, key.created_ns, key.secret_id, looks_anew=looks_anew)
        except (SQLAlchemyError, OSError) as error:
            logger.warning("key_store_failed", error=error)
            raise ProblemError(
                503,
                "KEY_STORE_UNAVAILABLE",
                "the key store does not answer, so nothing is changed now",
                "look whether authentication.database can be reached and is not locked",
                retry_after=2.0,
            ) from None

    def _person(self, part: KeyPart) -> Caller | None:
        scopes = frozenset[Scope]() if self._people is None else self._people.scopes(part)
        return Caller(key_id=part.key_id, scopes=scopes, display_name=part.display_name) if scopes else None

    async def is_alive(self, login: Login) -> bool:
        """Whether a login that holds a stream goes on."""
        if not self._book.is_alive(login, self._clock.unix_ns()):
            return False
        caller = await self.caller_of(login)
        return caller is not None and self.role(login, caller) > Role.NONE

    def _refuse(self, call: Call, rule: Rule, why: str) -> None:
        if not rule.is_action and why != "role":
            return
        self._audit.add_denial(
            AuditRecord(
                event="denied",
                key_id=call.who.key_id,
                remote_address=call.address,
                correlation_id=call.correlation_id,
                outcome="permission-denied",
                details={"method": f"dashboard {rule.method} {rule.path}", "reason": why},
                actor=call.actor,
                origin=DOOR,
            )
        )


def key_part(caller: Caller) -> KeyPart:
    """What a login keeps of the key that signed in."""
    return KeyPart(key_id=caller.key_id, created_ns=caller.created_ns, secret_id=caller.secret_id)


async def _bytes(request: Request) -> bytes:
    found = b""
    async for chunk in request.stream():
        found += chunk
        if len(found) > MAX_BODY:
            raise ProblemError(413, "TOO_LONG", f"a request has at most {MAX_BODY // 1024} KiB")
    return found


async def _body(request: Request) -> dict[str, object]:
    found = await _bytes(request)
    try:
        value = json.loads(found or b"{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ProblemError(400, "INVALID_REQUEST", "send a JSON object")
    return value
