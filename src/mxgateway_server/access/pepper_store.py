"""What the key store notes of peppers: which one each key was made with, which is the newest, and the audit's own key.

The audit's chain has to outlive the pepper that it began under, so its key is kept in the store, wrapped by the newest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from sqlalchemy.ext.asyncio import AsyncConnection

from mxgateway_server.access import tables
from mxgateway_server.access.database import Database
from mxgateway_server.access.peppers import Pepper, PepperRing, PepperSource
from mxgateway_server.errors import ConfigurationError

_NAMED = 5
_WITHOUT_IT = (
    "When it is lost for good, no key of that store can be used again: move the store away, start, and make new keys"
)


@dataclass(frozen=True, slots=True)
class PepperUse:
    """One pepper and the keys that were made with it, revoked ones left out.

    Attributes:
        pepper_id: '' for keys of an earlier version, of which nobody noted it and which were not shown since.
        key_ids: in order.
        is_here: whether the gateway has it.
        is_newest: whether new keys are made with it.
    """

    pepper_id: str
    key_ids: tuple[str, ...]
    is_here: bool
    is_newest: bool


async def settle(database: Database, source: PepperSource, *, needs_all: bool) -> tuple[PepperRing, bytes]:
    """The peppers of this store's keys, and the key of its audit's chain.

    A store of an earlier version does not know its pepper; it learns it from the first key that proves it right.

    Args:
        needs_all: whether each key that is not revoked has to find its pepper.

    Raises:
        ConfigurationError: one is gone, or they are others than the keys'.
    """
    peppers: Sequence[Pepper] = source.load()
    async with database.read() as connection:
        known = await tables.read_fact(connection, tables.PEPPER)
    if not peppers:
        peppers, known = await _first(database, source)
    ring = PepperRing(peppers, source)
    async with database.read() as connection:
        chain_key = await _chain_key(connection, ring, known)
        uses = await read_uses(connection, ring)
    if chain_key is None:
        raise ConfigurationError(
            f"{source.setting} is not the one that the keys in {database.name} were made with: restore both "
            f"from the same backup. {_WITHOUT_IT}"
        )
    missing = [use for use in uses if use.pepper_id and not use.is_here]
    if missing and needs_all:
        raise ConfigurationError(_missing(database, source, missing))
    if known is not None and known != ring.newest.verifier:
        async with database.write() as connection:
            await note_newest(connection, ring, chain_key)
    return ring, chain_key


async def note_newest(connection: AsyncConnection, ring: PepperRing, chain_key: bytes) -> None:
    """Hands the audit's key over to the newest pepper, and lets running gateways know that there is one."""
    newest = ring.newest
    wrapped = aes_key_wrap(newest.derive("audit key"), chain_key)
    await tables.write_fact(connection, tables.AUDIT_KEY, f"{newest.pepper_id}:{wrapped.hex()}")
    await tables.write_fact(connection, tables.PEPPER, newest.verifier)
    await tables.count_change(connection)


async def read_uses(connection: AsyncConnection, ring: PepperRing) -> list[PepperUse]:
    """Every pepper that the gateway has, the newest first, then those that only keys know."""
    keys = tables.api_keys
    statement = sa.select(keys.c.pepper, keys.c.key_id).where(keys.c.revoked_ns.is_(None)).order_by(keys.c.key_id)
    found: dict[str, list[str]] = {pepper.pepper_id: [] for pepper in ring}
    for pepper_id, key_id in await connection.execute(statement):
        found.setdefault(pepper_id or "", []).append(key_id)
    newest = ring.newest.pepper_id
    return [
        PepperUse(pepper_id, tuple(key_ids), is_here=pepper_id in ring, is_newest=pepper_id == newest)
        for pepper_id, key_ids in found.items()
    ]


async def _first(database: Database, source: PepperSource) -> tuple[Sequence[Pepper], str | None]:
    async with database.write() as connection:
        # Another gateway may have made it meanwhile.
        peppers, known = source.load(), await tables.read_fact(connection, tables.PEPPER)
        if peppers:
            return peppers, known
        keys = (await connection.execute(sa.select(sa.func.count()).select_from(tables.api_keys))).scalar()
        if known is not None or keys:
            raise ConfigurationError(
                f"{source.setting} is gone, and the keys in {database.name} were made with it: "
                f"restore it from its backup. {_WITHOUT_IT}"
            )
        return source.make(), known


async def _chain_key(connection: AsyncConnection, ring: PepperRing, known: str | None) -> bytes | None:
    """The key of the audit's chain; None when no pepper that is here opens it."""
    wrapped = await tables.read_fact(connection, tables.AUDIT_KEY)
    if wrapped is None:
        # As long as there was one pepper only, the key is made from that one.
        first = ring.newest if known is None else next((each for each in ring if each.verifier == known), None)
        return None if first is None else first.derive("audit chain")
    data = bytes.fromhex(wrapped.partition(":")[2])
    for pepper in ring:
        try:
            return aes_key_unwrap(pepper.derive("audit key"), data)
        except InvalidUnwrap:
            continue
    return None


def _missing(database: Database, source: PepperSource, missing: Sequence[PepperUse]) -> str:
    key_ids = [key_id for use in missing for key_id in use.key_ids]
    named = ", ".join(key_ids[:_NAMED]) + (f" and {len(key_ids) - _NAMED} more" if len(key_ids) > _NAMED else "")
    return (
        f"{source.setting} lacks the pepper {' and '.join(use.pepper_id for use in missing)}, and keys in "
        f"{database.name} were made with it ({named}): put it back behind the newest, from its backup. When it is lost "
        "for good, give these keys new secrets with mxgateway apikey rotate, or end them with mxgateway apikey revoke"
    )
