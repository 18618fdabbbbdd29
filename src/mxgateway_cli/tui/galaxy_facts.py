"""What the Galaxy says of tags that were named and not chosen from the tree: their attributes, and what was meant."""

from __future__ import annotations

from mxgateway import MxGatewayError
from mxgateway_cli.tui.plant import Plant
from mxgateway_cli.tui.watch_list import WatchList
from mxgateway_contract.references import spelled_out

MOST_OBJECTS = 500
"""Objects that are asked for in one go, and hints that are asked for in all."""


class GalaxyFacts:
    """Asks each question once. A key that may not browse gets no answers, and no notice for each."""

    def __init__(self, plant: Plant, watch_list: WatchList) -> None:
        self._plant = plant
        self._watch_list = watch_list
        self._asked: set[str] = set()
        self._hinted: set[str] = set()

    async def describe(self) -> None:
        """Gives watched tags the attribute that the Galaxy has for them: type, units, description."""
        for _ in range(MOST_OBJECTS):
            name = self._next_object()
            if name is None:
                return
            self._asked.add(name)
            try:
                attributes = await self._plant.attributes(name)
            except MxGatewayError:
                self._asked.discard(name)
                return
            for attribute in attributes:
                reference = attribute.full_tag_reference
                for spelling in {reference, reference.removesuffix("[]")}:
                    if (row := self._watch_list.get(spelling)) is not None and row.attribute is None:
                        row.attribute = attribute

    def _next_object(self) -> str | None:
        for row in self._watch_list:
            if row.attribute is None:
                name = spelled_out(row.tag).partition(".")[0].casefold()
                if name not in self._asked:
                    return name
        return None

    async def hint(self, tag: str) -> None:
        """Tells the row of a tag that does not exist what was meant."""
        if tag.lower() in self._hinted or len(self._hinted) >= MOST_OBJECTS:
            return
        self._hinted.add(tag.lower())
        try:
            text = await self._plant.hint(tag)
        except MxGatewayError:
            self._hinted.discard(tag.lower())
            return
        if (row := self._watch_list.get(tag)) is not None:
            row.hint = text.removeprefix(f"{tag}: ")
