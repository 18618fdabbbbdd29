"""Lists that show themselves as tables in a notebook. In every other respect they are lists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar, Self, SupportsIndex, TypeVar, overload

from mxgateway.quality import is_good, is_status_failure, quality_name
from mxgateway.received_values import from_mx_value, time_text
from mxgateway.replies import status_text
from mxgateway_contract import hresults

if TYPE_CHECKING:
    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

T = TypeVar("T")

_MAX_ROWS = 200
_MAX_SHOWN = 20
_MAX_TEXT = 120


class Table(list[T]):
    """A list whose slices are tables too, and which shows itself in short.

    A notebook shows at most 200 rows; the line above them counts all.
    """

    _columns: ClassVar[tuple[str, ...]]
    _what: ClassVar[str] = "results"

    def _cells(self, entry: T) -> tuple[object, ...]:
        """What stands in the columns."""
        raise NotImplementedError

    def _problem(self, entry: T) -> str:
        """What is wrong, or nothing."""
        return ""

    @overload
    def __getitem__(self, index: SupportsIndex, /) -> T: ...
    @overload
    def __getitem__(self, index: slice, /) -> Self: ...
    def __getitem__(self, index: SupportsIndex | slice, /) -> T | Self:
        if isinstance(index, slice):
            return type(self)(super().__getitem__(index))
        return super().__getitem__(index)

    def __repr__(self) -> str:
        shown = ", ".join(self._short(entry) for entry in self[:_MAX_SHOWN])
        more = f", … and {len(self) - _MAX_SHOWN} more" if len(self) > _MAX_SHOWN else ""
        return f"<{type(self).__name__} {len(self)}: {shown}{more}>" if self else f"<{type(self).__name__} empty>"

    def _short(self, entry: T) -> str:
        """One entry in a few words: its first column, then the others, or what is wrong."""
        name, *cells = self._cells(entry)
        text = self._problem(entry) or ", ".join(str(cell) for cell in cells if cell != "")
        return f"{_plain(str(name))}: {_shortened(text)}" if text else _plain(str(name))

    def _repr_html_(self) -> str:
        problems = [self._problem(entry) for entry in self]
        wrong = sum(map(bool, problems))
        what = self._what if len(self) != 1 else self._what.removesuffix("s")
        title = f"<b>{len(self)} {what}</b>" + (f", <b>{wrong} not good</b>" if wrong else "")
        columns = self._columns + (("problem",) if wrong else ())
        rows = []
        for entry, problem in zip(self[:_MAX_ROWS], problems, strict=False):
            cells = self._cells(entry) + ((problem,) if wrong else ())
            rows.append(_row(cells, "color: #b00020" if problem else ""))
        head = "".join(f"<th>{name}</th>" for name in columns)
        more = f"<p>… and {len(self) - _MAX_ROWS} more</p>" if len(self) > _MAX_ROWS else ""
        return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{more}"


def _row(cells: tuple[object, ...], style: str) -> str:
    from html import escape

    opening = f'<tr style="{style}">' if style else "<tr>"
    return opening + "".join(f"<td>{escape(_shortened(str(cell)))}</td>" for cell in cells) + "</tr>"


def _shortened(text: str) -> str:
    text = _plain(text)
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def _plain(text: str) -> str:
    """The text without what would break a line or command a terminal."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "·" for char in text)


def reading(entry: pb.BulkReadResult | pb.MxEvent) -> tuple[object, str, str]:
    """Value, quality in words with its number, and source time in UTC with all its digits."""
    stamp = time_text(entry.source_timestamp) if entry.HasField("source_timestamp") else ""
    return from_mx_value(entry.value), f"{quality_name(entry.quality)} ({entry.quality})", stamp


def not_good(quality: int, statuses: Iterable[pb.MxStatusProxy]) -> str:
    return failures(statuses) or ("" if is_good(quality) else quality_name(quality))


def failures(statuses: Iterable[pb.MxStatusProxy]) -> str:
    return ", ".join(status_text(status) for status in statuses if is_status_failure(status))


def refusal(entry: pb.SubscribeResult | pb.BulkWriteResult) -> str:
    if entry.was_successful:
        return ""
    hresult = hresults.text(entry.hresult) if entry.HasField("hresult") and entry.hresult else ""
    return " ".join(part for part in (hresult, entry.error_message) if part) or "failed"
