"""The settings that are in force, each with its meaning and where it comes from; never a secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import BaseModel
from starlette.responses import Response

from mxgateway_server.config.sections import Section
from mxgateway_server.config.settings import Settings
from mxgateway_server.config.shown import shown
from mxgateway_server.dashboard.calls import Call, data


class SettingRoutes:
    """The route `/settings`.

    Args:
        settings: tells those that are in force.
        origin: where the setting of a dotted name comes from; empty for a default.
    """

    def __init__(self, settings: Callable[[], Settings], origin: Callable[[str], str]) -> None:
        self._settings = settings
        self._origin = origin

    async def listed(self, _: Call) -> Response:
        """All settings in order."""
        tree = shown(self._settings())
        return data({"settings": [self._row(*each) for each in _leaves(Settings, tree)]})

    def _row(self, name: str, meaning: str, value: Any, default: Any) -> dict[str, object]:
        return {
            "name": name,
            "value": _text(value),
            "isDefault": value == default,
            "origin": self._origin(name) or "default",
            "meaning": " ".join(meaning.split()),
        }


def _leaves(model: type[BaseModel], tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str, Any, Any]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from _leaves(kind, tree[name], f"{prefix}{name}.")
        else:
            default = field.get_default(call_default_factory=True)
            plain = list(default) if isinstance(default, tuple) else default
            yield prefix + name, field.description or "", tree[name], plain


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return ", ".join(f"{name} = {_text(each)}" for name, each in value.items())
    return "" if value is None else str(value)
