"""Tables of the key store, and its migrations."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

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
    # Id of the pepper in `secret_hash`; '' in keys of before version 3 that were not shown since.
    sa.Column("pepper", sa.String(16), nullable=False, server_default=""),
    # Rule of the client certificate that the key is bound to; '' for none.
    sa.Column("certificate", sa.String(400), nullable=False, server_default=""),
    # `CATALOGUE_VERSION` of when the scopes were chosen.
    sa.Column("scope_catalogue", sa.Integer, nullable=False, server_default="0"),
    # Another text for each secret of a key: its hash may change while the secret stays.
    sa.Column("secret_id", sa.String(16), nullable=False, server_default=""),
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
    # Who did it, and by which door; '' in records of before version 5.
    sa.Column("actor", sa.String(100), nullable=False, server_default=""),
    sa.Column("origin", sa.String(20), nullable=False, server_default=""),
    # Ties the record to all before it; NULL in those of before version 2.
    sa.Column("chain", sa.String(64)),
    # For pages of one kind of event, the youngest first.
    sa.Index("ix_audit_event_id", "event", "id"),
)

facts = sa.Table(
    "facts",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.String(400), nullable=False),
)
"""What the store knows of itself: one row each of the names below."""

KEYS_VERSION = "keys_version"
KEYS_VERSION_QUESTION = "SELECT value FROM facts WHERE name = 'keys_version'"
"""The same as a statement of SQLite's, for who asks past SQLAlchemy."""
"""Grows with each change of a key that matters to callers: gateways look at it to learn of a revocation."""
PEPPER = "pepper"
"""Tells the newest pepper that keys were made with from others."""
AUDIT_KEY = "audit_key"
"""The key of the audit's chain, wrapped by a pepper; none while the pepper that it began under is the only one."""
AUDIT_HEAD = "audit_head"
"""The end of the audit's chain."""
AUDIT_ANCHOR = "audit_anchor"
"""Where the chain begins since records of before were let go for their age."""
AUDIT_PRUNED = "audit_pruned_to"
"""The last record that may be removed."""

_ADVISORY_LOCK = 0x6D786777
# Those of version 2; what came later was added to its triggers by its own step.
_KEY_COLUMNS = ("secret_hash", "scopes", "constraints", "not_before_ns", "expires_ns", "revoked_ns")


def _create(connection: sa.Connection) -> None:
    metadata.create_all(connection, tables=[api_keys, audit])


def _keep_watch(connection: sa.Connection) -> None:
    """Facts, a chain through the audit, and triggers: the audit is append-only, and changes of keys are counted."""
    if "chain" not in {column["name"] for column in sa.inspect(connection).get_columns(audit.name)}:
        connection.exec_driver_sql("ALTER TABLE audit ADD COLUMN chain VARCHAR(64)")
    facts.create(connection, checkfirst=True)
    rows = [
        {"name": KEYS_VERSION, "value": "0"},
        {"name": AUDIT_HEAD, "value": ""},
        {"name": AUDIT_PRUNED, "value": "0"},
    ]
    connection.execute(sa.insert(facts), rows)
    statements = {"sqlite": _sqlite_triggers, "postgresql": _postgresql_triggers}.get(connection.dialect.name)
    for statement in statements() if statements is not None else ():
        connection.exec_driver_sql(statement)


def _describe_keys(connection: sa.Connection) -> None:
    """Which pepper each key was made with, which secret it has, and which scopes there were to choose from."""
    columns = {
        "pepper": "VARCHAR(16) NOT NULL DEFAULT ''",
        "secret_id": "VARCHAR(16) NOT NULL DEFAULT ''",
        "scope_catalogue": "INTEGER NOT NULL DEFAULT 0",
    }
    _add_columns(connection, columns)
    known = connection.execute(sa.select(facts.c.value).where(facts.c.name == PEPPER)).scalar_one_or_none()
    if known:
        connection.execute(sa.update(api_keys).values(pepper=known[:16]))


def _bind_certificates(connection: sa.Connection) -> None:
    """The client certificate that a key is bound to; a change of it counts as the others do."""
    _add_columns(connection, {"certificate": "VARCHAR(400) NOT NULL DEFAULT ''"})
    bound = "CREATE TRIGGER key_bound AFTER UPDATE OF certificate ON api_keys"
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"{bound} BEGIN {_SQLITE_COUNT}; END")
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"{bound} FOR EACH STATEMENT EXECUTE FUNCTION mxgw_keys_changed()")


