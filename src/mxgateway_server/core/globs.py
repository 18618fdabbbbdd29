"""Globs over references: `*` any run of characters, `?` exactly one, the whole text, without regard to case."""

from __future__ import annotations

MAX_GLOB_CHARACTERS = 256


def check_glob(glob: str) -> None:
    """Raises ValueError for a glob that is empty, too long or holds control characters."""
    if not glob or len(glob) > MAX_GLOB_CHARACTERS or not glob.isprintable():
        raise ValueError(f"a glob has 1 to {MAX_GLOB_CHARACTERS} printable characters: {glob[:40]!r}")


def matches(glob: str, text: str) -> bool:
    """Whether the whole text matches; at most len(glob) × len(text) steps, whatever the glob."""
    glob, text = glob.casefold(), text.casefold()
    i = j = mark = 0
    star = -1
    while j < len(text):
        if i < len(glob) and glob[i] != "*" and (glob[i] == "?" or glob[i] == text[j]):
            i += 1
            j += 1
        elif i < len(glob) and glob[i] == "*":
            star, mark = i, j
            i += 1
        elif star >= 0:
            mark += 1
            i, j = star + 1, mark
        else:
            return False
    return all(c == "*" for c in glob[i:])
