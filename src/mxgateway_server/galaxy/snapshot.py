"""The last Galaxy on disk, so that a restart can browse while the database is away.

A gzip file of JSON lines: a header (format, Galaxy, deploy time, counts), the parts of GalaxyData one record a line,
and last the SHA-256 of all lines before. It holds names, texts and numbers of the Galaxy, no values and no credentials.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from mxgateway_server.galaxy.data import (
    AttributeDefinition,
    GalaxyData,
    GalaxyObjectRow,
    ObjectTable,
    PrimitiveDefinition,
    PrimitiveUse,
)
from mxgateway_server.galaxy.errors import SnapshotError

_FORMAT = "mxaccess-gateway galaxy snapshot"
_VERSION = 2
_PARTS: tuple[tuple[str, Callable[[list[Any]], Any]], ...] = (
    ("definitions", lambda record: AttributeDefinition(*record)),
    ("primitive_definitions", lambda record: PrimitiveDefinition(record[0], tuple(record[1]))),
    ("primitive_uses", lambda record: PrimitiveUse(*record)),
    ("attribute_texts", tuple),
    ("layers", lambda record: (tuple(record[0]), tuple(record[1]), tuple(record[2]))),
    ("shapes", tuple),
    ("template_chains", tuple),
)


class SnapshotStore(Protocol):
    """Where the last Galaxy is kept. The methods block."""

    def load(self, identity: str) -> GalaxyData | None:
        """The Galaxy that was kept, or None when none was.

        Raises:
            SnapshotError: what is there cannot be used, for the reason given.
        """

    def save(self, identity: str, data: GalaxyData) -> None:
        """Keeps a Galaxy in place of the one before. Raises OSError."""


class SnapshotFile:
    """A snapshot in one file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self, identity: str) -> GalaxyData | None:
        try:
            with gzip.open(self._path, "rb") as lines:
                return _parse(iter(lines), identity)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, zlib.error) as error:
            raise SnapshotError(f"it cannot be read: {error}") from None
        except (ValueError, TypeError, LookupError) as error:
            raise SnapshotError(f"it is corrupt: {error}") from None

    def save(self, identity: str, data: GalaxyData) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with temporary.open("wb") as raw:
                with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=1, mtime=0) as out:
                    digest = hashlib.sha256()
                    for line in _lines(identity, data):
                        digest.update(line)
                        out.write(line)
                    out.write(_line({"sha256": digest.hexdigest()}))
                raw.flush()
                os.fsync(raw.fileno())
            temporary.replace(self._path)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()


def _line(record: object) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"


def _lines(identity: str, data: GalaxyData) -> Iterator[bytes]:
    parts: list[tuple[str, Sequence[Any]]] = [(name, getattr(data, name)) for name, _ in _PARTS]
    parts.append(("objects", data.objects))
    yield _line(
        {
            "format": _FORMAT,
            "version": _VERSION,
            "galaxy": identity,
            "deployTime": None if data.deploy_time is None else data.deploy_time.isoformat(),
            "dataTypes": list(data.data_type_names.items()),
            "counts": {name: len(records) for name, records in parts},
        }
    )
    for _, records in parts:
        for record in records:
            yield _line(record)


def _parse(lines: Iterator[bytes], identity: str) -> GalaxyData:
    digest = hashlib.sha256()

    def read() -> Any:
        line = next(lines, b"")
        if not line:
            raise SnapshotError("it is truncated")
        digest.update(line)
        return json.loads(line.decode("utf-8", "surrogatepass"))

    header = read()
    if not isinstance(header, dict) or header.get("format") != _FORMAT:
        raise SnapshotError("it is no Galaxy snapshot")
    if header.get("version") != _VERSION:
        raise SnapshotError(f"its version is {header.get('version')!r}, not {_VERSION}")
    if header.get("galaxy") != identity:
        raise SnapshotError("it belongs to another Galaxy")
    parts = {name: [make(read()) for _ in range(header["counts"][name])] for name, make in _PARTS}
    objects = ObjectTable()
    for _ in range(header["counts"]["objects"]):
        objects.append(GalaxyObjectRow(*read()))
    expected = digest.hexdigest()
    if read() != {"sha256": expected}:
        raise SnapshotError("its checksum is wrong")
    deploy_time = header["deployTime"]
    return GalaxyData(
        deploy_time=None if deploy_time is None else datetime.fromisoformat(deploy_time),
        data_type_names=dict(header["dataTypes"]),
        objects=objects,
        **parts,
    )
