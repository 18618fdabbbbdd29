"""What the key store holds: keys, and the audit's records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mxgateway_server.access.constraints import Constraints
from mxgateway_server.access.scopes import CATALOGUE_VERSION, Scope, newer_scopes
from mxgateway_server.errors import KeyRefusal


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """One key as it is stored; times in nanoseconds since 1970 UTC, None for never.

    Attributes:
        pepper_id: of the pepper in `secret_hash`; '' where nobody noted it.
        secret_id: another text for each secret that the key has had.
        certificate: rule of the client certificate that it is bound to, see `certificates`; '' for none.
        scope_catalogue: `scopes.CATALOGUE_VERSION` of when its scopes were chosen.
    """

    key_id: str
    display_name: str
    scopes: tuple[Scope, ...]
    constraints: Constraints
    created_ns: int
    not_before_ns: int | None
    expires_ns: int | None
    last_used_ns: int | None
    revoked_ns: int | None
    secret_hash: bytes = field(repr=False)
    pepper_id: str = ""
    secret_id: str = ""
    certificate: str = ""
    scope_catalogue: int = CATALOGUE_VERSION

    @property
    def newer_scopes(self) -> tuple[Scope, ...]:
        """Scopes that were taken out of one of its own after these were chosen, and that it does not have."""
        return newer_scopes(self.scopes, self.scope_catalogue)

    def refusal(self, now_ns: int) -> KeyRefusal | None:
        """Why the key is not valid now, for the audit; None when it is."""
        if self.revoked_ns is not None:
            return KeyRefusal.REVOKED
        if self.not_before_ns is not None and now_ns < self.not_before_ns:
            return KeyRefusal.NOT_YET_VALID
        if self.expires_ns is not None and now_ns >= self.expires_ns:
            return KeyRefusal.EXPIRED
        return None


@dataclass(frozen=True, slots=True)
class Rehashed:
    """A key that was shown and is hashed with an older pepper than the newest.

    Attributes:
        before: its hash as it is stored.
        after: its hash by the newest pepper.
        pepper_id: of the newest pepper.
    """

    before: bytes = field(repr=False)
    after: bytes = field(repr=False)
    pepper_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """Something that happened to a key, was refused, or was written to the plant.

    Never a secret, and a value only where settings ask for it.

    Attributes:
        actor: who did it, see `actors.Actor`; the key when nobody is named.
        origin: by which door.
        record_id: number in the store; 0 for one that is not stored yet.
    """

    event: str
    key_id: str = ""
    remote_address: str = ""
    session_id: str = ""
    correlation_id: str = ""
    target: str = ""
    outcome: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    at_ns: int = 0
    actor: str = ""
    origin: str = ""
    record_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which records are wanted; None for any.

    Attributes:
        tag: glob with * and ?, without regard to case.
        since_ns: at this time or later, nanoseconds since 1970 UTC.
        until_ns: before this time.
        actor: done by exactly this one.
        origin: by this door.
        target: with exactly this target.
        after_id: with a larger id.
        before_id: with a smaller id: the page before one that began with it; None for the youngest.
        limit: at most so many, the youngest.
    """

    key_id: str | None = None
    event: str | None = None
    tag: str | None = None
    session_id: str | None = None
    correlation_id: str | None = None
    outcome: str | None = None
    actor: str | None = None
    origin: str | None = None
    target: str | None = None
    since_ns: int = 0
    until_ns: int | None = None
    after_id: int = 0
    before_id: int | None = None
    limit: int = 100
