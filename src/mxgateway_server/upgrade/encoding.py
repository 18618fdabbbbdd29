"""The state as bytes and back: a head with version and hash of the schema, JSON, and what is bytes behind it.

Without I/O. Nothing in it can be run: it holds numbers, texts and bytes only, each checked against the type of its
field. A program that knows another version or another schema refuses it as a whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from collections.abc import Iterable
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

FORMAT_VERSION = 1
_MAGIC = b"MXGWUP\r\n"
_HEAD = struct.Struct("<8sI32sQQ32s")
"""Magic, version, hash of the schema, bytes of JSON, bytes behind it, hash of both."""

T = TypeVar("T")


class StateError(ValueError):
    """The bytes are no state that this program can take over; the text says why."""


def encode(state: Any, schema_of: type | None = None) -> list[bytes]:
    """A dataclass as bytes, in parts that need not be joined.

    Args:
        schema_of: whose schema is named in the head; the state's own class by default.
    """
    blobs: list[bytes] = []
    # ASCII, because a text may hold what no encoding has: of a path, for example.
    text = json.dumps(_plain(state, blobs), separators=(",", ":")).encode("ascii")
    digest = hashlib.sha256(text)
    for blob in blobs:
        digest.update(blob)
    head = _HEAD.pack(
        _MAGIC,
        FORMAT_VERSION,
        bytes.fromhex(schema_hash(schema_of or type(state))),
        len(text),
        sum(map(len, blobs)),
        digest.digest(),
    )
    return [head, text, *blobs]


def decode(data: bytes | memoryview, kind: type[T]) -> T:
    """The dataclass in these bytes.

    Raises:
        StateError: they are cut, changed, or of another version or schema.
    """
    if len(data) < _HEAD.size:
        raise StateError(f"the state has {len(data)} bytes, fewer than its head")
    magic, version, schema, text_size, blob_size, digest = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise StateError("these bytes are no state of a gateway")
    if version != FORMAT_VERSION:
        raise StateError(f"the state has format version {version}, and this program knows {FORMAT_VERSION}")
    if schema.hex() != schema_hash(kind):
        raise StateError("the state has another schema than this program's")
    body = memoryview(data)[_HEAD.size :]
    if len(body) != text_size + blob_size:
        raise StateError(f"the state has {len(body)} bytes behind its head, and should have {text_size + blob_size}")
    if hashlib.sha256(body).digest() != digest:
        raise StateError("the state was changed on its way")
    try:
        plain = json.loads(bytes(body[:text_size]))
    except (ValueError, RecursionError) as error:
        raise StateError("the state's text is no JSON") from error
    made: T = _build(plain, kind, body[text_size:])
    return made


def schema_hash(*kinds: type) -> str:
    """A hash of dataclasses: the names and types of their fields, and of theirs."""
    found: dict[type, str] = {}
    for kind in kinds:
        _described(kind, found)
    return hashlib.sha256("\n".join(sorted(found.values())).encode()).hexdigest()


def _described(kind: Any, found: dict[type, str]) -> dict[type, str]:
    what: Any = kind
    fields = _fields(what)
    found[kind] = f"{kind.__name__}({', '.join(f'{name}: {_name(hint)}' for name, hint in fields.items())})"
    for hint in fields.values():
        for inner in (hint, *get_args(hint)):
            if _is_record(inner) and inner not in found:
                _described(inner, found)
    return found


def _name(hint: Any) -> str:
    return f"tuple[{_name(get_args(hint)[0])}]" if get_origin(hint) is tuple else str(hint.__name__)


def _kind(value: Any) -> Any:
    return type(value)


def _is_record(value: Any) -> bool:
    return dataclasses.is_dataclass(value)


@cache
def _fields(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _plain(value: Any, blobs: list[bytes]) -> Any:
    if isinstance(value, bytes):
        blobs.append(value)
        return len(value)
    if isinstance(value, tuple):
        return [_plain(each, blobs) for each in value]
    if _is_record(value):
        # Only the values: the names are in the schema, whose hash is in the head.
        return [_plain(getattr(value, name), blobs) for name in _fields(_kind(value))]
    return value


class _Blobs:
    """Takes the bytes behind the JSON, in the order in which they were put there."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        if not 0 <= size <= len(self._data) - self._at:
            raise StateError("the state names more bytes than it has")
        self._at += size
        return bytes(self._data[self._at - size : self._at])

    @property
    def is_empty(self) -> bool:
        return self._at == len(self._data)


def _build(plain: Any, kind: type[T], data: memoryview) -> T:
    blobs = _Blobs(data)
    made: T = _made(plain, kind, blobs)
    if not blobs.is_empty:
        raise StateError("the state has more bytes than it names")
    return made


def _made(plain: Any, hint: Any, blobs: _Blobs) -> Any:
    name: str = getattr(hint, "__name__", "tuple")
    if _is_record(hint):
        fields = _fields(hint)
        if not isinstance(plain, list) or len(plain) != len(fields):
            raise StateError(f"the state holds no {name} where one should be")
        values = (_made(each, field, blobs) for each, field in zip(plain, fields.values(), strict=True))
        return hint(**dict(zip(fields, values, strict=True)))
    if get_origin(hint) is tuple:
        if not isinstance(plain, list):
            raise StateError("the state holds no list where one should be")
        return tuple(_made(each, get_args(hint)[0], blobs) for each in plain)
    if hint is bytes and type(plain) is int:
        return blobs.take(plain)
    if hint is float and type(plain) is int:
        return float(plain)
    if hint in (int, float, str, bool) and type(plain) is hint:
        return plain
    raise StateError(f"the state holds a {type(plain).__name__} where a {name} should be")


def size_of(parts: Iterable[bytes]) -> int:
    """Bytes of all parts together."""
    return sum(map(len, parts))
