"""The peppers: secrets of the gateway that keys are hashed with, which live apart from the key store.

There is a ring of them, so that a pepper can be replaced: new keys are hashed with the newest, each older key with the
one it was made with until it is shown again, and a pepper that no key needs any more is retired.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from mxgateway_contract.private_files import write_private
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.state import make_state_folder, require_private, why_not

PEPPER_BYTES = 32
MAX_PEPPERS = 16
_ID_DIGITS = 16
_BETWEEN = re.compile(r"[\s,]+")
_FORM = f"{PEPPER_BYTES} bytes or more in base64"


class Pepper:
    """One secret that keys are hashed with."""

    setting = "the pepper"

    def __init__(self, value: bytes) -> None:
        self._value = value

    def __repr__(self) -> str:
        return "Pepper(...)"

    @property
    def verifier(self) -> str:
        """Tells this pepper from others, and gives nothing of it away; the key store keeps it."""
        return self.derive("pepper verifier").hex()

    @property
    def pepper_id(self) -> str:
        """The beginning of the verifier: what keys and commands name a pepper by."""
        return self.verifier[:_ID_DIGITS]

    def derive(self, purpose: str) -> bytes:
        """A key for another purpose, 32 bytes, from which nobody gets back to the pepper."""
        return hmac.digest(self._value, f"mxaccess-gateway {purpose}".encode(), hashlib.sha256)

    def hash(self, secret: str) -> bytes:
        return hmac.digest(self._value, secret.encode(), hashlib.sha256)

    def verify(self, secret: str, stored: bytes) -> bool:
        """Whether the secret is the stored one; takes the same time either way."""
        return hmac.compare_digest(self.hash(secret), stored)

    def load(self) -> tuple[Pepper, ...]:
        """Itself, as a source: a pepper that is known already stands where its file may."""
        return (self,)

    def make(self) -> tuple[Pepper, ...]:
        return (self,)


class PepperSource(Protocol):
    """Where the peppers come from.

    Attributes:
        setting: what errors call it.
    """

    setting: str

    def load(self) -> tuple[Pepper, ...]:
        """The peppers, the newest first; none when there are none yet.

        Raises:
            ConfigurationError: they cannot be read, or are none.
        """
        ...

    def make(self) -> tuple[Pepper, ...]:
        """A first one, kept where `load` finds it; that of another process which was first, likewise.

        Raises:
            ConfigurationError: it cannot be made there.
        """
        ...


class PepperRing:
    """The peppers that a gateway knows.

    Args:
        peppers: at least one, the newest first.
        source: where they came from, to look again.
    """

    def __init__(self, peppers: Sequence[Pepper], source: PepperSource) -> None:
        self._source = source
        self._peppers: tuple[Pepper, ...] = ()
        self._by_id: dict[str, Pepper] = {}
        self._take(peppers)

    @property
    def setting(self) -> str:
        return self._source.setting

    @property
    def newest(self) -> Pepper:
        """What new keys are hashed with."""
        return self._peppers[0]

    def __iter__(self) -> Iterator[Pepper]:
        return iter(self._peppers)

    def __contains__(self, pepper_id: str) -> bool:
        return pepper_id in self._by_id

    def reload(self) -> None:
        """Takes what the source has now: another process may have added one.

        Raises:
            ConfigurationError: nothing could be read; the ring stays as it was.
        """
        found = self._source.load()
        if found:
            self._take(found)

    def fitting(self, secret: str, stored: bytes, pepper_id: str) -> Pepper | None:
        """The pepper with which this secret gives what is stored; None when none does.

        Args:
            pepper_id: of the pepper that was used; '' where nobody noted it.
        """
        known = self._by_id.get(pepper_id)
        if known is not None:
            return known if known.verify(secret, stored) else None
        if pepper_id:
            # Its pepper is not here: as much work as for one that is.
            self.newest.verify(secret, stored)
            return None
        return next((pepper for pepper in self._peppers if pepper.verify(secret, stored)), None)

    def _take(self, peppers: Sequence[Pepper]) -> None:
        self._peppers = tuple(peppers)
        self._by_id = {pepper.pepper_id: pepper for pepper in self._peppers}


class PepperFile:
    """The file that the peppers live in, one a line; with the keys that were made with them, all that lets callers in.

    Attributes:
        path: where it is.
    """

    setting = "authentication.pepper_file"

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> tuple[Pepper, ...]:
        require_private(self.setting, self.path)
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ConfigurationError(
                f"{self.setting} {self.path}: {why_not(error, self.path)}; make it readable for the gateway's user"
            ) from None
        found = _parse(text.decode("ascii", "replace"))
        if not found:
            raise ConfigurationError(
                f"{self.setting} {self.path}: not a pepper ({_FORM}, one a line, the newest first); restore it from a "
                "backup, or remove it and make new keys"
            )
        return found

    def make(self) -> tuple[Pepper, ...]:
        try:
            make_state_folder(self.path.parent)
            with contextlib.suppress(FileExistsError):
                write_private(self.path, _line(secrets.token_bytes(PEPPER_BYTES)), exclusive=True)
        except OSError as error:
            raise ConfigurationError(
                f"{self.setting} {self.path}: {why_not(error, self.path)}; choose a state_dir that the gateway may "
                "write"
            ) from None
        found = self.load()
        if not found:
            raise ConfigurationError(f"{self.setting} {self.path}: it vanished while it was made")
        return found

    def add(self) -> tuple[Pepper, ...]:
        """A new pepper before the others.

        Raises:
            ConfigurationError: the file cannot be read or written, or has as many as it may.
        """
        found = self.load()
        if len(found) >= MAX_PEPPERS:
            raise ConfigurationError(
                f"{self.setting} {self.path}: it has {len(found)} peppers; retire those that no key needs with "
                "mxgateway pepper retire"
            )
        self._rewrite([_line(secrets.token_bytes(PEPPER_BYTES)), *_lines(found)])
        return self.load()

    def retire(self, pepper_ids: frozenset[str]) -> None:
        """Takes peppers out of the file.

        Raises:
            ConfigurationError: the file cannot be read or written.
        """
        self._rewrite(_lines([pepper for pepper in self.load() if pepper.pepper_id not in pepper_ids]))

    def _rewrite(self, lines: Sequence[bytes]) -> None:
        try:
            write_private(self.path, b"".join(lines))
        except OSError as error:
            raise ConfigurationError(f"{self.setting} {self.path}: {why_not(error, self.path)}") from None


class PepperVariable:
    """An environment variable that holds the peppers; never written, and never repeated in any text.

    Args:
        name: of the variable.
        environment: where it is looked up.
    """

    setting = "authentication.pepper_variable"

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        self._name = name
        self._environment = environment

    def load(self) -> tuple[Pepper, ...]:
        text = self._environment.get(self._name, "").strip()
        if not text:
            raise ConfigurationError(
                f"{self.setting} names an environment variable that is not set; set it for the gateway's service and "
                f"for mxgateway commands ({_FORM}), or leave the setting out for a file in the state directory"
            )
        found = _parse(text)
        if not found:
            raise ConfigurationError(
                f"{self.setting} names an environment variable that holds no pepper ({_FORM}; several with blanks "
                "between, the newest first); correct it"
            )
        return found

    def make(self) -> tuple[Pepper, ...]:
        return self.load()


def load_pepper(path: Path) -> Pepper:
    """The newest pepper of a file, which is made on first use (0600).

    Raises:
        ConfigurationError: the file cannot be read, made or is not a pepper.
    """
    file = PepperFile(path)
    return (file.load() or file.make())[0]


def _parse(text: str) -> tuple[Pepper, ...]:
    """The peppers of a text; none when one of them is none."""
    found: dict[str, Pepper] = {}
    for word in _BETWEEN.split(text.strip()):
        try:
            value = base64.urlsafe_b64decode(word + "=" * (-len(word) % 4))
        except ValueError:
            return ()
        if len(value) < PEPPER_BYTES:
            return ()
        pepper = Pepper(value)
        found.setdefault(pepper.pepper_id, pepper)
    return tuple(found.values())


def _line(value: bytes) -> bytes:
    return base64.urlsafe_b64encode(value) + b"\n"


def _lines(peppers: Sequence[Pepper]) -> list[bytes]:
    return [_line(pepper._value) for pepper in peppers]
