"""Questions to a built Galaxy."""

from __future__ import annotations

import sqlite3
from typing import Any


def one(connection: sqlite3.Connection, sql: str, *parameters: Any) -> Any:
    row = connection.execute(sql, parameters).fetchone()
    return row[0] if row and len(row) == 1 else row
