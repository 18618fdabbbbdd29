"""Who somebody is who has no key, and what his groups let him do. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mxgateway_server.access.scopes import Scope
from mxgateway_server.dashboard.logins import KeyPart
from mxgateway_server.dashboard.roles import Role

MAX_NAME = 200
MAX_GROUPS = 5000
MAX_TOLD = 20
_ID_LENGTH = 64
_COMMA = re.compile(r"(?<!\\),")
_SCOPES = {
    Role.NONE: frozenset[Scope](),
    Role.VIEWER: frozenset({Scope.DASHBOARD_VIEW}),
    Role.OPERATOR: frozenset({Scope.DASHBOARD_OPERATE, Scope.METADATA_READ, Scope.INVOKE_READ, Scope.EVENTS_READ}),
    Role.ADMIN: frozenset(
        {Scope.DASHBOARD_OPERATE, Scope.METADATA_READ, Scope.INVOKE_READ, Scope.EVENTS_READ, Scope.ADMIN}
    ),
}


class Door(StrEnum):
    """How a person is known."""

    OIDC = "oidc"
    LDAP = "ldap"
    PROXY = "proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody whom another system knows.

    Attributes:
        name: by which audit and pages know him.
        subject: what stays when the name changes; empty when the door has no such thing.
        session: the provider's own session, which it may end; empty when there is none.
        groups: as the door tells them.
    """

    door: Door
    name: str
    display_name: str = ""
    subject: str = ""
    session: str = ""
    groups: tuple[str, ...] = ()


def is_name(text: str) -> bool:
    """Whether this can be somebody's name: it stands in audit and log."""
    return 0 < len(text) <= MAX_NAME and text.isprintable() and text == text.strip()


def person_id(door: str, name: str) -> str:
    """Under which id a person acts, in place of a key's: no key has a colon in its id, so none is taken for another."""
    found = f"{door}:{name}"
    if len(found) <= _ID_LENGTH:
        return found
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{found[: _ID_LENGTH - 13]}~{digest}"


class RoleBook:
    """Which role the groups give.

    Args:
        roles: group → role by its word.
        doors: those that are open; who came by another one is nobody any more.
        acknowledges: whether operators among them acknowledge alarms.
    """

    def __init__(self, roles: Mapping[str, str], doors: Iterable[str], *, acknowledges: bool) -> None:
        self._doors = frozenset(doors)
        self.reconfigure(roles, acknowledges=acknowledges)

    def reconfigure(self, roles: Mapping[str, str], *, acknowledges: bool) -> None:
        """Other roles from now on, for those who are signed in too."""
        self._roles = {_folded(group): Role[word.upper()] for group, word in roles.items()}
        self._acknowledges = acknowledges

    def matching(self, groups: Iterable[str]) -> tuple[str, ...]:
        """Those of the groups that give a role: all that is kept of them."""
        found: dict[str, None] = {}
        for group in list(groups)[:MAX_GROUPS]:
            whole = _folded(group)
            name = whole if whole in self._roles else _leading(whole)
            if name in self._roles:
                found[name] = None
        return tuple(found)

    def role(self, groups: Iterable[str]) -> Role:
        """The highest role that one of these groups gives."""
        return max((self._roles[name] for name in self.matching(groups)), default=Role.NONE)

    def part(self, person: Person) -> KeyPart:
        """What a login keeps of a person."""
        return KeyPart(
            key_id=person_id(person.door, person.name),
            created_ns=0,
            secret_id="",
            door=person.door,
            display_name=person.display_name[:MAX_NAME],
            subject=person.subject,
            session=person.session,
            groups=self.matching(person.groups),
        )

    def scopes(self, part: KeyPart) -> frozenset[Scope]:
        """What a person may now; nothing when his door is closed, or no group gives a role any more."""
        role = self.role(part.groups)
        if part.door not in self._doors or role is Role.NONE:
            return frozenset()
        scopes = _SCOPES[role]
        if self._acknowledges and role >= Role.OPERATOR:
            scopes |= {Scope.INVOKE_WRITE}
        return scopes


def told_groups(groups: Iterable[str]) -> str:
    """Groups for a sentence: the first of many."""
    found = [group[:200] for group in groups]
    more = len(found) - MAX_TOLD
    return ", ".join(found[:MAX_TOLD]) + (f" and {more} more" if more > 0 else "")


def _folded(group: str) -> str:
    parts = [part.strip() for part in _COMMA.split(group)]
    return ",".join(parts).casefold()


def _leading(folded: str) -> str:
    """`ops` of `cn=ops,ou=groups,dc=plant`; nothing of what is no distinguished name."""
    first = _COMMA.split(folded)[0]
    kind, equals, name = first.partition("=")
    return name if equals and kind.isalnum() else ""
