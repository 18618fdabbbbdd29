"""The provider of identities, asked over HTTPS: what it offers, its keys, and who came back from it."""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from mxgateway_protocol.clock import Clock
from mxgateway_server.config.dashboard_sections import OidcSettings
from mxgateway_server.dashboard.people.oidc import tokens
from mxgateway_server.dashboard.people.oidc.attempts import Attempt
from mxgateway_server.dashboard.people.oidc.tokens import TokenError, UnknownKeyError
from mxgateway_server.dashboard.people.persons import Door, Person, is_name
from mxgateway_server.dashboard.people.secret_file import SecretFile
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

TIMEOUT_SECONDS = 8.0
"""How long the provider may take for one answer."""
WHOLE_SECONDS = 12.0
"""How long it may take for all answers of one step of a sign-in, the waiting for others who ask included."""
METADATA_SECONDS = 3600.0
KEYS_SECONDS = 60.0
MAX_ANSWER = 1024 * 1024
_LOCAL = ("localhost", "127.0.0.1", "::1")


class OidcError(Exception):
    """The provider cannot be asked, or what it says is not taken.

    Attributes:
        why: a word for the audit.
        is_outage: whether it may work in a minute.
        cause: what the provider or the network said, for whoever runs the gateway and for nobody who signs in.
    """

    def __init__(self, why: str, text: str, remedy: str = "", *, is_outage: bool = False, cause: str = "") -> None:
        self.why = why
        self.remedy = remedy
        self.cause = cause
        self.is_outage = is_outage
        super().__init__(text)


