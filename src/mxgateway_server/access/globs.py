"""Globs over references: `*` any run of characters, `?` exactly one, the whole text, without regard to case."""

from __future__ import annotations

from mxgateway_protocol.globs import compile_glob

MAX_GLOB_CHARACTERS = 256


def check_glob(glob: str) -> None:
    """Raises ValueError for a glob that is empty, too long or holds control characters."""
    if not glob or len(glob) > MAX_GLOB_CHARACTERS or not glob.isprintable():
        raise ValueError(f"a glob has 1 to {MAX_GLOB_CHARACTERS} printable characters: {glob[:40]!r}")


def spells_last_name(glob: str) -> bool:
    """Whether its last name, an attribute's for example, has no wildcard."""
    last = glob.rpartition(".")[2]
    return "*" not in last and "?" not in last


def matches(glob: str, text: str) -> bool:
    """Whether the whole text matches; linear in the text, whatever the glob."""
    return compile_glob(glob).matches(text)
