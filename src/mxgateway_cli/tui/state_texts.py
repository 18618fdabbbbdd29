"""The title over the watch list and the line at the bottom: where things stand, in one look."""

from __future__ import annotations

from rich.text import Text

from mxgateway_cli.tui.plant import Link, Plant
from mxgateway_cli.tui.text import one_line, rate_text
from mxgateway_cli.tui.watch_list import WatchList

_LINK_STYLES = {Link.CONNECTED: "bold green", Link.CONNECTING: "bold yellow", Link.RECONNECTING: "bold red"}


def watch_title(watch_list: WatchList, *, is_simulated: bool) -> Text:
    """Which list it is, in which order, and whether its values are made up."""
    order = "bad first" if watch_list.is_bad_first else ""
    text = Text(" · ".join(filter(None, ("Watch", one_line(watch_list.title), order))))
    return text.append("  SIMULATED values", "bold magenta") if is_simulated else text


def status_line(plant: Plant, link: Link, link_text: str, watch_list: WatchList, now: float) -> Text:
    """The connection, and what comes over it; why there is none."""
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f" ● {link.value} ", _LINK_STYLES[link]).append(plant.endpoint)
    if plant.is_simulated:
        text.append("  SIMULATED", "bold magenta")
    if plant.read_only:
        text.append("  READ-ONLY", "bold yellow")
    if link is not Link.CONNECTED:
        problem = plant.problem or link_text
        return text.append(f"  {one_line(problem)}" if problem else "  …", "dim")
    count = len(watch_list)
    text.append(f"  {count} {'tag' if count == 1 else 'tags'}  {rate_text(watch_list.rate(now))}")
    if watch_list.lost:
        text.append(f"  {watch_list.lost} events lost", "bold red")
    return text.append(f"  {link_text}", "dim")