class OidcProvider:
    """One provider. Nothing is asked of it before somebody signs in.

    Raises:
        ConfigurationError: a file that the settings name is not what it should be.
    """

    def __init__(self, options: OidcSettings, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._secret = (
            SecretFile("dashboard.oidc.client_secret_file", options.client_secret_file)
            if options.client_secret_file
            else None
        )
        self._tls = _tls(options.ca_file)
        self._metadata: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._asking = asyncio.Lock()

    @property
    def button(self) -> str:
        """What the sign-in page calls it."""
        return self._options.button

    async def begin(self, redirect_uri: str, state: str, attempt: Attempt) -> str:
        """Where the browser goes to sign in.

        Raises:
            OidcError: the provider cannot be asked.
        """
        async with self._in_time():
            metadata = await self.metadata()
        offered = metadata.get("scopes_supported")
        scopes = [
            scope
            for scope in self._options.scopes
            if scope == "openid" or not isinstance(offered, list) or scope in offered
        ]
        return str(
            prepare_grant_uri(
                metadata["authorization_endpoint"],
                self._options.client_id,
                "code",
                redirect_uri,
                " ".join(scopes),
                state,
                nonce=attempt.nonce,
                code_challenge=create_s256_code_challenge(attempt.verifier),
                code_challenge_method="S256",
            )
        )

    async def finish(self, code: str, attempt: Attempt) -> Person:
        """Who came back with this code.

        Raises:
            OidcError: nobody whom we may take for somebody.
        """
        async with self._in_time():
            metadata = await self.metadata()
            token = await self._exchange(metadata, code, attempt)
            given = str(token.get("id_token") or "")
            claims = await self._checked(given, lambda keys, now: self._identity(given, keys, attempt, now))
            return await self._person(metadata, claims, str(token.get("access_token") or ""))

    async def ended(self, token: str) -> Mapping[str, Any]:
        """The claims of a logout token of the provider's.

        Raises:
            OidcError: it is none.
        """
        async with self._in_time():
            return await self._checked(
                token,
                lambda keys, now: tokens.read_logout(
                    token, keys, issuer=self._options.issuer, client_id=self._options.client_id, now=now
                ),
            )

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                yield
        except TimeoutError as error:
            raise self._outage(error) from None

    async def farewell(self, back: str) -> str:
        """Where the browser signs out at the provider too; empty when the provider has no such place.

        Args:
            back: where the provider sends it afterwards.
        """
        try:
            place = (await self.metadata()).get("end_session_endpoint")
        except OidcError:
            return ""
        if not isinstance(place, str) or not self._is_safe(place):
            return ""
        query = httpx2.QueryParams({"client_id": self._options.client_id, "post_logout_redirect_uri": back})
        return f"{place}{'&' if '?' in place else '?'}{query}"

    async def look(self) -> int:
        """Asks for what every sign-in needs before there is a person; returns how many keys the provider signs with.

        Raises:
            OidcError: a sign-in would fail.
        """
        await self.metadata()
        keys = len((await self._known_keys()).keys)
        await self._read_secret()
        return keys

    # ------------------------------------------------------------------------------------------------- what it offers

    async def metadata(self) -> Mapping[str, Any]:
        """What the provider says of itself, remembered for an hour.

        Raises:
            OidcError: it cannot be asked, or is another provider than the settings say.
        """
        async with self._asking:
            now = self._clock.monotonic()
            if self._metadata is not None and now - self._metadata[0] < METADATA_SECONDS:
                return self._metadata[1]
            found = OpenIDProviderMetadata(await self._get(get_well_known_url(self._options.issuer, external=True)))
            self._judge(found)
            self._metadata = now, dict(found)
            return self._metadata[1]

    def _judge(self, metadata: OpenIDProviderMetadata) -> None:
        if metadata.get("issuer") != self._options.issuer:
            raise self._misfit(
                "it calls itself by another issuer; copy dashboard.oidc.issuer from its discovery document"
            )
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not self._is_safe(metadata.get(name)):
                raise self._misfit(f"its {name} is no https address")
        methods = metadata.get("code_challenge_methods_supported")
        if isinstance(methods, list) and "S256" not in methods:
            raise self._misfit("it offers no PKCE with S256, which is needed here")

    def _misfit(self, what: str) -> OidcError:
        logger.warning("oidc_misfit", issuer=self._options.issuer, problem=what)
        return OidcError("provider", f"the provider is not the one of the settings: {what}", cause=what)

    def _is_safe(self, url: object) -> bool:
        if not isinstance(url, str):
            return False
        parts = urlsplit(url)
        is_local = urlsplit(self._options.issuer).scheme == "http" and parts.hostname in _LOCAL
        return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and is_local))

    # ---------------------------------------------------------------------------------------------------------- tokens

    async def _exchange(self, metadata: Mapping[str, Any], code: str, attempt: Attempt) -> Mapping[str, Any]:
        secret = await self._read_secret()
        offered = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "none" if not secret else "client_secret_basic"
        if secret and "client_secret_basic" not in offered and "client_secret_post" in offered:
            method = "client_secret_post"
        client = AsyncOAuth2Client(
            client_id=self._options.client_id,
            client_secret=secret or None,
            token_endpoint_auth_method=method,
            verify=self._tls,
            timeout=TIMEOUT_SECONDS,
        )
        try:
            async with client, asyncio.timeout(TIMEOUT_SECONDS):
                found: Mapping[str, Any] = await client.fetch_token(
                    metadata["token_endpoint"],
                    grant_type="authorization_code",
                    code=code,
                    redirect_uri=attempt.redirect_uri,
                    code_verifier=attempt.verifier,
                )
        except AuthlibBaseError as error:
            # Its description is the provider's own text; its name is one of a few.
            logger.warning("oidc_code_refused", issuer=self._options.issuer, error=str(error.error)[:60])
            if error.error in ("invalid_client", "unauthorized_client"):
                raise OidcError(
                    "client",
                    "the provider does not take this gateway for its client",
                    "look at dashboard.oidc.client_id and client_secret_file",
                ) from None
            raise OidcError("code", "the provider did not take the code that came back", "sign in again") from None
        except (httpx2.HTTPError, OSError, TimeoutError, ValueError) as error:
            raise self._outage(error) from None
        return found if isinstance(found, Mapping) else {}

    async def _read_secret(self) -> str:
        if self._secret is None:
            return ""
        try:
            return await asyncio.to_thread(self._secret.read)
        except ConfigurationError as error:
            logger.warning("oidc_secret_unread", problem=str(error))
            raise OidcError("secret", "the secret of this gateway cannot be read", str(error)) from None

    def _identity(self, token: str, keys: KeySet, attempt: Attempt, now: int) -> dict[str, Any]:
        options = self._options
        return tokens.read_identity(
            token, keys, issuer=options.issuer, client_id=options.client_id, nonce=attempt.nonce, now=now
        )

    async def _checked(self, token: str, check: Any) -> dict[str, Any]:
        now = self._clock.unix_ns() // 1_000_000_000
        try:
            try:
                found: dict[str, Any] = check(await self._known_keys(), now)
            except UnknownKeyError:
                # The provider may sign with a new key; a stranger's token must not make us ask all the time.
                if not await self._renew_keys():
                    raise
                found = check(await self._known_keys(), now)
        except TokenError as error:
            logger.warning("oidc_token_refused", issuer=self._options.issuer, why=error.why)
            remedy = "look at the clocks of gateway and provider" if error.why in ("expired", "issued") else ""
            raise OidcError(
                f"token-{error.why}", f"what the provider sent is not to be trusted ({error.why})", remedy
            ) from None
        return found

    async def _known_keys(self) -> KeySet:
        if self._keys is None:
            await self._renew_keys()
        assert self._keys is not None
        return self._keys[1]

    async def _renew_keys(self) -> bool:
        now = self._clock.monotonic()
        if self._keys is not None and now - self._keys[0] < KEYS_SECONDS:
            return False
        told = await self._get((await self.metadata())["jwks_uri"])
        try:
            self._keys = now, KeySet.import_key_set(told)  # type: ignore[arg-type]
        except (JoseError, ValueError, TypeError, KeyError):
            raise self._misfit("its keys cannot be read") from None
        return True

    # ---------------------------------------------------------------------------------------------------------- person

    async def _person(self, metadata: Mapping[str, Any], claims: Mapping[str, Any], access: str) -> Person:
        options = self._options
        known = dict(claims)
        is_whole = _at(known, options.groups_claim) is not None and _at(known, options.user_claim) is not None
        place = metadata.get("userinfo_endpoint")
        if not is_whole and access and self._is_safe(place):
            more = await self._get(str(place), access)
            if more.get("sub") == claims["sub"]:
                known = {**more, **claims}
        name = _at(known, options.user_claim) or claims["sub"]
        if not isinstance(name, str) or not is_name(name):
            raise OidcError(
                "name", "the provider's name for you cannot be written down", "see dashboard.oidc.user_claim"
            )
        shown = known.get("name")
        session = claims.get("sid")
        return Person(
            door=Door.OIDC,
            name=name,
            display_name=shown if isinstance(shown, str) and is_name(shown) else "",
            subject=str(claims["sub"]),
            session=session if isinstance(session, str) else "",
            groups=_texts(_at(known, options.groups_claim)),
        )

    # ------------------------------------------------------------------------------------------------------------ HTTP

    async def _get(self, url: str, access: str = "") -> dict[str, Any]:
        headers = {"accept": "application/json"} | ({"authorization": f"Bearer {access}"} if access else {})
        found = bytearray()
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                httpx2.AsyncClient(verify=self._tls, timeout=TIMEOUT_SECONDS) as client,
                client.stream("GET", url, headers=headers) as answer,
            ):
                if answer.status_code != 200:
                    raise self._outage(f"status {answer.status_code}")
                async for chunk in answer.aiter_bytes():
                    found += chunk
                    if len(found) > MAX_ANSWER:
                        raise self._outage("its answer is too long")
            told = json.loads(found)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError, ValueError, RecursionError) as error:
            raise self._outage(error) from None
        if not isinstance(told, dict):
            raise self._outage("its answer is no JSON object")
        return told

    def _outage(self, error: object) -> OidcError:
        logger.warning(
            "oidc_unreachable", issuer=self._options.issuer, error=type(error).__name__, problem=str(error)[:200]
        )
        return OidcError(
            "unreachable",
            "the provider of the sign-in does not answer as it should",
            "try again in a minute, or sign in with a key; the gateway's log has oidc_unreachable",
            is_outage=True,
            cause=_cause(error),
        )


def _cause(error: object) -> str:
    shown = error if not isinstance(error, Exception) or str(error) else type(error).__name__
    return str(shown)[:200]


def new_token() -> str:
    """A random text for a state, a nonce, a verifier or a cookie."""
    return secrets.token_urlsafe(32)


def _tls(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(Path(ca_file).expanduser()) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"dashboard.oidc.ca_file: {ca_file} holds no certificates that can be read ({error}); write them as PEM"
        ) from None


def _at(claims: Mapping[str, Any], path: str) -> Any:
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _texts(value: Any) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(each for each in given if isinstance(each, str) and each)
