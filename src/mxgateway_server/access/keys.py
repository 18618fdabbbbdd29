"""The form of API keys.

A key is `mxgw_<key id>_<secret>`. The secret is 32 random bytes; the store holds only HMAC-SHA256 of it under a pepper
(see `peppers`), a secret of the gateway that lives elsewhere, so that a stolen database is worth nothing.
"""

from __future__ import annotations

import base64
import re
import secrets
from dataclasses import dataclass, field

PREFIX = "mxgw_"
SECRET_BYTES = 32
_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}\Z")
_SECRET = re.compile(r"[A-Za-z0-9_-]{20,128}\Z")
_MAX_HEADER = 400


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as a caller shows it."""

    key_id: str
    secret: str = field(repr=False)


def check_key_id(key_id: str) -> None:
    """Raises ValueError for an id that cannot stand in a key."""
    if not _KEY_ID.match(key_id):
        raise ValueError(
            f"key id {key_id[:70]!r}: use 1 to 64 letters, digits, dots and hyphens, with a letter or digit first"
        )


def parse_authorization(header: str) -> PresentedKey | None:
    """The key in an `authorization` header; None when there is none that could be valid.

    The scheme and the prefix are matched without regard to case.
    """
    if len(header) > _MAX_HEADER:
        return None
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.casefold() != "bearer" or token[: len(PREFIX)].casefold() != PREFIX:
        return None
    key_id, separator, secret = token[len(PREFIX) :].partition("_")
    if not separator or not _KEY_ID.match(key_id) or not _SECRET.match(secret):
        return None
    return PresentedKey(key_id, secret)


def new_secret() -> str:
    """A fresh secret, URL-safe base64 of 32 random bytes."""
    return base64.urlsafe_b64encode(secrets.token_bytes(SECRET_BYTES)).rstrip(b"=").decode()


def format_key(key_id: str, secret: str) -> str:
    """The raw key as the caller gets it, once."""
    return f"{PREFIX}{key_id}_{secret}"
