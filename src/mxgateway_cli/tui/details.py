"""The panel that tells everything about one attribute or object."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text
from textual.widgets import Static

from mxgateway import quality_name
from mxgateway_cli.tui import words
from mxgateway_cli.tui.text import moment_text, one_line
from mxgateway_cli.tui.watch_list import WatchedTag
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb

COLOURS = {"good": "green", "uncertain": "yellow", "bad": "red", "stale": "red", "waiting": "dim"}


class Details(Static):
    """Shows one thing; `nothing` when there is nothing to show."""

    def show_nothing(self) -> None:
        self.update(Text("Details of what is under the cursor stand here.", "dim"))

    def show_object(self, each: galaxy_pb.GalaxyObject) -> None:
        self._show(
            (
                ("object", each.tag_name),
                ("template", " ← ".join(each.template_chain)),
                ("kind", "area" if each.is_area else f"category {each.category_id}"),
                ("attributes", str(len(each.attributes))),
            )
        )

    def show_attribute(self, attribute: galaxy_pb.GalaxyAttribute, row: WatchedTag | None) -> None:
        self._show((("tag", attribute.full_tag_reference), *_live(row), *_described(attribute), *_time(row)))

    def show_watched(self, row: WatchedTag) -> None:
        described = _described(row.attribute) if row.attribute is not None else ()
        self._show((("tag", row.tag), *_live(row), *described, *_time(row)))

    def _show(self, lines: Iterable[tuple[str, str | Text]]) -> None:
        table = Table.grid(padding=(0, 1))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, text in lines:
            table.add_row(name, one_line(text) if isinstance(text, str) else text)
        self.update(table)


def _described(attribute: galaxy_pb.GalaxyAttribute) -> Iterable[tuple[str, str | Text]]:
    extras = [name for name, is_so in (("historized", attribute.is_historized), ("alarm", attribute.is_alarm)) if is_so]
    yield "type", ", ".join([words.data_type(attribute), *extras])
    yield "class", words.security_class(attribute.security_classification)
    yield "category", words.category(attribute.mx_attribute_category)


def _time(row: WatchedTag | None) -> Iterable[tuple[str, str]]:
    if row is not None and row.source_timestamp_ns:
        yield "time", moment_text(row.source_timestamp_ns)


def _live(row: WatchedTag | None) -> Iterable[tuple[str, str | Text]]:
    if row is None:
        return
    if row.quality is None:
        yield "value", Text("no value yet", "dim")
        return
    yield "value", one_line(row.text)
    quality = Text(f"{quality_name(row.quality)} ({row.quality})", COLOURS[row.grade])
    if row.stale:
        quality.append(", before the connection was lost")
    yield "quality", quality
    if row.failure:
        yield "status", Text(one_line(row.failure), "red")
