"""Keys as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mxgateway_server.access.scopes import Scope
from mxgateway_server.logs import plain

HEADER = ("KEY", "STATE", "EXPIRES", "LAST USED", "SCOPES", "LIMITS", "NAME")
NO_KEYS = "there is no key yet; mxgateway apikey create makes one"


def lines(keys: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A header and a line for each key, in columns; a sentence when there is none.

    Args:
        keys: as `apikey list --json` prints them.
    """
    if not keys:
        yield NO_KEYS
        return
    rows = [HEADER, *map(_cells, keys)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    for row in rows:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _cells(key: dict[str, Any]) -> tuple[str, ...]:
    state = key["state"] if key["state"] != "not-yet-valid" else f"valid from {_time(key['notBefore'], '')}"
    cells = (
        key["keyId"],
        state,
        _time(key["expires"], "never"),
        _time(key["lastUsed"], "never"),
        _scopes(key["scopes"]),
        _limits(key["constraints"], key["certificate"]),
        key["displayName"],
    )
    return tuple(plain(cell) for cell in cells)


def _time(moment: str | None, absent: str) -> str:
    """To the minute, which is what a person looks for."""
    return f"{moment[:16]}Z" if moment else absent


def _scopes(scopes: Sequence[str]) -> str:
    missing = set(Scope) - set(scopes)
    if not missing:
        return "all"
    return "all-but-admin" if missing == {Scope.ADMIN} else ",".join(scopes) or "none"


def _limits(constraints: dict[str, Any], certificate: str) -> str:
    parts = []
    for name, value in constraints.items():
        if value is True:
            parts.append(name)
        else:
            parts.append(f"{name}={','.join(value) if isinstance(value, list) else value}")
    if certificate:
        parts.append(f"certificate={certificate}")
    return " ".join(parts) or "none"
