"""Who calls: from an authorization header to a caller with scopes and constraints."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from dataclasses import dataclass, field

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.constraints import FREE, Constraints
from mxgateway_server.access.key_ring import KeyRing, Keys
from mxgateway_server.access.keys import PREFIX, PresentedKey, parse_authorization
from mxgateway_server.access.peppers import PepperRing
from mxgateway_server.access.records import KeyRecord, Rehashed
from mxgateway_server.access.scopes import Scope
from mxgateway_server.access.throttle import Throttle
from mxgateway_server.errors import AuthenticationError, KeyRefusal

MAX_CACHED_KEYS = 1024
_NO_HASH = bytes(32)
_ID_AT = len(f"Bearer {PREFIX}")
"""Where the id of a key begins in a header as clients write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated caller.

    Attributes:
        secret_hash: of the secret that was shown: a key that is rotated, or made anew under the same id, is not this
            caller any more.
        pepper_id: of the pepper in it: with another one the same secret has another hash.
        secret_id: of the secret, whatever it is hashed with.
        certificate: rule of the client certificate that its connections have to show; '' for none.
        created_ns: when the key was made, nanoseconds since 1970 UTC: one that is made anew under the same id is
            another key, and inherits nothing.
    """

    key_id: str
    scopes: frozenset[Scope]
    constraints: Constraints = FREE
    display_name: str = ""
    secret_hash: bytes = field(default=b"", repr=False)
    pepper_id: str = ""
    secret_id: str = ""
    certificate: str = ""
    created_ns: int = 0

    @property
    def is_admin(self) -> bool:
        return Scope.ADMIN in self.scopes


ANYONE = Caller(
    key_id="anonymous", scopes=frozenset(Scope), constraints=FREE, display_name="authentication is disabled"
)
"""The caller of a gateway whose authentication is disabled."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A secret that was right for this very record."""

    record: KeyRecord
    header: str = field(repr=False)
    secret: str = field(repr=False)
    caller: Caller


