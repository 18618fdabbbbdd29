"""What the TDS endpoint answers to SQL: drivers' own questions from a list, all else by SQLite."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp

from tests.support.tds_server_tokens import Column

_VERSION = (
    "Microsoft SQL Server 2019 (RTM) - 15.0.2000.5 (X64) \n\tSep 24 2019 13:48:23 \n\tCopyright (C) 2019 Microsoft "
    "Corporation\n\tStandard Edition (64-bit) on Windows Server 2019 Standard 10.0 <X64> (Build 17763: )\n"
)
_IGNORED = re.compile(r"\s*(set|use|if\s+@@trancount|begin\s+tran|commit|rollback|exec\s+sp_reset)", re.IGNORECASE)
_CANNED: tuple[tuple[str, Any], ...] = (
    ("@@version", _VERSION),
    ("serverproperty('productversion')", "15.0.2000.5"),
    ("serverproperty", "15.0.2000.5"),
    ("schema_name()", "dbo"),
    ("test max support", "test max support"),
    ("transaction_isolation", "READ COMMITTED"),
    ("sys.system_views", "sys"),
    ("@@microsoftversion", 0x0F0007D0),
    ("@@trancount", 0),
    ("db_name()", "ZB"),
)
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@dataclass(frozen=True)
class Answer:
    """A result set, or with no columns a statement that has none."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]


class SqlError(Exception):
    """The statement cannot be answered; the text goes into an error token."""


def answer(database: Path, statement: str, parameters: dict[str, Any]) -> Answer:
    """The result of one T-SQL statement."""
    if _IGNORED.match(statement):
        return Answer((), ())
    folded = statement.casefold()
    if "fn_listextendedproperty" in folded:
        raise SqlError("Invalid object name 'fn_listextendedproperty'.")
    if " from " not in folded.replace("\n", " ") or "sys." in folded:
        for part, value in _CANNED:
            if part in folded:
                return Answer((Column("", "int" if isinstance(value, int) else "text"),), ((value,),))
        if "sysutcdatetime()" in folded:
            return Answer((Column("", "datetime"),), ((datetime.now(UTC).replace(tzinfo=None),),))
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        cursor = connection.execute(translate(statement), parameters)
        rows = cursor.fetchall()
        names = [column[0] for column in cursor.description or ()]
    except sqlite3.Error as problem:
        raise SqlError(str(problem)) from problem
    finally:
        connection.close()
    columns = [Column(name, _kind(name, [row[place] for row in rows])) for place, name in enumerate(names)]
    return Answer(columns, [[_value(column, one) for column, one in zip(columns, row, strict=True)] for row in rows])


@lru_cache(maxsize=256)
def translate(statement: str) -> str:
    """T-SQL as SQLite understands it."""
    try:
        tree = sqlglot.parse_one(statement, read="tsql")
    except sqlglot.errors.ParseError as problem:
        raise SqlError(f"Incorrect syntax: {problem}") from problem
    for national in list(tree.find_all(exp.National)):
        national.replace(exp.Literal.string(national.name))
    # `+` joins texts where an operand is a text literal or a parameter; all parameters in sums are texts here.
    sums = [one for one in tree.find_all(exp.Add) if any(_is_text(operand) for operand in _operands(one))]
    for one in sums:
        one.replace(exp.DPipe(this=one.this, expression=one.expression, safe=True))
    return tree.sql(dialect="sqlite")


def _is_text(node: exp.Expression) -> bool:
    return node.is_string or isinstance(node, exp.Parameter)


def _operands(node: exp.Expression) -> list[exp.Expression]:
    if isinstance(node, (exp.Add, exp.DPipe, exp.Paren)):
        return [one for side in node.iter_expressions() for one in _operands(side)]
    return [node]


def _kind(name: str, values: Sequence[Any]) -> str:
    known = next((value for value in values if value is not None), None)
    if name.startswith("time_of"):
        return "datetime"
    if name == "is_array":
        return "bit"
    if isinstance(known, int):
        return "int"
    if isinstance(known, float):
        return "float"
    return "binary" if isinstance(known, bytes) else "text"


def _value(column: Column, value: Any) -> Any:
    if column.kind == "datetime" and isinstance(value, str) and _TIME.match(value):
        return datetime.fromisoformat(value)
    return value
