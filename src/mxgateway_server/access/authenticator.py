"""Who calls: from an authorization header to a caller with scopes and constraints."""

from __future__ import annotations

import asyncio
import hmac
from collections import OrderedDict
from dataclasses import dataclass, field

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.constraints import FREE, Constraints
from mxgateway_server.access.keys import Pepper, PresentedKey, parse_authorization
from mxgateway_server.access.records import KeyRecord
from mxgateway_server.access.scopes import Scope
from mxgateway_server.access.store import KeyStore
from mxgateway_server.access.throttle import Throttle
from mxgateway_server.errors import AuthenticationError, KeyRefusal

MAX_CACHED_KEYS = 1024
_NO_HASH = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated caller.

    Attributes:
        secret_hash: of the secret that was shown: a key that is rotated, or made anew under the same id, is not this
            caller any more.
    """

    key_id: str
    scopes: frozenset[Scope]
    constraints: Constraints = FREE
    display_name: str = ""
    secret_hash: bytes = field(default=b"", repr=False)

    @property
    def is_admin(self) -> bool:
        return Scope.ADMIN in self.scopes


ANYONE = Caller(
    key_id="anonymous", scopes=frozenset(Scope), constraints=FREE, display_name="authentication is disabled"
)
"""The caller of a gateway whose authentication is disabled."""


class Authenticator:
    """Checks keys against the store, with a short memory and a throttle for those that fail."""

    def __init__(
        self, store: KeyStore, pepper: Pepper, clock: Clock, throttle: Throttle, cache_seconds: float = 2.0
    ) -> None:
        self._store = store
        self._pepper = pepper
        self._clock = clock
        self._throttle = throttle
        self._cache_seconds = cache_seconds
        self._cache: OrderedDict[str, tuple[float, KeyRecord, Caller, str]] = OrderedDict()
        self._checking: dict[str, asyncio.Lock] = {}
        self._used: dict[str, int] = {}

    async def authenticate(self, header: str, address: str) -> Caller:
        """The caller who shows this header from this address.

        Raises:
            AuthenticationError: no valid key; its text never says which part was wrong.
        """
        now = self._clock.monotonic()
        presented = parse_authorization(header)
        # By address and key: callers behind one address (a proxy, this machine) do not lock each other out, and
        # guessing ids is hopeless anyway.
        guesser = f"{address} {presented.key_id if presented is not None else ''}"
        if self._throttle.blocked_for(guesser, now):
            raise AuthenticationError(KeyRefusal.THROTTLED, presented.key_id if presented is not None else "")
        if presented is None:
            self._throttle.failed(guesser, now)
            raise AuthenticationError(KeyRefusal.MISSING_OR_MALFORMED)
        cached = self._cache.get(presented.key_id)
        # Another secret than the remembered one may be the new one of a key that was rotated meanwhile.
        if cached is None or not hmac.compare_digest(presented.secret, cached[3]):
            record, caller = await self._check(presented, guesser, now)
        elif now - cached[0] < self._cache_seconds:
            _, record, caller, _ = cached
        else:
            record, caller = await self._check_again(presented, guesser, now)
        now_ns = self._clock.unix_ns()
        refusal = record.refusal(now_ns)
        if refusal is not None:
            self._throttle.failed(guesser, now)
            raise AuthenticationError(refusal, record.key_id)
        self._throttle.succeeded(guesser)
        self._used[record.key_id] = now_ns
        return caller

    async def _check_again(self, presented: PresentedKey, guesser: str, now: float) -> tuple[KeyRecord, Caller]:
        """`_check` once for all calls that find the same remembered key out of date."""
        key_id = presented.key_id
        lock = self._checking.setdefault(key_id, asyncio.Lock())
        try:
            async with lock:
                cached = self._cache.get(key_id)
                is_known = cached is not None and hmac.compare_digest(presented.secret, cached[3])
                if cached is not None and is_known and self._clock.monotonic() - cached[0] < self._cache_seconds:
                    return cached[1], cached[2]
                return await self._check(presented, guesser, now)
        finally:
            if not lock.locked():
                self._checking.pop(key_id, None)

    async def _check(self, presented: PresentedKey, guesser: str, now: float) -> tuple[KeyRecord, Caller]:
        record = await self._store.get(presented.key_id)
        # The same work for an unknown key as for a known one, so that time does not tell which ids exist.
        is_right = self._pepper.verify(presented.secret, _NO_HASH if record is None else record.secret_hash)
        if record is None or not is_right:
            self._throttle.failed(guesser, now)
            kind = KeyRefusal.UNKNOWN if record is None else KeyRefusal.SECRET_MISMATCH
            raise AuthenticationError(kind, presented.key_id)
        caller = Caller(
            key_id=record.key_id,
            scopes=frozenset(record.scopes),
            constraints=record.constraints,
            display_name=record.display_name,
            secret_hash=record.secret_hash,
        )
        self._cache[record.key_id] = (now, record, caller, presented.secret)
        self._cache.move_to_end(record.key_id)
        while len(self._cache) > MAX_CACHED_KEYS:
            self._cache.popitem(last=False)
        return record, caller

    async def is_still_valid(self, caller: Caller) -> bool:
        """Whether the key that was valid when a stream began still is, with the secret that was shown then."""
        record = await self._store.get(caller.key_id)
        return (
            record is not None
            and hmac.compare_digest(record.secret_hash, caller.secret_hash)
            and record.refusal(self._clock.unix_ns()) is None
        )

    def forget(self, key_id: str) -> None:
        """Drops what is remembered of a key: it was revoked, rotated or deleted."""
        self._cache.pop(key_id, None)

    def put_back_used(self, used: dict[str, int]) -> None:
        """Takes back what could not be stored; later uses win."""
        self._used = {**used, **self._used}

    def take_used(self) -> dict[str, int]:
        """Keys used since the last call, with the time; for the store's last_used."""
        used, self._used = self._used, {}
        return used