class Authenticator:
    """Checks keys against the ring, which follows the store, and makes those wait who fail.

    A secret that was right before is taken before anything else, so nobody locks another out by failing with his id.
    """

    def __init__(
        self, store: Keys, peppers: PepperRing, clock: Clock, throttle: Throttle, cache_seconds: float = 2.0
    ) -> None:
        self._ring = KeyRing(store, clock, cache_seconds)
        self._peppers = peppers
        self._clock = clock
        self.throttle = self._throttle = throttle
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()
        self._used: dict[str, int] = {}
        self._rehashed: dict[str, Rehashed] = {}

    def known(self, header: str) -> Caller | None:
        """The caller of a header that was right before, while nothing about its key has changed; without waiting.

        None is no refusal: `authenticate` says what the header is worth.
        """
        # An id has no underscore, and the scheme and the prefix stand before it.
        remembered = self._remembered.get(header[_ID_AT : header.find("_", _ID_AT)])
        if remembered is None or not self._ring.is_fresh:
            return None
        record = remembered.record
        # All of it is compared, in a time that tells nothing of where it differs.
        if (
            record is not self._ring.get(record.key_id)
            or not header.isascii()
            or not hmac.compare_digest(header, remembered.header)
        ):
            return None
        now_ns = self._clock.unix_ns()
        if record.refusal(now_ns) is not None:
            return None
        self._used[record.key_id] = now_ns
        return remembered.caller

    async def authenticate(self, header: str, address: str) -> Caller:
        """The caller who shows this header from this address.

        Raises:
            AuthenticationError: no valid key; its text never says which part was wrong.
        """
        presented = parse_authorization(header)
        if presented is None:
            raise self._failed(KeyRefusal.MISSING_OR_MALFORMED, address, "")
        if not self._ring.is_fresh:
            await self._ring.refresh()
        remembered = self._recall(presented)
        if remembered is None:
            remembered = await self._check(presented, header, address)
        record = remembered.record
        now_ns = self._clock.unix_ns()
        refusal = record.refusal(now_ns)
        if refusal is not None:
            raise self._failed(refusal, address, record.key_id, is_known=True)
        self._used[record.key_id] = now_ns
        return remembered.caller

    def _recall(self, presented: PresentedKey) -> _Remembered | None:
        remembered = self._remembered.get(presented.key_id)
        if remembered is None or remembered.record is not self._ring.get(presented.key_id):
            return None
        return remembered if hmac.compare_digest(presented.secret, remembered.secret) else None

    async def _check(self, presented: PresentedKey, header: str, address: str) -> _Remembered:
        key_id = presented.key_id
        self._stop_blocked(address, key_id)
        record = self._fitting(presented)
        if record is None and self._ring.admit_miss():
            # The key may have been made, or given another secret, a moment ago.
            await self._ring.look()
            record = self._fitting(presented)
        if record is None:
            is_known = self._ring.get(key_id) is not None
            kind = KeyRefusal.SECRET_MISMATCH if is_known else KeyRefusal.UNKNOWN
            raise self._failed(kind, address, key_id, is_known=is_known)
        self._throttle.succeeded(address, key_id)
        remembered = _Remembered(record, header, presented.secret, _caller(record))
        self._remembered[key_id] = remembered
        self._remembered.move_to_end(key_id)
        while len(self._remembered) > MAX_CACHED_KEYS:
            self._remembered.popitem(last=False)
        return remembered

    def _fitting(self, presented: PresentedKey) -> KeyRecord | None:
        record = self._ring.get(presented.key_id)
        newest = self._peppers.newest
        if record is None:
            # The same work for an unknown key as for a known one, so that time does not tell which ids exist.
            newest.verify(presented.secret, _NO_HASH)
            return None
        pepper = self._peppers.fitting(presented.secret, record.secret_hash, record.pepper_id)
        if pepper is None:
            return None
        if record.pepper_id != newest.pepper_id:
            after = newest.hash(presented.secret)
            self._rehashed[record.key_id] = Rehashed(record.secret_hash, after, newest.pepper_id)
        return record

    def _stop_blocked(self, address: str, key_id: str) -> None:
        now = self._clock.monotonic()
        known_id = key_id if self._ring.get(key_id) is not None else ""
        if self._throttle.blocked_for(address, known_id, now):
            raise AuthenticationError(KeyRefusal.THROTTLED, key_id)

    def _failed(self, kind: KeyRefusal, address: str, key_id: str, *, is_known: bool = False) -> AuthenticationError:
        now = self._clock.monotonic()
        if not is_known and self._throttle.blocked_for(address, "", now):
            return AuthenticationError(KeyRefusal.THROTTLED, key_id)
        # Ids that do not exist are the address's failures: there is no end of them.
        waits = self._throttle.failed(address, key_id if is_known else "", now)
        return AuthenticationError(kind, key_id, waits=waits)

    # ------------------------------------------------------------------------------------------- while callers are in

    def seconds_since_look(self) -> float:
        """Seconds since the store last answered; 0 before the first question."""
        return self._ring.age()

    async def look(self) -> None:
        """Learns of what has changed in the store."""
        await self._ring.look()

    def is_still_valid(self, caller: Caller) -> bool:
        """Whether the key that was valid when a stream began still is, with the secret and the rights of then."""
        record = self._ring.get(caller.key_id)
        return (
            record is not None
            and _has_secret(record, caller)
            and (frozenset(record.scopes), record.constraints) == (caller.scopes, caller.constraints)
            and record.certificate == caller.certificate
            and record.refusal(self._clock.unix_ns()) is None
        )

    def is_key_valid(self, key_id: str, created_ns: int) -> bool:
        """Whether the key that was made at this time still is, with whatever secret.

        Before the store has answered for the first time nothing is held against a session that was there already.
        """
        if ":" in key_id:
            return True  # a person of the dashboard, who has no key: there it is looked after him
        if not self._ring.has_looked:
            return True
        record = self._ring.get(key_id)
        return record is not None and record.created_ns == created_ns and record.refusal(self._clock.unix_ns()) is None

    async def caller_of(
        self, key_id: str, created_ns: int, secret_id: str, *, looks_anew: bool = False
    ) -> Caller | None:
        """Who showed this secret of this key once, with the rights of now; None when the key is not valid any more.

        Args:
            key_id: of the key.
            created_ns: when it was made.
            secret_id: of the secret that was shown.
            looks_anew: ask the store first; else only when it was never asked.
        """
        if looks_anew:
            await self._ring.look()
        elif not self._ring.has_looked:
            await self._ring.refresh()
        record = self._ring.get(key_id)
        if record is None or (record.created_ns, record.secret_id) != (created_ns, secret_id):
            return None
        return _caller(record) if record.refusal(self._clock.unix_ns()) is None else None

    def forget(self, key_id: str) -> None:
        """Drops what is remembered of a key: it was revoked, rotated or deleted."""
        self._remembered.pop(key_id, None)
        self._ring.forget()

    def take_rehashed(self) -> dict[str, Rehashed]:
        """Keys shown since the last call that an older pepper is in; for the store."""
        rehashed, self._rehashed = self._rehashed, {}
        return rehashed

    def put_back_rehashed(self, rehashed: dict[str, Rehashed]) -> None:
        """Takes back what could not be stored; later ones win."""
        self._rehashed = {**rehashed, **self._rehashed}

    def put_back_used(self, used: dict[str, int]) -> None:
        """Takes back what could not be stored; later uses win."""
        self._used = {**used, **self._used}

    def take_used(self) -> dict[str, int]:
        """Keys used since the last call, with the time; for the store's last_used."""
        used, self._used = self._used, {}
        return used


def _has_secret(record: KeyRecord, caller: Caller) -> bool:
    if record.secret_id != caller.secret_id:
        return False
    # Under another pepper the same secret is another hash.
    return record.pepper_id != caller.pepper_id or hmac.compare_digest(record.secret_hash, caller.secret_hash)


def _caller(record: KeyRecord) -> Caller:
    return Caller(
        key_id=record.key_id,
        scopes=frozenset(record.scopes),
        constraints=record.constraints,
        display_name=record.display_name,
        secret_hash=record.secret_hash,
        pepper_id=record.pepper_id,
        secret_id=record.secret_id,
        certificate=record.certificate,
        created_ns=record.created_ns,
    )
