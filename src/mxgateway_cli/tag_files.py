"""Lists of tags as people have them: CSV of any spreadsheet, plain lists, Galaxy dumps of the IDE. Without I/O.

What is no list of tags is named in one line, with what is wanted.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

WANTED = "wanted is a CSV or text file with the tags in one column"

_TAG_COLUMNS = (
    "tag", "tags", "tagname", "tagnames", "reference", "fullreference", "fulltagreference", "tagreference",
    "itemname", "itemreference", "pointname",
)  # fmt: skip
_OBJECT_COLUMNS, _ATTRIBUTE_COLUMNS = ("object", "objectname", "instance"), ("attribute", "attributename")
_SEPARATORS = (",", ";", "\t", "|")
_LONGEST_CELL = 2**31 - 1
_LONGEST_TAG = 393
_OF_INTOUCH = "galaxy:"
# One name or more with dots between, array part and property; what AVEVA forbids in names is left out.
_NAME = r"[^\s.,;:!?*'\"<>/\\|=()\[\]{}]+"
_TAG = re.compile(
    rf"(?:{_NAME}:)?{_NAME}(?:\.(?:{_NAME}|(?:attribute|property)\([^()]*\)))*(?:\[-?\d*\])?(?:\.\S+)?", re.I
)
_WITH_A_LETTER = re.compile(r"[^\W\d_]")
_BINARY = {
    b"PK\x03\x04": "an Excel workbook or another ZIP archive; save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"MSCF": "a cabinet or Galaxy package (.aaPKG); export a Galaxy dump (.csv) from the IDE",
    b"%PDF": "a PDF",
    b"SQLite format 3": "a database",
    b"PAR1": "a Parquet file; save its tags as CSV",
}


class ListError(ValueError):
    """No list of tags; the text says what it is, and what is wanted."""


class Kind(Enum):
    """What a file is."""

    LIST = "list"
    GALAXY_DUMP = "Galaxy dump"
    KEPWARE = "Kepware tag list"


@dataclass(frozen=True, slots=True)
class TagFile:
    """What a file says.

    Attributes:
        kind: what it is.
        tags: references in the order of the file, each once whatever its case; of a dump the tag names of objects.
        doubles: how many names stood in it once more.
        comments: how many lines were left out because they can be no tag.
        notes: how it was read, where that is not plain.
    """

    kind: Kind
    tags: tuple[str, ...]
    doubles: int = 0
    comments: int = 0
    notes: tuple[str, ...] = ()


def parse(data: bytes) -> TagFile:
    """The tags of a file.

    Raises:
        ListError: it is none that can be read.
    """
    for magic, what in _BINARY.items():
        if data.startswith(magic):
            raise ListError(f"it is {what}")
    text, notes = _decoded(data)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    begin = text.lstrip()[:200]
    if not begin:
        raise ListError(f"it is empty; {WANTED}")
    if begin.startswith(("{", "[{", '["')):
        return _from_json(text)
    if begin.startswith("<"):
        raise ListError(f"it is XML or HTML; {WANTED}")
    if re.search(r"^:(mode=|IOAccess|AlarmGroup|MemoryDisc|IODisc)", text, re.IGNORECASE | re.MULTILINE):
        raise ListError(f"it is a DB dump of InTouch, whose names are InTouch's; {WANTED}, such as its ItemName column")
    if re.search(r"^:TEMPLATE=", text, re.IGNORECASE | re.MULTILINE):
        return _from_dump(text, notes)
    return _from_table(text, notes)


def is_comment(line: str) -> bool:
    """Whether a line that begins with # can be no tag: names may begin with it, but have no blanks."""
    line = line.strip()
    return line.startswith("#") and (len(line) == 1 or _TAG.fullmatch(line) is None)


def _decoded(data: bytes) -> tuple[str, list[str]]:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return _strictly(data, encoding), []
    if data[1:200:2].count(0) > len(data[1:200:2]) // 2:
        return _strictly(data, "utf-16-le"), ["read as UTF-16"]
    if b"\0" in data:
        raise ListError(f"it is no text; {WANTED}")
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        # What spreadsheets in the West save when they are not told otherwise; it has a letter for each byte.
        return data.decode("cp1252", errors="replace"), ["it is no UTF-8; read as Windows-1252"]


