"""The keys: which there are and what they may, and making, rotating, revoking and deleting them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from mxgateway_protocol.clock import Clock
from mxgateway_server.access.audit import AuditLog
from mxgateway_server.access.authenticator import Authenticator
from mxgateway_server.access.records import AuditRecord, KeyRecord
from mxgateway_server.access.scopes import Scope
from mxgateway_server.access.store import KeyStore
from mxgateway_server.dashboard.calls import Call, ProblemError, data
from mxgateway_server.dashboard.roles import role_of
from mxgateway_server.errors import KeyExistsError, KeyNotFoundError, KeyStateError

_DAY_NS = 86_400 * 1_000_000_000
MAX_DAYS = 3650


class KeyRoutes:
    """The routes under `/keys`."""

    def __init__(self, store: KeyStore, authenticator: Authenticator | None, audit: AuditLog, clock: Clock) -> None:
        self._store = store
        self._authenticator = authenticator
        self._audit = audit
        self._clock = clock

    async def listed(self, call: Call) -> Response:
        """All keys, and which scopes there are; no secret and no hash of one."""
        now = self._clock.unix_ns()
        keys = [_shown(key, now) for key in await self._store.list_keys()]
        return data({"keys": keys, "scopes": [str(scope) for scope in Scope]})

    async def create(self, call: Call) -> Response:
        """A new key; its secret is told here and never again."""
        scopes = call.body.get("scopes")
        if not isinstance(scopes, list):
            raise ProblemError(400, "INVALID_REQUEST", "scopes: choose at least one")
        days = call.body.get("days")
        if days is not None and (not isinstance(days, int) or isinstance(days, bool) or not 0 < days <= MAX_DAYS):
            raise ProblemError(400, "INVALID_REQUEST", f"days: a whole number from 1 to {MAX_DAYS}, or nothing")
        key_id = call.text("keyId", at_most=64, is_needed=True)
        try:
            raw = await self._store.create(
                key_id,
                call.text("displayName", at_most=200) or key_id,
                [str(each) for each in scopes],
                expires_ns=None if days is None else self._clock.unix_ns() + days * _DAY_NS,
            )
        except ValueError as error:
            raise ProblemError(400, "INVALID_REQUEST", str(error)) from None
        except KeyExistsError as error:
            raise ProblemError(409, "KEY_EXISTS", str(error)) from None
        await self._did(call, "dashboard.key-create", key_id)
        return data({"keyId": key_id, "apiKey": raw})

    async def rotate(self, call: Call) -> Response:
        """A new secret for a key; the old one is void at once."""
        key_id = call.path("key_id")
        raw = await self._change(self._store.rotate(key_id))
        await self._did(call, "dashboard.key-rotate", key_id)
        return data({"keyId": key_id, "apiKey": raw})

    async def revoke(self, call: Call) -> Response:
        """Ends a key for good."""
        key_id = call.path("key_id")
        if key_id == call.who.key_id:
            raise ProblemError(409, "OWN_KEY", "this is the key that you are signed in with", "sign in with another")
        changed = await self._change(self._store.revoke(key_id))
        await self._did(call, "dashboard.key-revoke", key_id)
        return data({"keyId": key_id, "wasValid": bool(changed)})

    async def delete(self, call: Call) -> Response:
        """Forgets a revoked key."""
        key_id = call.path("key_id")
        await self._change(self._store.delete(key_id))
        await self._did(call, "dashboard.key-delete", key_id)
        return data({"keyId": key_id})

    async def _change(self, work: Any) -> Any:
        try:
            return await work
        except KeyNotFoundError as error:
            raise ProblemError(404, "KEY_NOT_FOUND", str(error)) from None
        except KeyStateError as error:
            raise ProblemError(409, "KEY_STATE", str(error)) from None

    async def _did(self, call: Call, event: str, key_id: str) -> None:
        if self._authenticator is not None:
            self._authenticator.forget(key_id)
            await self._authenticator.look()
        # The store has noted what became of the key; this says who did it, from where and why.
        self._audit.add(
            AuditRecord(
                event=event,
                key_id=call.who.key_id,
                remote_address=call.address,
                correlation_id=call.correlation_id,
                target=key_id,
                outcome="ok",
                details={"role": call.role.word, "reason": call.text("reason", at_most=300)},
            )
        )


def _shown(key: KeyRecord, now_ns: int) -> dict[str, object]:
    refusal = key.refusal(now_ns)
    return {
        "keyId": key.key_id,
        "displayName": key.display_name,
        "state": "valid" if refusal is None else refusal.name.lower(),
        "role": role_of(key.scopes).word,
        "scopes": [str(scope) for scope in key.scopes],
        "limits": key.constraints.to_json(),
        "created": key.created_ns // 1_000_000,
        "expires": None if key.expires_ns is None else key.expires_ns // 1_000_000,
        "lastUsed": None if key.last_used_ns is None else key.last_used_ns // 1_000_000,
        "revoked": None if key.revoked_ns is None else key.revoked_ns // 1_000_000,
        "certificate": key.certificate,
    }
