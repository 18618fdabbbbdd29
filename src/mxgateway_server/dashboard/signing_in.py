"""Signing in by a key or a one-time link, and out."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError
from starlette.responses import Response

from mxgateway_protocol.clock import Clock
from mxgateway_server import __version__
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import ANYONE, Authenticator, Caller
from mxgateway_server.access.records import AuditRecord
from mxgateway_server.dashboard import checks
from mxgateway_server.dashboard.calls import DOOR, Call, ProblemError, data
from mxgateway_server.dashboard.gate import Gate, key_part
from mxgateway_server.dashboard.logins import KeyPart, Login, LoginBook
from mxgateway_server.dashboard.roles import Role, role_of
from mxgateway_server.errors import AuthenticationError, KeyRefusal
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

_REFUSED = "this key does not let you in"


class People(Protocol):
    """What signing in knows of people without a key."""

    def doors(self, call: Call) -> dict[str, object]:
        """What the sign-in page offers them."""

    async def farewell(self, login: Login, origin: str) -> str:
        """Where somebody who signs out here signs out too; empty for nowhere."""


class SigningIn:
    """The routes around logins.

    Args:
        authenticator: None where nobody needs a key: then whoever is on this machine signs in without one.
        features: what else there is to see and to do, for the pages.
        interval: seconds between two frames.
        store: stores the logins: who is told that he is signed in stays so, whatever becomes of this process.

    Attributes:
        people: lets in people without a key; None where nobody is.
    """

    people: People | None = None

    def __init__(
        self,
        gate: Gate,
        book: LoginBook,
        authenticator: Authenticator | None,
        audit: AuditLog,
        clock: Clock,
        *,
        features: dict[str, bool | float],
        interval: float,
        store: Callable[[], Awaitable[None]],
    ) -> None:
        self.store = store
        self._gate = gate
        self._book = book
        self._authenticator = authenticator
        self._audit = audit
        self._clock = clock
        self._features = features
        self._interval = interval

    async def boot(self, call: Call) -> Response:
        """What a page has to know first."""
        return data(self._boot(call))

    async def how(self, call: Call) -> Response:
        """How one signs in here; for who is not signed in."""
        doors = {} if self.people is None else self.people.doors(call)
        return data({"needsKey": self._authenticator is not None, **doors})

    async def login(self, call: Call) -> Response:
        """Signs in by a key, by the ticket of a link, or without either where nobody needs a key."""
        ticket = call.text("ticket", at_most=200)
        if ticket:
            link = self._book.take(ticket, self._clock.unix_ns())
            if link is None:
                self.failed(call, "", "link")
                raise ProblemError(
                    401, "LINK_USED", "this link was used already, or is too old", "sign in with a key, or make another"
                )
            return await self.begin(call, link.key, link.kind, link.name)
        caller = await self._by_key(call)
        if role_of(caller.scopes) is Role.NONE:
            self.failed(call, caller.key_id, "role")
            raise ProblemError(
                403,
                "ROLE",
                f"the key {caller.key_id} is valid, but has no role in the dashboard",
                "an administrator gives it the scope dashboard:view, dashboard:operate or admin "
                "(mxgateway apikey change --scopes)",
            )
        return await self.begin(call, key_part(caller), "key", "")

    async def _by_key(self, call: Call) -> Caller:
        if self._authenticator is None:
            return ANYONE
        key = call.text("key", at_most=300)
        return await self.check_key(call, f"Bearer {key}")

    async def check_key(self, call: Call, header: str) -> Caller:
        """The key that somebody shows.

        Raises:
            ProblemError: it is not valid, or is of no use in a browser.
        """
        assert self._authenticator is not None
        try:
            caller = await self._authenticator.authenticate(header, call.address)
        except AuthenticationError as error:
            if error.kind is KeyRefusal.THROTTLED:
                raise ProblemError(
                    429, "THROTTLED", "too many attempts failed; wait a minute", retry_after=60.0
                ) from None
            self.failed(call, error.key_id, error.kind)
            raise ProblemError(
                401,
                "UNAUTHENTICATED",
                _REFUSED,
                "it begins with mxgw_; mxgateway apikey list shows which keys there are and until when they are valid",
            ) from None
        except (SQLAlchemyError, OSError) as error:
            logger.warning("key_store_failed", error=error)
            raise ProblemError(
                503, "KEY_STORE_UNAVAILABLE", "keys cannot be checked now; try again", retry_after=2.0
            ) from None
        if caller.certificate:
            self.failed(call, caller.key_id, "certificate")
            raise ProblemError(
                403, "CLIENT_CERTIFICATE", "this key is bound to a client certificate, which a browser does not show"
            )
        return caller

    async def begin(self, call: Call, key: KeyPart, kind: str, name: str, back: str = "") -> Response:
        """Makes the login of somebody who is let in.

        Args:
            call: his.
            key: who he is.
            kind: of the login, see `Login`.
            name: of a screen.
            back: the page that he wanted, for whom comes from elsewhere.

        Raises:
            ProblemError: he is nobody any more.
        """
        token = secrets.token_urlsafe(checks.COOKIE_BYTES)
        now = self._clock.unix_ns()
        # Whoever signs in again leaves the login of before: its token is worth nothing from now on.
        before = self._book.find(call.request.cookies.get(self._gate.cookie_name(call), ""), now)
        if before is not None:
            self._book.end(before)
        login = self._book.begin(token, key, call.address, now, kind, name)
        caller = await self._gate.caller_of(login)
        if caller is None or self._gate.role(login, caller) is Role.NONE:
            self._book.end(login)
            self.failed(call, key.key_id, "key-ended")
            raise ProblemError(401, "KEY_ENDED", "who made this sign-in is not let in any more")
        call.introduce(key.key_id)
        call.login, call.token, call.caller, call.role = login, token, caller, self._gate.role(login, caller)
        await self.store()
        self._record(call, "login", "ok", {"kind": kind, "role": call.role.word})
        logger.info("login", key_id=key.key_id, role=call.role.word, kind=kind, client=call.address)
        response = data({**self._boot(call), "back": back})
        response.set_cookie(
            self._gate.cookie_name(call),
            token,
            max_age=max(1, (login.expires_ns - now) // 1_000_000_000),
            path="/",
            secure=call.is_https,
            httponly=True,
            samesite="lax",
        )
        return response

    async def logout(self, call: Call) -> Response:
        """Signs out, here or everywhere."""
        assert call.login is not None
        count = 1
        if call.body.get("everywhere") is True:
            count = self._book.end_all(call.login.key.key_id)
        self._book.end(call.login)
        await self.store()
        self._record(call, "logout", "ok", {"logins": count})
        farewell = "" if self.people is None else await self.people.farewell(call.login, call.origin)
        response = data({"logins": count, "farewell": farewell})
        response.delete_cookie(
            self._gate.cookie_name(call), path="/", secure=call.is_https, httponly=True, samesite="lax"
        )
        return response

    async def link(self, call: Call) -> Response:
        """A sign-in link for whoever shows a key: valid once, for two minutes."""
        header = call.request.headers.get("authorization", "")
        caller = ANYONE if self._authenticator is None else await self.check_key(call, header)
        if role_of(caller.scopes) is Role.NONE:
            raise ProblemError(403, "ROLE", f"the key {caller.key_id} has no role in the dashboard")
        return self._offer(call, key_part(caller), "link", "")

    async def screen(self, call: Call) -> Response:
        """A sign-in link for a display that only looks, and stays signed in for weeks."""
        assert call.login is not None
        name = call.text("name", at_most=60, is_needed=True)
        self._record(call, "dashboard.screen", "ok", {"name": name})
        return self._offer(call, call.login.key, "screen", name)

    def _offer(self, call: Call, key: KeyPart, kind: str, name: str) -> Response:
        ticket = secrets.token_urlsafe(checks.COOKIE_BYTES)
        link = self._book.offer(ticket, key, self._clock.unix_ns(), kind, name)
        # Behind the #, which no browser sends and no log has.
        return data({"url": f"{call.origin}/login#ticket={ticket}", "expires": link.expires_ns // 1_000_000})

    def _boot(self, call: Call) -> dict[str, object]:
        assert call.login is not None
        caller = call.who
        return {
            "version": __version__,
            "keyId": caller.key_id,
            "displayName": call.login.name or caller.display_name,
            "role": call.role.word,
            "scopes": sorted(caller.scopes),
            "kind": call.login.kind,
            "door": call.login.key.door or "key",
            "csrf": checks.csrf_token(call.token),
            "expires": call.login.expires_ns // 1_000_000,
            "now": self._clock.unix_ns() // 1_000_000,
            "interval": self._interval,
            "features": self._features,
        }

    def _record(self, call: Call, event: str, outcome: str, details: dict[str, object]) -> None:
        self._audit.add(
            AuditRecord(
                event=event,
                key_id=call.who.key_id,
                remote_address=call.address,
                correlation_id=call.correlation_id,
                outcome=outcome,
                details={"at": "dashboard", **details},
                # The call began before it was known who makes it.
                actor=call.actor,
                origin=DOOR,
            )
        )

    def failed(self, call: Call, key_id: str, why: str) -> None:
        """Notes that somebody was not let in, in a word for the audit."""
        self._audit.add_failure(
            AuditRecord(
                event="authentication-failed",
                key_id=key_id,
                remote_address=call.address,
                correlation_id=call.correlation_id,
                outcome=why,
                details={"method": "dashboard login"},
                # A person's id names its door already.
                actor=key_id if not key_id or ":" in key_id else f"key:{key_id}",
                origin=DOOR,
            )
        )
