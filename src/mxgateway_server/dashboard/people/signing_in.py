"""The routes by which people sign in who have no key."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from starlette.responses import Response

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.throttle import Throttle
from mxgateway_server.dashboard.calls import Call, ProblemError, data
from mxgateway_server.dashboard.checks import is_local_path
from mxgateway_server.dashboard.limits import RequestLimit
from mxgateway_server.dashboard.logins import KeyPart, Login, LoginBook, hash_of
from mxgateway_server.dashboard.people.directories import DirectoryError
from mxgateway_server.dashboard.people.oidc.attempts import Attempt, Attempts
from mxgateway_server.dashboard.people.opening import Doors
from mxgateway_server.dashboard.people.persons import Door, Person, is_name, told_groups
from mxgateway_server.dashboard.roles import Role
from mxgateway_server.dashboard.signing_in import SigningIn
from mxgateway_server.logs import get_logger

if TYPE_CHECKING:
    from mxgateway_server.dashboard.people.oidc.provider import OidcError

logger = get_logger(__name__)

CALLBACK = "/login/oidc"
_COOKIE_SECONDS = 600
_COOKIE_LENGTH = 43


class PeopleSigningIn:
    """Lets people in by each door that is open.

    Args:
        begin: makes the login of whoever is let in.
        cookie_name: of the login's cookie, which the one of a sign-in on its way is named after.
        throttles: of failures by name and address, and of failures by address alone.

    Attributes:
        oidc, ldap, proxy: the doors; None for one that is closed.
        limit: how often one address may ask at the provider's door.
    """

    def __init__(
        self,
        signing_in: SigningIn,
        book: LoginBook,
        doors: Doors,
        clock: Clock,
        *,
        cookie_name: Callable[[Call], str],
        throttles: tuple[Throttle, Throttle],
    ) -> None:
        self._signing_in = signing_in
        self._book = book
        self._roles = doors.roles
        self._clock = clock
        self._cookie_name = cookie_name
        self._names, self._addresses = throttles
        self.oidc, self.ldap, self.proxy = doors.oidc, doors.ldap, doors.proxy
        self.limit = RequestLimit(per_second=1.0, burst=30.0)
        self._used_logouts: dict[str, int] = {}
        self._attempts = Attempts()

    def doors(self, call: Call) -> dict[str, object]:
        """What the sign-in page offers."""
        person = None if self.proxy is None else self.proxy.person(call.peer, call.request.headers)
        return {
            "oidc": None if self.oidc is None else self.oidc.button,
            "ldap": self.ldap is not None,
            "proxy": None if person is None else person.name,
        }

    # ------------------------------------------------------------------------------------------------------------ proxy

    async def by_proxy(self, call: Call) -> Response:
        """Signs in whom the proxy in front has let in."""
        assert self.proxy is not None
        person = self.proxy.person(call.peer, call.request.headers)
        if person is None:
            self._signing_in.failed(call, "", "proxy")
            raise ProblemError(
                401,
                "PROXY",
                "no proxy that is trusted here says who you are",
                "come by the proxy's address; see dashboard.trusted_proxies and dashboard.proxy_login",
            )
        return await self._let_in(call, person)

    # -------------------------------------------------------------------------------------------------------- directory

    async def by_directory(self, call: Call) -> Response:
        """Signs in by name and password."""
        assert self.ldap is not None
        name, password = call.text("user", at_most=200).lower(), call.secret("password")
        self._stop_blocked(call, name)
        try:
            person = await self.ldap.person(name, password)
        except DirectoryError as error:
            if error.why in ("refused", "several"):
                self._count_failure(call, name)
            self._signing_in.failed(call, f"ldap:{name}"[:64] if is_name(name) else "", f"ldap-{error.why}")
            status = 503 if error.why in ("unreachable", "account") else 401
            raise ProblemError(
                status,
                "LDAP_UNREACHABLE" if status == 503 else "UNAUTHENTICATED",
                str(error),
                error.remedy,
                retry_after=5.0 if status == 503 else None,
            ) from None
        self._names.succeeded(call.address, name)
        return await self._let_in(call, person)

    def end(self) -> None:
        """Gives up what is asked of the directory: nobody waits for the answer any more."""
        if self.ldap is not None:
            self.ldap.end()

    def _stop_blocked(self, call: Call, name: str) -> None:
        now = self._clock.monotonic()
        wait = max(self._names.blocked_for(call.address, name, now), self._addresses.blocked_for(call.address, "", now))
        if wait:
            raise ProblemError(429, "THROTTLED", "too many attempts failed; wait a minute", retry_after=wait)

    def _count_failure(self, call: Call, name: str) -> None:
        now = self._clock.monotonic()
        self._names.failed(call.address, name, now)
        self._addresses.failed(call.address, "", now)

    # ------------------------------------------------------------------------------------------------------------- OIDC

    async def begin_oidc(self, call: Call) -> Response:
        """Where the browser goes, with a cookie by which it is known when it comes back."""
        from mxgateway_server.dashboard.people.oidc.provider import OidcError, new_token

        assert self.oidc is not None
        self._admit(call)
        back = call.text("return", at_most=1000)
        # Two pages of one browser may sign in at once: they share the cookie, and each has a state of its own.
        binding = self._binding(call) or new_token()
        state = new_token()
        attempt = Attempt(
            binding_hash=hash_of(binding),
            nonce=new_token(),
            verifier=new_token(),
            redirect_uri=call.origin + CALLBACK,
            back=back if is_local_path(back) else "/",
            begun_ns=self._clock.unix_ns(),
        )
        try:
            url = await self.oidc.begin(attempt.redirect_uri, state, attempt)
        except OidcError as error:
            raise _oidc_problem(error) from None
        self._attempts.begin(state, attempt)
        response = data({"url": url})
        response.set_cookie(
            self._oidc_cookie(call),
            binding,
            max_age=_COOKIE_SECONDS,
            path="/",
            secure=call.is_https,
            httponly=True,
            samesite="lax",
        )
        return response

    async def finish_oidc(self, call: Call) -> Response:
        """Signs in who comes back from the provider."""
        from mxgateway_server.dashboard.people.oidc.provider import OidcError

        assert self.oidc is not None
        self._admit(call)
        code, state = call.text("code", at_most=4000), call.text("state", at_most=200)
        attempt = self._attempts.take(state, self._binding(call), self._clock.unix_ns())
        if attempt is None:
            self._signing_in.failed(call, "", "oidc-state")
            raise ProblemError(
                401,
                "OIDC_STATE",
                "this sign-in was not begun by this browser, is over already, or took too long",
                "sign in again; if that does not help, allow cookies for this address",
            )
        if not code:
            self._signing_in.failed(call, "", "oidc-denied")
            raise ProblemError(401, "OIDC_DENIED", "the provider did not sign you in", "sign in again")
        try:
            person = await self.oidc.finish(code, attempt)
        except OidcError as error:
            self._signing_in.failed(call, "", f"oidc-{error.why}")
            raise _oidc_problem(error) from None
        return await self._let_in(call, person, back=attempt.back)

    async def end_oidc(self, call: Call) -> Response:
        """Ends the logins of somebody whom the provider tells of: he signed out there."""
        from mxgateway_server.dashboard.people.oidc.provider import OidcError

        assert self.oidc is not None
        self._admit(call)
        token = parse_qs(call.form.decode("latin-1")).get("logout_token", [""])[0]
        try:
            claims = await self.oidc.ended(token)
        except OidcError as error:
            self._signing_in.failed(call, "", f"oidc-logout-{error.why}")
            raise ProblemError(400, "LOGOUT_TOKEN", "this is no logout token of the provider's") from None
        now = self._clock.unix_ns()
        self._used_logouts = {jti: at for jti, at in self._used_logouts.items() if now - at < 600 * 1_000_000_000}
        if claims["jti"] in self._used_logouts:
            raise ProblemError(400, "LOGOUT_TOKEN", "this logout token was used already")
        self._used_logouts[claims["jti"]] = now
        subject, session = claims.get("sub", ""), claims.get("sid", "")

        def is_meant(part: KeyPart) -> bool:
            return part.door == Door.OIDC and (part.session == session if session else part.subject == subject)

        count = self._book.end_those(is_meant)
        await self._signing_in.store()
        logger.info("oidc_logout", logins=count)
        return data({"logins": count})

    async def farewell(self, login: Login, origin: str) -> str:
        """Where somebody who signs out here signs out too; empty for nowhere."""
        if self.oidc is None or login.key.door != Door.OIDC or login.is_screen:
            return ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                return await self.oidc.farewell(f"{origin}/login?out")
        return ""

    def _admit(self, call: Call) -> None:
        if not self.limit.admit(call.address, self._clock.monotonic()):
            raise ProblemError(429, "THROTTLED", "too many sign-ins at once; wait a moment", retry_after=5.0)

    def _oidc_cookie(self, call: Call) -> str:
        return f"{self._cookie_name(call)}-oidc"

    def _binding(self, call: Call) -> str:
        found = call.request.cookies.get(self._oidc_cookie(call), "")
        return found if len(found) == _COOKIE_LENGTH and found.isascii() else ""

    # -------------------------------------------------------------------------------------------------------------- all

    async def _let_in(self, call: Call, person: Person, back: str = "") -> Response:
        part = self._roles.part(person)
        if self._roles.role(part.groups) is Role.NONE:
            self._signing_in.failed(call, part.key_id, "role")
            seen = told_groups(person.groups)
            raise ProblemError(
                403,
                "ROLE",
                f"you are known as {person.name}, but have no role here"
                + (f"; your groups are: {seen}" if seen else "; no groups of yours were told"),
                "an administrator gives one of your groups a role (dashboard.roles)"
                if seen
                else "see dashboard.oidc.groups_claim, dashboard.ldap.group_attribute or "
                "dashboard.proxy_login.groups_header",
            )
        return await self._signing_in.begin(call, part, str(person.door), "", back=back)


def _oidc_problem(error: OidcError) -> ProblemError:
    if error.is_outage:
        return ProblemError(503, "OIDC_UNREACHABLE", str(error), error.remedy, retry_after=5.0)
    return ProblemError(401, "OIDC", str(error), error.remedy)
