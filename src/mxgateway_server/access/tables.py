"""Tables of the key store, and its migrations."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from mxgateway_server.errors import SchemaVersionError

metadata = sa.MetaData()

schema_version = sa.Table("schema_version", metadata, sa.Column("version", sa.Integer, primary_key=True))

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("key_id", sa.String(64), primary_key=True),
    sa.Column("display_name", sa.String(200), nullable=False),
    sa.Column("secret_hash", sa.LargeBinary, nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("constraints", sa.JSON, nullable=False),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("not_before_ns", sa.BigInteger),
    sa.Column("expires_ns", sa.BigInteger),
    sa.Column("last_used_ns", sa.BigInteger),
    sa.Column("revoked_ns", sa.BigInteger),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("at_ns", sa.BigInteger, nullable=False, index=True),
    sa.Column("event", sa.String(40), nullable=False),
    sa.Column("key_id", sa.String(64), nullable=False, index=True),
    sa.Column("remote_address", sa.String(100), nullable=False),
    sa.Column("session_id", sa.String(64), nullable=False),
    sa.Column("correlation_id", sa.String(200), nullable=False),
    sa.Column("target", sa.String(1100), nullable=False),
    sa.Column("outcome", sa.String(60), nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
)


def _create(connection: sa.Connection) -> None:
    metadata.create_all(connection, tables=[api_keys, audit])


MIGRATIONS: tuple[tuple[int, Callable[[sa.Connection], None]], ...] = ((1, _create),)
"""Numbered steps, each in a transaction of its own; numbers only grow."""

CURRENT_VERSION = MIGRATIONS[-1][0]


def read_version(connection: sa.Connection) -> int:
    """The schema's version; 0 for an empty database."""
    if not sa.inspect(connection).has_table(schema_version.name):
        return 0
    return connection.execute(sa.select(sa.func.max(schema_version.c.version))).scalar() or 0


def check_version(connection: sa.Connection) -> int:
    """The schema's version.

    Raises:
        SchemaVersionError: it is newer than this program.
    """
    version = read_version(connection)
    if version > CURRENT_VERSION:
        raise SchemaVersionError(
            f"the key store has schema version {version} and this program knows up to {CURRENT_VERSION}; "
            "start the newer version, or restore the backup made before it"
        )
    return version


def migrate_one(connection: sa.Connection) -> bool:
    """Takes the next step inside the caller's transaction; False when there is none left."""
    version = check_version(connection)
    for number, step in MIGRATIONS:
        if number > version:
            schema_version.create(connection, checkfirst=True)
            step(connection)
            connection.execute(sa.insert(schema_version).values(version=number))
            return True
    return False
