"""Who is signed in: logins and one-time links by the hashes of their tokens. Pure; a file keeps them elsewhere.

A login is bound to the secret of the key that made it, or to the groups of a person, and holds no rights: what these
give is looked up each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

MAX_LOGINS = 1000
MAX_LINKS = 100
_SECOND = 1_000_000_000
_IDLE_STEP_NS = 30 * _SECOND
"""A use is noted when the last one that was noted is so long ago: not every request makes a change to store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPart:
    """Who signed in: a key with its secret of then, by an id that is not the secret, or a person without a key.

    Attributes:
        door: how a person is known; empty for a key, and then so is all that follows.
        display_name: of a person.
        subject: what stays of a person when his name changes.
        session: the session of a person's provider, which the provider may end.
        groups: those of a person's groups that gave a role.
    """

    key_id: str
    created_ns: int
    secret_id: str
    door: str = ""
    display_name: str = ""
    subject: str = ""
    session: str = ""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One browser that is signed in; times in nanoseconds since 1970 UTC.

    Attributes:
        token_hash: SHA-256 of its token, in hex.
        address: where it signed in from.
        kind: `key` for who showed a key, `link` by a one-time link, `screen` for a display that only looks, else the
            door by which a person came.
        name: of a screen.
        used_ns: last request of the person, not of the page by itself.
        expires_ns: end, however much it is used.
    """

    token_hash: str
    key: KeyPart
    address: str
    kind: str
    created_ns: int
    used_ns: int
    expires_ns: int
    name: str = ""

    @property
    def is_screen(self) -> bool:
        return self.kind == "screen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A sign-in link: it lets in once, and soon not at all."""

    key: KeyPart
    kind: str
    expires_ns: int
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginTimes:
    """How long logins last, in seconds."""

    login: float
    idle: float
    screen: float
    link: float = 120.0


