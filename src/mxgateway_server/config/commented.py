"""A settings file with every setting in it: chosen ones as such, all others as comments with their defaults."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from mxgateway_server.config.sections import Section
from mxgateway_server.config.settings import Settings

_WIDTH = 110


def commented_toml(chosen: Mapping[str, Any]) -> str:
    """The file's text.

    Args:
        chosen: values by the dotted names of their settings.
    """
    lines = [
        "# Settings of the gateway. What is behind # is the default; remove the # and change it.",
        "# Check it with: mxgateway check-config --config FILE --deep",
        "",
    ]
    lines += _section(Settings, "", chosen)
    return "\n".join(lines).rstrip() + "\n"


def _section(model: type[BaseModel], prefix: str, chosen: Mapping[str, Any]) -> Iterator[str]:
    inner: list[tuple[str, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            inner.append((f"{prefix}{name}", kind))
            continue
        for line in textwrap.wrap(" ".join((field.description or "").split()), _WIDTH):
            yield f"# {line}"
        path = f"{prefix}{name}"
        if path in chosen:
            yield f"{name} = {_value(chosen[path])}"
        else:
            yield f"#{name} = {_value(field.get_default(call_default_factory=True))}"
        yield ""
    for path, kind in inner:
        yield f"[{path}]"
        yield ""
        yield from _section(kind, f"{path}.", chosen)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        # JSON's strings are TOML's, but for a character that neither file nor terminal should have.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {_value(each)}" for name, each in value.items()) + "}"
    return repr(value)
