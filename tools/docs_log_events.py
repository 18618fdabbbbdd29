"""The page of the gateway's log events, read out of its source: what a record may be called, and what it holds."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_SOURCE = Path(__file__).resolve().parent.parent / "src" / "mxgateway_server"
_LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "exception": "error"}
_EVENT = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*\Z")
_HIDDEN = frozenset({"exc_info"})


class Told(NamedTuple):
    """One place that writes a record; the level is empty where it depends."""

    event: str
    level: str
    keys: tuple[str, ...]
    about: str


def log_events_page() -> str:
    """`docs/log-events.md`."""
    levels: dict[str, set[str]] = defaultdict(set)
    keys: dict[str, set[str]] = defaultdict(set)
    about: dict[str, set[str]] = defaultdict(set)
    for told in told_events():
        levels[told.event].add(told.level)
        keys[told.event].update(told.keys)
        about[told.event].add(told.about)
    rows = [
        f"| `{event}` | {_level(levels[event])} | {', '.join(f'`{key}`' for key in sorted(keys[event])) or '–'} | "
        f"{'<br>'.join(sorted(about[event]))} |"
        for event in sorted(levels)
    ]
    return (
        "# Log events\n\n"
        "<!-- Made from the source by python tools/generate_docs.py; do not edit. -->\n\n"
        "What a record of the gateway's log may be called (`event` where `logging.format` is `json`), how grave it\n"
        "is, and what it holds beside time, level, logger, and the correlation id and key of the call that it belongs\n"
        "to. A `remedy` says what to do. What writes it stands last. Names stay as they are; new ones come.\n\n"
        "| event | level | holds | written by |\n"
        "|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )


def told_events() -> Iterator[Told]:
    """Every call in the gateway's source that names a record."""
    for path in sorted(_SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        first = (ast.get_docstring(tree) or "").split("\n\n")[0].replace("\n", " ").split(". ")[0].rstrip(".")
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (told := _told(node, first)):
                yield told


def _told(call: ast.Call, about: str) -> Told | None:
    target, level, words = call.func, "", 1
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "logger":
        level, words = _LEVELS.get(target.attr, ""), 0
    else:
        name = target.attr if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""
        # Helpers of a module that are told what a record is called.
        if name not in ("log", "tell") and not name.startswith("_tell"):
            return None
    named = (arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))
    event = next((each for each in named if _EVENT.match(each) and each.count("_") >= words), None)
    if event is None:
        return None
    keys = tuple(each.arg for each in call.keywords if each.arg and each.arg not in _HIDDEN)
    return Told(event, level, keys, about)


def _level(found: set[str]) -> str:
    return " or ".join(sorted(found - {""})) or "as it comes"