def _name_actors(connection: sa.Connection) -> None:
    """Who did what, and an index for pages of the audit."""
    columns = {"actor": "VARCHAR(100) NOT NULL DEFAULT ''", "origin": "VARCHAR(20) NOT NULL DEFAULT ''"}
    _add_columns(connection, columns, audit)
    connection.exec_driver_sql("CREATE INDEX IF NOT EXISTS ix_audit_event_id ON audit (event, id)")


def _add_columns(connection: sa.Connection, columns: dict[str, str], table: sa.Table = api_keys) -> None:
    """Columns that are not there yet: a new store was made with all of them."""
    there = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
    for name, kind in columns.items():
        if name not in there:
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {name} {kind}")


_SQLITE_COUNT = "UPDATE facts SET value = CAST(value AS INTEGER) + 1 WHERE name = 'keys_version'"


def _sqlite_triggers() -> list[str]:
    count = _SQLITE_COUNT
    pruned = "(SELECT CAST(value AS INTEGER) FROM facts WHERE name = 'audit_pruned_to')"
    refuse = "SELECT RAISE(ABORT, 'the audit is append-only')"
    return [
        f"CREATE TRIGGER audit_update BEFORE UPDATE ON audit BEGIN {refuse}; END",
        f"CREATE TRIGGER audit_delete BEFORE DELETE ON audit WHEN OLD.id > {pruned} BEGIN {refuse}; END",
        f"CREATE TRIGGER key_insert AFTER INSERT ON api_keys BEGIN {count}; END",
        f"CREATE TRIGGER key_delete AFTER DELETE ON api_keys BEGIN {count}; END",
        f"CREATE TRIGGER key_update AFTER UPDATE OF {', '.join(_KEY_COLUMNS)} ON api_keys BEGIN {count}; END",
    ]


def _postgresql_triggers() -> list[str]:
    function = "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
    pruned = "(SELECT CAST(value AS BIGINT) FROM facts WHERE name = 'audit_pruned_to')"
    refuse = "RAISE EXCEPTION 'the audit is append-only';"
    count = "UPDATE facts SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE name = 'keys_version';"
    return [
        function.format(name="mxgw_audit_refuse", body=refuse),
        function.format(name="mxgw_audit_delete", body=f"IF OLD.id > {pruned} THEN {refuse} END IF; RETURN OLD;"),
        function.format(name="mxgw_keys_changed", body=f"{count} RETURN NULL;"),
        "CREATE TRIGGER audit_update BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION mxgw_audit_refuse()",
        "CREATE TRIGGER audit_truncate BEFORE TRUNCATE ON audit EXECUTE FUNCTION mxgw_audit_refuse()",
        "CREATE TRIGGER audit_delete BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION mxgw_audit_delete()",
        f"CREATE TRIGGER key_change AFTER INSERT OR DELETE OR UPDATE OF {', '.join(_KEY_COLUMNS)} ON api_keys "
        "FOR EACH STATEMENT EXECUTE FUNCTION mxgw_keys_changed()",
    ]


MIGRATIONS: tuple[tuple[int, Callable[[sa.Connection], None]], ...] = (
    (1, _create),
    (2, _keep_watch),
    (3, _describe_keys),
    (4, _bind_certificates),
    (5, _name_actors),
)
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
    if connection.dialect.name == "postgresql":
        # Several gateways may start on one empty database; SQLite's writers wait for each other anyway.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
    version = check_version(connection)
    for number, step in MIGRATIONS:
        if number > version:
            schema_version.create(connection, checkfirst=True)
            step(connection)
            connection.execute(sa.insert(schema_version).values(version=number))
            return True
    return False


async def read_fact(connection: AsyncConnection, name: str, *, lock: bool = False) -> str | None:
    """A fact; None when it is not known. `lock` makes other writers wait until the transaction ends."""
    query = sa.select(facts.c.value).where(facts.c.name == name)
    found = await connection.execute(query.with_for_update() if lock else query)
    value: str | None = found.scalar_one_or_none()
    return value


async def write_fact(connection: AsyncConnection, name: str, value: str) -> None:
    """Notes a fact in place of what was known."""
    changed = await connection.execute(sa.update(facts).where(facts.c.name == name).values(value=value))
    if changed.rowcount == 0:
        await connection.execute(sa.insert(facts).values(name=name, value=value))


async def count_change(connection: AsyncConnection) -> None:
    """Lets every gateway know that keys have changed."""
    version = await read_fact(connection, KEYS_VERSION, lock=True)
    await write_fact(connection, KEYS_VERSION, str(int(version or 0) + 1))
