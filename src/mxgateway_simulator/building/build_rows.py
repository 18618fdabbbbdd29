"""Rows on their way into a Galaxy database: collected per table, written in bulk, all in one transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Connection, Table, Uuid

from mxgateway_simulator.building import zb_schema

_CHUNK = 20_000


class RowWriter:
    """Takes rows by table and writes them in chunks; missing columns get the table's defaults."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: dict[str, list[tuple[Any, ...]]] = {}
        self._templates = {
            table.name: _row_template(table)
            for table in (*zb_schema.zb.sorted_tables, *zb_schema.simulator.sorted_tables)
        }
        self.counts: dict[str, int] = {}

    def add(self, table: Table, **values: Any) -> None:
        name = table.name
        rows = self._rows.setdefault(name, [])
        rows.append(tuple({**self._templates[name], **values}.values()))
        if len(rows) >= _CHUNK:
            self._write(name)

    def flush(self) -> None:
        for name in list(self._rows):
            self._write(name)

    def _write(self, name: str) -> None:
        rows = self._rows.pop(name)
        self.counts[name] = self.counts.get(name, 0) + len(rows)
        columns = self._templates[name]
        marks = ", ".join("?" * len(columns))
        # Names come from the schema; the driver's own executemany is three times as fast as one through Core types.
        self._connection.exec_driver_sql(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", rows)  # noqa: S608


def _row_template(table: Table) -> dict[str, Any]:
    template: dict[str, Any] = {}
    for column in table.columns:
        default = column.default.arg if column.default is not None and column.default.is_scalar else None  # type: ignore[attr-defined]
        if isinstance(column.type, Boolean):
            default = int(bool(default))
        elif isinstance(column.type, Uuid):
            default = None
        template[column.name] = default
    return template
