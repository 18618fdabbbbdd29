"""Globs over references: `*` any run of characters, `?` exactly one, the whole text, without regard to case."""

from __future__ import annotations

from mxgateway_contract.references import LONGEST_REFERENCE, RESERVED_WORDS
from mxgateway_protocol.globs import compile_glob

MAX_GLOB_CHARACTERS = LONGEST_REFERENCE
"""A glob may spell any reference out."""


def check_glob(glob: str) -> None:
    """Raises ValueError for a glob that is empty, too long or holds control characters."""
    if not glob or len(glob) > MAX_GLOB_CHARACTERS or not glob.isprintable():
        raise ValueError(f"a glob has 1 to {MAX_GLOB_CHARACTERS} printable characters: {glob[:40]!r}")


def tag_glob_problem(glob: str) -> str:
    """Why a glob over tags can never match one, with the remedy; empty when it can."""
    for name in glob.casefold().split("."):
        if name in RESERVED_WORDS:
            return f"{glob}: {name!r} is a reserved word and no object's name; write the object's own, or * for any"
    return ""


def spells_last_name(glob: str) -> bool:
    """Whether its last name, an attribute's for example, has no wildcard."""
    last = glob.rpartition(".")[2]
    return "*" not in last and "?" not in last


def matches(glob: str, text: str) -> bool:
    """Whether the whole text matches; linear in the text, whatever the glob."""
    return compile_glob(glob).matches(text)