def hash_of(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class LoginBook:
    """All logins. Tokens are made by the caller, who has the randomness; `now_ns` is nanoseconds since 1970 UTC.

    Attributes:
        version: grows with each change that is worth storing.
    """

    def __init__(self, times: LoginTimes, logins: Iterable[Login] = ()) -> None:
        self._times = times
        self._logins = {login.token_hash: login for login in logins}
        self._links: dict[str, Link] = {}
        self.version = 0

    def __len__(self) -> int:
        return len(self._logins)

    def reconfigure(self, times: LoginTimes) -> None:
        """Other times: of idling from now on, of logins for those that begin."""
        self._times = times

    @property
    def logins(self) -> tuple[Login, ...]:
        return tuple(self._logins.values())

    def begin(self, token: str, key: KeyPart, address: str, now_ns: int, kind: str = "key", name: str = "") -> Login:
        """A new login; of too many the one goes that was used the longest ago."""
        self.drop_ended(now_ns)
        while len(self._logins) >= MAX_LOGINS:
            del self._logins[min(self._logins.values(), key=lambda login: login.used_ns).token_hash]
        seconds = self._times.screen if kind == "screen" else self._times.login
        login = Login(
            token_hash=hash_of(token),
            key=key,
            address=address,
            kind=kind,
            created_ns=now_ns,
            used_ns=now_ns,
            expires_ns=now_ns + int(seconds * _SECOND),
            name=name,
        )
        self._logins[login.token_hash] = login
        self.version += 1
        return login

    def find(self, token: str, now_ns: int) -> Login | None:
        """The login of this token, unless its time is over."""
        login = self._logins.get(hash_of(token))
        return login if login is not None and self._is_alive(login, now_ns) else None

    def is_alive(self, login: Login, now_ns: int) -> bool:
        """Whether a login that was found goes on."""
        current = self._logins.get(login.token_hash)
        return current is not None and self._is_alive(current, now_ns)

    def use(self, login: Login, now_ns: int) -> None:
        """Notes that the person did something."""
        current = self._logins.get(login.token_hash)
        if current is not None and now_ns - current.used_ns >= _IDLE_STEP_NS:
            self._logins[login.token_hash] = replace(current, used_ns=now_ns)
            self.version += 1

    def end(self, login: Login) -> None:
        """Signs out."""
        if self._logins.pop(login.token_hash, None) is not None:
            self.version += 1

    def end_all(self, key_id: str) -> int:
        """Signs out every browser of a key, or of a person; returns how many."""
        return self.end_those(lambda key: key.key_id == key_id)

    def end_those(self, ends: Callable[[KeyPart], bool]) -> int:
        """Signs out every browser of those for whom `ends` says so; returns how many."""
        found = [login for login in self._logins.values() if ends(login.key)]
        for login in found:
            self.end(login)
        return len(found)

    def drop_ended(self, now_ns: int) -> None:
        """Forgets logins and links whose time is over."""
        for login in [each for each in self._logins.values() if not self._is_alive(each, now_ns)]:
            self.end(login)
        self._links = {digest: link for digest, link in self._links.items() if now_ns < link.expires_ns}

    def _is_alive(self, login: Login, now_ns: int) -> bool:
        if not login.created_ns - 60 * _SECOND <= now_ns < login.expires_ns:
            # A clock that was set back must not lengthen anything.
            return False
        return login.is_screen or now_ns - login.used_ns < self._times.idle * _SECOND

    # --------------------------------------------------------------------------------------------------- one-time links

    def offer(self, ticket: str, key: KeyPart, now_ns: int, kind: str = "link", name: str = "") -> Link:
        """A link that lets in once."""
        self.drop_ended(now_ns)
        while len(self._links) >= MAX_LINKS:
            del self._links[next(iter(self._links))]
        link = Link(key=key, kind=kind, expires_ns=now_ns + int(self._times.link * _SECOND), name=name)
        self._links[hash_of(ticket)] = link
        return link

    def take(self, ticket: str, now_ns: int) -> Link | None:
        """What a link offers, the first time and in time; it is void from then on."""
        link = self._links.pop(hash_of(ticket), None)
        return link if link is not None and now_ns < link.expires_ns else None


def to_json(logins: Iterable[Login]) -> list[dict[str, Any]]:
    """Logins as they are stored."""
    return [
        {
            "tokenHash": login.token_hash,
            "keyId": login.key.key_id,
            "keyCreatedNs": login.key.created_ns,
            "secretId": login.key.secret_id,
            "address": login.address,
            "kind": login.kind,
            "createdNs": login.created_ns,
            "usedNs": login.used_ns,
            "expiresNs": login.expires_ns,
            "name": login.name,
            **_person_to_json(login.key),
        }
        for login in logins
    ]


def from_json(rows: Iterable[Mapping[str, Any]]) -> list[Login]:
    """Logins as they were stored.

    Raises:
        KeyError, TypeError, ValueError: something else was.
    """
    return [
        Login(
            token_hash=str(row["tokenHash"]),
            key=KeyPart(
                key_id=str(row["keyId"]),
                created_ns=int(row["keyCreatedNs"]),
                secret_id=str(row["secretId"]),
                **_person_from_json(row),
            ),
            address=str(row["address"]),
            kind=str(row["kind"]),
            created_ns=int(row["createdNs"]),
            used_ns=int(row["usedNs"]),
            expires_ns=int(row["expiresNs"]),
            name=str(row["name"]),
        )
        for row in rows
    ]


def _person_to_json(key: KeyPart) -> dict[str, Any]:
    if not key.door:
        return {}
    return {
        "door": key.door,
        "displayName": key.display_name,
        "subject": key.subject,
        "session": key.session,
        "groups": list(key.groups),
    }


def _person_from_json(row: Mapping[str, Any]) -> dict[str, Any]:
    if "door" not in row:
        return {}
    return {
        "door": str(row["door"]),
        "display_name": str(row["displayName"]),
        "subject": str(row["subject"]),
        "session": str(row["session"]),
        "groups": tuple(str(group) for group in row["groups"]),
    }
