"""The configuration reference, from the settings classes."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

_SIGNS = {Ge: "≥", Gt: ">", Le: "≤", Lt: "<"}

_HEAD = """# Configuration

<!-- Made from the settings classes by python tools/generate_docs.py; do not edit. -->

Settings come from four places; the first that says something wins:

1. flags of `mxgateway serve`
2. environment variables, `MXGATEWAY__SECTION__OPTION`; lists and tables in TOML form
3. a TOML file, `--config FILE`
4. the defaults below

`mxgateway check-config` checks all of it without starting anything. A setting that does not exist, does nothing, or has
a value that makes no sense stops the start: each such mistake is told with where it stands (file and line, variable or
flag), the setting's name and the remedy.

```toml title="gateway.toml"
listen = "0.0.0.0:5001"

[worker]
backend = "com"

[sessions]
max_sessions = 32

[events]
backpressure_policy = "drop_oldest"
```

The same by environment:

```sh
export MXGATEWAY__LISTEN=0.0.0.0:5001
export MXGATEWAY__SESSIONS__MAX_SESSIONS=32
```
"""


def configuration_page() -> str:
    """`docs/configuration.md`."""
    from mxgateway_server.config.settings import Settings
    from mxgateway_server.config.sources import environment_name

    parts = [_HEAD]
    for path, section in _sections(Settings, ()):
        parts.append(f"## {'.'.join(path) or 'Top level'}\n")
        parts.append("| option | type | default | meaning |\n|---|---|---|---|")
        for name, field in section.model_fields.items():
            if _section(field) is None:
                variable = environment_name(".".join((*path, name)))
                meaning = " ".join((field.description or "").split()).replace("|", "\\|")
                parts.append(f"| `{name}` | {_type(field)} | {_default(field)} | {meaning}<br>`{variable}` |")
        parts.append("")
    return "\n".join(parts)


def _sections(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        inner = _section(field)
        if inner is not None:
            yield from _sections(inner, (*path, name))


def _section(field: FieldInfo) -> type[BaseModel] | None:
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _type(field: FieldInfo) -> str:
    kind: Any = field.annotation
    extra = field.json_schema_extra
    if isinstance(extra, dict) and isinstance(choices := extra.get("choices"), list):
        text = ", ".join(f"`{each}`" for each in choices)
    elif typing.get_origin(kind) is typing.Literal:
        text = ", ".join(f"`{each}`" for each in typing.get_args(kind))
    elif typing.get_origin(kind) is tuple:
        text = "list of text"
    elif typing.get_origin(kind) is dict:
        text = "table"
    else:
        text = {str: "text", bool: "true or false", int: "whole number", float: "number"}.get(kind, str(kind))
    bounds = [
        f"{sign} {getattr(each, type(each).__name__.lower())}"
        for each in field.metadata
        for kind_of, sign in _SIGNS.items()
        if isinstance(each, kind_of)
    ]
    return f"{text}, {' and '.join(bounds)}" if bounds else text


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value in ("", (), {}):
        return "empty"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{each}`" for each in value)
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
