"""Cuts the XML of an alarm list into its records, and parses those that are wanted.

Document types, and with them entities, are refused before a parser sees them: lists of alarms have no use for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, ParseError, XMLParser, tostring

from mxgateway_protocol.alarms.provider import ProviderError

LONGEST_RECORD = 1024 * 1024
"""Characters of one record at most."""
END = "</ALARM>"
"""Ends a record."""
_LONGEST_HEAD = 4096
_BETWEEN = f"{END}<ALARM>"
_BEGIN = re.compile(r"<ALARM[\s>]")
_ROOT = "<ALARM_RECORDS"
_ROOT_END = "</ALARM_RECORDS>"
_SKIPPED = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"))
_MARK = re.compile(r"<[!?]")


def broken(why: str) -> ProviderError:
    """The error of an answer that is no list of alarms."""
    return ProviderError(f"the alarm manager's answer is no list of alarms: {why}", is_broken_answer=True)


def whole(text: str) -> str:
    """The text, with halves of characters, which no encoding holds, replaced."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def cut(text: str) -> list[str]:
    """The records of a list, each as its text without the end tag.

    Raises:
        ProviderError: it is no list.
    """
    if "<!" not in text:
        pieces = text.split(END)
        tail = pieces.pop()
        first = _BEGIN.search(pieces[0]) if pieces else None
        if first is not None and tail.strip() == _ROOT_END and _ROOT in pieces[0][: first.start()]:
            pieces[0] = pieces[0][first.start() :]
            if text.count(_BETWEEN) == len(pieces) - 1:
                return pieces
            if not all(map(_BEGIN.match, pieces)):
                pieces = [piece.lstrip() for piece in pieces]
            if all(map(_BEGIN.match, pieces)):
                return pieces
    return _cut_slowly(text)


def begin_of_plain(text: str, pieces: Sequence[str] | None = None) -> int:
    """Where the first record of a list begins; -1 for a list that has to be looked at more closely.

    Args:
        pieces: the list's records; without them only its beginning is looked at.
    """
    first = _BEGIN.search(text, 0, _LONGEST_HEAD)
    if first is None or _ROOT not in text[: first.start()] or "<!" in text[: first.start()]:
        return -1
    begin = first.start()
    if pieces is not None:
        end = begin + sum(map(len, pieces)) + len(END) * len(pieces)
        if "<!" in text or not is_tail(text, end):
            return -1
    return begin


def is_plain(piece: str) -> bool:
    """Whether this is a record that can be told from others by its text alone."""
    return _BEGIN.match(piece) is not None and "<!" not in piece


def is_tail(text: str, end: int) -> bool:
    """Whether nothing but the end of the list comes after its last record."""
    return text[end : end + _LONGEST_HEAD].strip() == _ROOT_END and len(text) <= end + _LONGEST_HEAD


def _cut_slowly(text: str) -> list[str]:
    """As `cut`, for lists with comments, CDATA, or in another style."""
    _refuse_document_types(text)
    root = _parse(text)
    if root.tag.upper() != "ALARM_RECORDS":
        raise broken(f"its root is {root.tag[:40]}")
    found = []
    for child in root:
        if child.tag.upper() == "ALARM":
            child.tag, child.tail = "ALARM", None
            found.append(tostring(child, "unicode", short_empty_elements=False).removesuffix(END))
    return found


def _refuse_document_types(text: str) -> None:
    """Refuses a document type, wherever it may stand; what only looks like one inside of comments is none."""
    place = 0
    while (mark := _MARK.search(text, place)) is not None:
        for begin, end in _SKIPPED:
            if text.startswith(begin, mark.start()):
                stop = text.find(end, mark.start() + len(begin))
                if stop < 0:
                    raise broken(f"{begin} is not ended")
                place = stop + len(end)
                break
        else:
            raise broken("it has a document type, or declares entities")


def _parse(text: str) -> Element:
    parser = XMLParser()  # noqa: S314 - what makes it unsafe needs a document type, and none gets here
    try:
        parser.feed(text)
        root = parser.close()
    except ParseError as error:
        raise broken(str(error)) from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise broken(type(error).__name__) from error
    if not isinstance(root, Element):
        raise broken("it is empty")
    return root


def elements(texts: Sequence[str]) -> list[Element]:
    """The elements of records as `cut` gives them.

    Raises:
        ProviderError: they are no records, or one is too long.
    """
    if not texts:
        return []
    longest = max(map(len, texts))
    if longest > LONGEST_RECORD:
        raise broken(f"a record has {longest} characters, and may have {LONGEST_RECORD}")
    root = _parse(f"<R>{END.join(texts)}{END}</R>")
    if len(root) != len(texts):
        raise broken("records stand inside records")
    return list(root)
