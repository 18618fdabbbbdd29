"""What is watched, on the screen and at the plant: both change together."""

from __future__ import annotations

from collections.abc import Iterable

from mxgateway_cli.tui.plant import Plant
from mxgateway_cli.tui.watch_list import WatchList
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb


class Watched:
    """Adds to a watch list and takes from it, and tells the plant."""

    def __init__(self, plant: Plant, watch_list: WatchList) -> None:
        self._plant = plant
        self._list = watch_list

    def add(self, tag: str, attribute: galaxy_pb.GalaxyAttribute | None = None) -> None:
        """Watches a tag, if it is not watched already."""
        if self._list.add(tag, attribute):
            self._plant.watch(tag)

    def remove(self, tag: str) -> None:
        self._list.remove(tag)
        self._plant.unwatch(tag)

    def open(self, name: str, tags: Iterable[str]) -> None:
        """Watches the tags of a saved list, in its order, and nothing else. What was watched keeps its value."""
        wanted = {tag.lower(): tag for tag in tags}
        for tag in self._list.tags:
            if tag.lower() not in wanted:
                self.remove(tag)
        for tag in wanted.values():
            self.add(tag)
        self._list.arrange(wanted)
        self._list.saved_as(name)
