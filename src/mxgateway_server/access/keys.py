"""The form of API keys, and how they are hashed.

A key is `mxgw_<key id>_<secret>`. The secret is 32 random bytes; the store holds only HMAC-SHA256 of it under the
pepper, a secret of the gateway that lives in a file of its own, so that a stolen database is worth nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from mxgateway_contract.private_files import write_private
from mxgateway_server.errors import ConfigurationError

PREFIX = "mxgw_"
SECRET_BYTES = 32
PEPPER_BYTES = 32
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


class Pepper:
    """The secret that keys are hashed with."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Pepper(...)"

    def hash(self, secret: str) -> bytes:
        return hmac.digest(self._value, secret.encode(), hashlib.sha256)

    def verify(self, secret: str, stored: bytes) -> bool:
        """Whether the secret is the stored one; takes the same time either way."""
        return hmac.compare_digest(self.hash(secret), stored)


def load_pepper(path: Path) -> Pepper:
    """The pepper from its file, made on first use (0600).

    Raises:
        ConfigurationError: the file cannot be read, made or is not a pepper.
    """
    try:
        data = path.read_bytes().strip()
    except FileNotFoundError:
        data = _make_pepper(path)
    except OSError as error:
        raise ConfigurationError(
            f"authentication.pepper_file {path}: {error.strerror}; make it readable for the gateway's user"
        ) from None
    try:
        value = base64.urlsafe_b64decode(data)
    except ValueError:
        value = b""
    if len(value) < PEPPER_BYTES:
        raise ConfigurationError(
            f"authentication.pepper_file {path}: not a pepper ({PEPPER_BYTES} bytes in URL-safe base64); restore it "
            "from a backup, or remove it and make new keys"
        )
    return Pepper(value)


def _make_pepper(path: Path) -> bytes:
    data = base64.urlsafe_b64encode(secrets.token_bytes(PEPPER_BYTES))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, data + b"\n", exclusive=True)
    except FileExistsError:
        # Another process was first: its pepper counts.
        return path.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(
            f"authentication.pepper_file {path}: {error.strerror}; choose a state_dir that the gateway may write"
        ) from None
    return data
