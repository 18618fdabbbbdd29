"""A look at the key store before a gateway starts on it; changes nothing in it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import sqlalchemy as sa

from mxgateway_server.access import tables
from mxgateway_server.access.database import Database
from mxgateway_server.errors import ConfigurationError, SchemaVersionError


async def probe_store(database: str, *, migrates: bool) -> None:
    """Opens the key store; one that is not there yet is made at the start, so it is no fault.

    Args:
        database: path of a SQLite file, or a SQLAlchemy URL.
        migrates: whether the start brings an older schema to this version.

    Raises:
        SchemaVersionError: the schema is newer, or older while `migrates` is False.
        ConfigurationError: the database cannot be opened, or is damaged.
    """
    if not await asyncio.to_thread(_is_there, database):
        return
    connected = Database.connect(database)
    try:
        async with connected.read() as connection:
            version = await connection.run_sync(tables.check_version)
            if connection.dialect.name == "sqlite":
                said = (await connection.execute(sa.text("PRAGMA quick_check(1)"))).scalar_one()
                if said != "ok":
                    raise ConfigurationError(
                        f"authentication.database: {connected.name} is damaged: restore it from a backup"
                    )
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise ConfigurationError(f"authentication.database cannot be opened: {connected.problem(error)}") from error
    finally:
        await connected.close()
    if version < tables.CURRENT_VERSION and not migrates:
        raise SchemaVersionError(
            f"authentication.run_migrations_on_startup is off, but the key store has schema version {version}, and this"
            f" program needs {tables.CURRENT_VERSION}"
        )


def _is_there(database: str) -> bool:
    # A server is, or its own answer says that it is not.
    return "://" in database or Path(database).expanduser().exists()
