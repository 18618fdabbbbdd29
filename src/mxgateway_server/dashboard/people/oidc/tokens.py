"""Whether a token of the provider is what it says: signature, issuer, audience, times, nonce. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import Key, KeySet
from joserfc.jwt import JWTClaimsRegistry

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""Signatures with the provider's private key. `none`, and HS256, whose secret could be the public key, are not here."""
SKEW_SECONDS = 60
MAX_TOKEN = 64 * 1024
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class TokenError(Exception):
    """A token that is not taken; `why` is a word for audit and log."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"the token is not taken: {why}")


class UnknownKeyError(TokenError):
    """It was signed with a key that is not known: the provider may have a new one."""

    def __init__(self) -> None:
        super().__init__("key")


def read(token: str, keys: KeySet, *, issuer: str, client_id: str, now: int) -> dict[str, Any]:
    """The claims of a token that the provider made for us and that is valid now.

    Args:
        now: seconds since 1970 UTC.

    Raises:
        UnknownKeyError: none of the keys signed it.
        TokenError: it is not to be trusted.
    """
    if not token or len(token) > MAX_TOKEN:
        raise TokenError("form")
    try:
        header = jws.extract_compact(token.encode()).headers()
        if header.get("alg") not in ALGORITHMS:
            raise TokenError("algorithm")
        claims = jwt.decode(token, _key(header, keys), algorithms=ALGORITHMS).claims
        _registry(issuer, client_id, now).validate(claims)
    except BadSignatureError:
        raise TokenError("signature") from None
    except ExpiredTokenError:
        raise TokenError("expired") from None
    except (InvalidClaimError, MissingClaimError) as error:
        raise TokenError(_claim(error)) from None
    except UnsupportedAlgorithmError:
        raise TokenError("algorithm") from None
    except (JoseError, ValueError, TypeError):
        raise TokenError("form") from None
    _check_party(claims, client_id)
    return claims


def read_identity(token: str, keys: KeySet, *, issuer: str, client_id: str, nonce: str, now: int) -> dict[str, Any]:
    """The claims of an ID token that answers our question and no other; errors as of `read`."""
    claims = read(token, keys, issuer=issuer, client_id=client_id, now=now)
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise TokenError("nonce")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise TokenError("subject")
    return claims


def read_logout(token: str, keys: KeySet, *, issuer: str, client_id: str, now: int) -> dict[str, Any]:
    """The claims of a logout token, which ends sessions by itself; errors as of `read`."""
    claims = read(token, keys, issuer=issuer, client_id=client_id, now=now)
    events = claims.get("events")
    if not isinstance(events, dict) or LOGOUT_EVENT not in events:
        raise TokenError("event")
    if "nonce" in claims or not isinstance(claims.get("jti"), str):
        # An ID token must not be good for this.
        raise TokenError("event")
    if not (claims.get("sub") or claims.get("sid")):
        raise TokenError("subject")
    return claims


def _key(header: Mapping[str, Any], keys: KeySet) -> Key:
    fitting = [key for key in keys.keys if key.get("use") in (None, "sig")]
    wanted = header.get("kid")
    if wanted is not None:
        fitting = [key for key in fitting if key.kid == wanted]
    if len(fitting) != 1:
        raise UnknownKeyError
    return fitting[0]


def _registry(issuer: str, client_id: str, now: int) -> JWTClaimsRegistry:
    return JWTClaimsRegistry(
        now=now,
        leeway=SKEW_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        exp={"essential": True},
        iat={"essential": True},
    )


def _claim(error: InvalidClaimError | MissingClaimError) -> str:
    names = {"iss": "issuer", "aud": "audience", "iat": "issued", "nbf": "issued", "exp": "expired"}
    found = getattr(error, "claim", "") or ""
    return names.get(found, "claims")


def _check_party(claims: Mapping[str, Any], client_id: str) -> None:
    audience, party = claims["aud"], claims.get("azp")
    if party is not None and party != client_id:
        raise TokenError("audience")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise TokenError("audience")