def _strictly(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise ListError(f"it begins like {encoding.upper()}, but is damaged; save it anew as UTF-8") from None


def _from_json(text: str) -> TagFile:
    """What `mxgw-py tags export --json` and `read --json` print."""
    try:
        document: Any = json.loads(text)
    except ValueError:
        raise ListError(f"it begins like JSON, but is none; {WANTED}") from None
    entries = document
    if isinstance(document, dict):
        entries = next((document[key] for key in ("tags", "results") if isinstance(document.get(key), list)), None)
    names: list[str] = []
    for each in entries if isinstance(entries, list) else ():
        found = each if isinstance(each, str) else None
        if isinstance(each, dict):
            found = next((each[key] for key in ("tag", "tagAddress", "fullTagReference") if each.get(key)), None)
        if isinstance(found, str):
            names.append(found)
    if not names:
        raise ListError(f'it is JSON without tags; {WANTED}, or JSON such as {{"tags": [{{"tag": "A.B"}}]}}')
    return _file(Kind.LIST, names)


def _from_dump(text: str, notes: list[str]) -> TagFile:
    """The objects of a Galaxy dump: sections of a template each, with a header that begins with `:Tagname`."""
    objects: list[str] = []
    is_named = False
    for row in _rows(text, ","):
        first = row[0].strip()
        if first.lower().startswith(":template="):
            is_named = False
        elif first.lower() == ":tagname":
            is_named = True
        elif first.startswith((";", ":")) or not first:
            continue
        elif not is_named:
            raise ListError(f"it is a Galaxy dump without :Tagname before {first[:40]!r}; export it anew from the IDE")
        else:
            objects.append(first)
    if not objects:
        raise ListError("it is a Galaxy dump without objects; select instances, not templates, for the export")
    return _file(Kind.GALAXY_DUMP, objects, notes=notes)


def _from_table(text: str, notes: list[str]) -> TagFile:
    separator = None
    if match := re.match(r"\s*sep=(.)\n", text):
        # What Excel takes for itself.
        separator, text = match[1], text[match.end() :]
    rows = [row for row in _rows(text, separator or _separator(text)) if any(cell.strip() for cell in row)]
    given, rows = len(rows), [row for row in rows if not is_comment(row[0])]
    comments = given - len(rows)
    if not rows:
        raise ListError(f"it holds no tags; {WANTED}")
    header = [re.sub(r"[\s_]", "", cell).lower() for cell in rows[0]]
    kind = Kind.KEPWARE if header[:2] == ["tagname", "address"] else Kind.LIST
    if both := _two_columns(header):
        take: Callable[[Sequence[str]], str] = lambda row: ".".join(_cell(row, at) for at in both)  # noqa: E731
        return _file(kind, map(take, rows[1:]), comments, notes)
    column = next((header.index(name) for name in _TAG_COLUMNS if name in header), None)
    if column is not None:
        return _file(kind, (_cell(row, column) for row in rows[1:]), comments, notes)
    column = _best_column(rows)
    has_header = len(rows) > 1 and "." not in _cell(rows[0], column) and _is_path(_cell(rows[1], column))
    if has_header:
        notes = [*notes, f"tags are taken from the column {_cell(rows[0], column)!r}"]
    return _file(kind, (_cell(row, column) for row in (rows[1:] if has_header else rows)), comments, notes)


def _two_columns(header: list[str]) -> tuple[int, int] | None:
    """Where object and attribute stand in columns of their own, and no column has both."""
    if any(name in header for name in _TAG_COLUMNS):
        return None
    found = [
        next((header.index(name) for name in names if name in header), None)
        for names in (_OBJECT_COLUMNS, _ATTRIBUTE_COLUMNS)
    ]
    return None if None in found else (found[0], found[1])  # type: ignore[return-value]


def _best_column(rows: list[list[str]]) -> int:
    """The column with the most references; the first one of a list of bare names."""
    width = max(map(len, rows))
    counts = [sum(_is_path(_cell(row, column)) for row in rows) for column in range(width)]
    if max(counts):
        return counts.index(max(counts))
    if width > 1:
        shown = ", ".join(cell.strip()[:30] for cell in rows[0][:6])
        raise ListError(f"no column holds tags (the first line is: {shown}); {WANTED}, called tag")
    return 0


def _is_path(text: str) -> bool:
    return "." in text and _TAG.fullmatch(text) is not None and _WITH_A_LETTER.search(text) is not None


def _cell(row: Sequence[str], column: int) -> str:
    return row[column].strip() if column < len(row) else ""


def _separator(text: str) -> str:
    """The separator that stands in most lines; a comma where none does."""
    lines = [line for line in text.split("\n")[:200] if line.strip()]
    # Within quotes nothing separates.
    plain = [re.sub(r'"[^"]*"', "", line) for line in lines]
    return max(_SEPARATORS, key=lambda each: (sum(each in line for line in plain), -_SEPARATORS.index(each)))


def _rows(text: str, separator: str) -> list[list[str]]:
    former = csv.field_size_limit(_LONGEST_CELL)
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row]
    except csv.Error as error:
        raise ListError(f"it is no CSV: {error}") from error
    finally:
        csv.field_size_limit(former)


def _file(kind: Kind, names: Iterable[str], comments: int = 0, notes: Sequence[str] = ()) -> TagFile:
    given = [name.strip() for name in names]
    given = [name for name in given if name]
    if not given:
        raise ListError(f"it holds no tags; {WANTED}")
    longest = max(given, key=len)
    if len(longest) > _LONGEST_TAG or "\n" in longest:
        raise ListError(f"{longest[:60]!r}… is no tag; {WANTED}")
    # Access names are InTouch's; MXAccess knows no other Galaxy than its own.
    plain = [name[len(_OF_INTOUCH) :] if name.casefold().startswith(_OF_INTOUCH) else name for name in given]
    if plain != given:
        notes = [*notes, "Galaxy: before a name is InTouch's, and was left out"]
    tags: dict[str, str] = {}
    for name in plain:
        tags.setdefault(name.casefold(), name)
    return TagFile(kind, tuple(tags.values()), len(given) - len(tags), comments, tuple(notes))
