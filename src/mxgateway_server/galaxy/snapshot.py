"""The last Galaxy on disk, so that a restart can browse while the database is away.

A gzip file of JSON lines: a header (format, Galaxy, deploy time, counts) and the parts of GalaxyData, one record a
line. It holds names, texts and numbers of the Galaxy, no values and no credentials. Limits of keys are judged by it, so
behind the lines stands a proof, a gzip member of its own, that only who has the gateway's key can make; what has none
is not even parsed.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import io
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from mxgateway_contract.private_files import write_private
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
_VERSION = 3
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
    """A snapshot in one file, replaced as a whole.

    Args:
        path: where it is.
        keys: what proofs are made with: the first for new ones, each for those that are read.
    """

    def __init__(self, path: Path, keys: Sequence[bytes]) -> None:
        self._path = path
        self._keys = tuple(keys)

    def load(self, identity: str) -> GalaxyData | None:
        try:
            body = self._proven(self._path.read_bytes())
            with gzip.open(io.BytesIO(body), "rb") as lines:
                return _parse(iter(lines), identity)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, zlib.error) as error:
            raise SnapshotError(f"it cannot be read: {error}") from None
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise SnapshotError(f"it is corrupt: {error}") from None

    def _proven(self, data: bytes) -> bytes:
        """The file without its proof.

        Raises:
            SnapshotError: the proof is none of this gateway's.
        """
        body, end = data[:-_PROOF_BYTES], data[-_PROOF_BYTES:]
        try:
            proof = gzip.decompress(end)
        except (OSError, EOFError, zlib.error):
            proof = b""
        if not any(hmac.compare_digest(proof, _proof(key, body)) for key in self._keys):
            raise SnapshotError("it was changed, or written by another gateway or an earlier version")
        return body

    def save(self, identity: str, data: GalaxyData) -> None:
        held = io.BytesIO()
        with gzip.GzipFile(filename="", fileobj=held, mode="wb", compresslevel=1, mtime=0) as out:
            for line in _lines(identity, data):
                out.write(line)
        body = held.getvalue()
        write_private(self._path, body + _sealed(_proof(self._keys[0], body)))


def _proof(key: bytes, body: bytes) -> bytes:
    return b"mxaccess-gateway proof " + hmac.digest(key, body, hashlib.sha256).hex().encode()


def _sealed(proof: bytes) -> bytes:
    # Not compressed, so that all are of one length.
    return gzip.compress(proof, 0, mtime=0)


_PROOF_BYTES = len(_sealed(_proof(b"", b"")))


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
    def read() -> Any:
        line = next(lines, b"")
        if not line:
            raise SnapshotError("it is truncated")
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
    deploy_time = header["deployTime"]
    return GalaxyData(
        deploy_time=None if deploy_time is None else datetime.fromisoformat(deploy_time),
        data_type_names=dict(header["dataTypes"]),
        objects=objects,
        **parts,
    )
