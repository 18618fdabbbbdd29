"""The form of API keys, and how they are hashed.

A key is `mxgw_<key id>_<secret>`. The secret is 32 random bytes; the store holds only HMAC-SHA256 of it under the
pepper, a secret of the gateway that lives in a file of its own, so that a stolen database is worth nothing.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from mxgateway_contract.private_files import write_private
from mxgateway_contract.windows_rights import make_private_folder
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.state import require_private, why_not

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

    def load(self) -> Pepper:
        """Itself: a pepper that is known already stands where its file may."""
        return self

    @property
    def verifier(self) -> str:
        """Tells this pepper from others, and gives nothing of it away; the key store keeps it."""
        return self.derive("pepper verifier").hex()

    def derive(self, purpose: str) -> bytes:
        """A key for another purpose, from which nobody gets back to the pepper."""
        return hmac.digest(self._value, f"mxaccess-gateway {purpose}".encode(), hashlib.sha256)

    def make(self) -> Pepper:
        """Itself, as `load`."""
        return self

    def hash(self, secret: str) -> bytes:
        return hmac.digest(self._value, secret.encode(), hashlib.sha256)

    def verify(self, secret: str, stored: bytes) -> bool:
        """Whether the secret is the stored one; takes the same time either way."""
        return hmac.compare_digest(self.hash(secret), stored)


class PepperFile:
    """The file that the pepper lives in; with the keys that were made with it, it is all that lets callers in."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Pepper | None:
        """The pepper; None when there is no file.

        Raises:
            ConfigurationError: the file cannot be read, or is not a pepper.
        """
        require_private("authentication.pepper_file", self.path)
        try:
            data = self.path.read_bytes().strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigurationError(
                f"authentication.pepper_file {self.path}: {why_not(error, self.path)}; make it readable for the "
                "gateway's user"
            ) from None
        try:
            value = base64.urlsafe_b64decode(data)
        except ValueError:
            value = b""
        if len(value) < PEPPER_BYTES:
            raise ConfigurationError(
                f"authentication.pepper_file {self.path}: not a pepper ({PEPPER_BYTES} bytes in URL-safe base64); "
                "restore it from a backup, or remove it and make new keys"
            )
        return Pepper(value)

    def make(self) -> Pepper:
        """A new pepper, or that of another process which was first.

        Raises:
            ConfigurationError: the file cannot be made.
        """
        data = base64.urlsafe_b64encode(secrets.token_bytes(PEPPER_BYTES)) + b"\n"
        try:
            make_private_folder(self.path.parent)
            with contextlib.suppress(FileExistsError):
                write_private(self.path, data, exclusive=True)
        except OSError as error:
            raise ConfigurationError(
                f"authentication.pepper_file {self.path}: {why_not(error, self.path)}; choose a state_dir that the "
                "gateway may write"
            ) from None
        pepper = self.load()
        if pepper is None:
            raise ConfigurationError(f"authentication.pepper_file {self.path}: it vanished while it was made")
        return pepper


def load_pepper(path: Path) -> Pepper:
    """The pepper from its file, made on first use (0600).

    Raises:
        ConfigurationError: the file cannot be read, made or is not a pepper.
    """
    file = PepperFile(path)
    return file.load() or file.make()
