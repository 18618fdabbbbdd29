"""The panel that tells everything about one attribute or object."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.table import Table
from rich.text import Text
from textual.widgets import Static

from mxgateway import quality_name
from mxgateway_cli.tui import words
from mxgateway_cli.tui.text import moment_text, one_line
from mxgateway_cli.tui.trend import SPAN, bars
from mxgateway_cli.tui.watch_list import WatchedTag
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb

COLOURS = {"good": "green", "uncertain": "yellow", "bad": "red", "stale": "red", "waiting": "dim"}
_BARS = 40
"""Most cells of a trend; its least and greatest value stand beside it."""


class Details(Static):
    """Shows one thing; `nothing` when there is nothing to show.

    Attributes:
        is_utc: whether times are UTC; local otherwise.
    """

    def __init__(self, clock: Callable[[], float], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._clock = clock
        self.is_utc = False

    def show_nothing(self) -> None:
        self.update(Text("Details of what is under the cursor stand here.", "dim"))

    def show_object(self, each: galaxy_pb.GalaxyObject) -> None:
        self._show(
            (
                ("object", each.tag_name),
                ("template", " ← ".join(each.template_chain)),
                ("kind", "area" if each.is_area else f"category {each.category_id}"),
                ("attributes", f"{len(each.attributes)}; + watches {'them' if each.attributes else 'what there is'}"),
            )
        )

    def show_attribute(self, attribute: galaxy_pb.GalaxyAttribute, row: WatchedTag | None) -> None:
        self._show((("tag", attribute.full_tag_reference), *self._live(row), *_described(attribute)))

    def show_watched(self, row: WatchedTag) -> None:
        described = _described(row.attribute) if row.attribute is not None else ()
        self._show((("tag", row.tag), *self._live(row), *described))

    def _show(self, lines: Iterable[tuple[str, str | Text]]) -> None:
        table = Table.grid(padding=(0, 1))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, text in lines:
            table.add_row(name, one_line(text) if isinstance(text, str) else text)
        self.update(table)

    def _live(self, row: WatchedTag | None) -> Iterable[tuple[str, str | Text]]:
        if row is None:
            return
        if row.quality is None:
            yield "value", Text("no value yet", "dim")
            return
        value = Text(one_line(row.text))
        if row.units:
            value.append(f" {one_line(row.units)}", "dim")
        yield "value", value
        quality = Text(f"{quality_name(row.quality)} ({row.quality})", COLOURS[row.grade])
        if row.stale:
            quality.append(", before the connection was lost")
        yield "quality", quality
        if row.failure:
            yield "status", Text(one_line(row.failure), "red")
        if row.hint:
            yield "hint", Text(one_line(row.hint), "yellow")
        yield from self._trend(row)
        if row.source_timestamp_ns:
            yield "time", moment_text(row.source_timestamp_ns, is_utc=self.is_utc)

    def _trend(self, row: WatchedTag) -> Iterable[tuple[str, str | Text]]:
        now = self._clock()
        known = row.trend.range(now)
        if known is None:
            return
        values = row.trend.values(now, max(8, min(_BARS, self.size.width - 34)))
        line = Text(bars(values), "cyan", no_wrap=True)
        line.append(f"  {known[0]:.6g} … {known[1]:.6g}" if known[0] < known[1] else "  the same", "dim")
        yield f"{SPAN / 60:.0f} min", line


def _described(attribute: galaxy_pb.GalaxyAttribute) -> Iterable[tuple[str, str | Text]]:
    if attribute.description:
        yield "what", attribute.description
    extras = [name for name, is_so in (("historized", attribute.is_historized), ("alarm", attribute.is_alarm)) if is_so]
    yield "type", ", ".join([words.data_type(attribute), *extras])
    security = words.security_class(attribute.security_classification)
    yield "class", f"{security}, {words.category(attribute.mx_attribute_category)}"
