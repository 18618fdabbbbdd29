"""Tokens and types of the Tabular Data Stream (MS-TDS), as a server writes and reads them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

COLLATION = bytes((0x09, 0x04, 0xD0, 0x00, 0x34))
"""SQL_Latin1_General_CP1_CI_AS."""

DONE, DONE_PROC, DONE_IN_PROC = 0xFD, 0xFE, 0xFF
MORE, FINAL, FAILED, COUNT, ATTENTION = 0x01, 0x00, 0x02, 0x10, 0x20
OFF, ON, NOT_SUPPORTED, REQUIRED = 0, 1, 2, 3
"""What PRELOGIN says of encryption."""
DATABASE, LANGUAGE, PACKET_SIZE, SQL_COLLATION, BEGIN, COMMIT, ROLLBACK = 1, 2, 4, 7, 8, 9, 10
_LOGIN_NAMES = {"host": 36, "user": 40, "password": 44, "application": 48, "server": 52, "database": 68}
_BASE_DATE = datetime(1900, 1, 1)
_ROW_LIMIT = 4000


def _short_text(text: str) -> bytes:
    """Lengths count UTF-16 units, so that a character beyond the first plane counts two."""
    raw = text.encode("utf-16-le")
    return bytes([len(raw) // 2]) + raw


def _long_text(text: str) -> bytes:
    raw = text.encode("utf-16-le")
    return struct.pack("<H", len(raw) // 2) + raw


def _token(kind: int, body: bytes) -> bytes:
    return struct.pack("<BH", kind, len(body)) + body


def environment(kind: int, new: str = "", old: str = "") -> bytes:
    return _token(0xE3, bytes([kind]) + _short_text(new) + _short_text(old))


def environment_bytes(kind: int, new: bytes = b"", old: bytes = b"") -> bytes:
    return _token(0xE3, bytes([kind, len(new)]) + new + bytes([len(old)]) + old)


def login_ack(tds_version: int) -> bytes:
    name = _short_text("Microsoft SQL Server")
    return _token(0xAD, b"\x01" + struct.pack(">I", tds_version) + name + bytes((15, 0, 0x07, 0xD0)))


def error(number: int, message: str, severity: int = 16) -> bytes:
    head = struct.pack("<IBB", number, 1, severity)
    return _token(0xAA, head + _long_text(message) + _short_text("TESTSERVER") + b"\x00" + struct.pack("<I", 1))


def done(kind: int, status: int, rows: int = 0) -> bytes:
    return struct.pack("<BHHQ", kind, status, 0xC1, rows)


def return_status(value: int = 0) -> bytes:
    return struct.pack("<Bi", 0x79, value)


@dataclass(frozen=True)
class Column:
    """A result column: its name and how its values travel (`int`, `bit`, `float`, `datetime`, `binary`, `text`)."""

    name: str
    kind: str

    def description(self) -> bytes:
        kinds = {
            "int": b"\x26\x08",
            "bit": b"\x68\x01",
            "float": b"\x6d\x08",
            "datetime": b"\x6f\x08",
            "binary": b"\xa5\x40\x1f",
            "text": b"\xe7\x40\x1f" + COLLATION,
        }
        return struct.pack("<IH", 0, 0x0009) + kinds[self.kind] + _short_text(self.name)

    def value(self, value: Any) -> bytes:
        if self.kind in {"text", "binary"}:
            if value is None:
                return b"\xff\xff"
            raw = bytes(value) if self.kind == "binary" else str(value).encode("utf-16-le")
            assert len(raw) <= _ROW_LIMIT * 2, "long values are not needed here"
            return struct.pack("<H", len(raw)) + raw
        if value is None:
            return b"\x00"
        if self.kind == "int":
            return b"\x08" + struct.pack("<q", value)
        if self.kind == "bit":
            return b"\x01" + bytes([bool(value)])
        if self.kind == "float":
            return b"\x08" + struct.pack("<d", value)
        return b"\x08" + _datetime(value)


def _datetime(value: datetime) -> bytes:
    """Days since 1900 and three-hundredths of a second since midnight, as the type `datetime` rounds."""
    since = value - _BASE_DATE
    ticks = round((since - timedelta(days=since.days)).total_seconds() * 300)
    return struct.pack("<iI", since.days, ticks)


def metadata(columns: Sequence[Column]) -> bytes:
    return struct.pack("<BH", 0x81, len(columns)) + b"".join(column.description() for column in columns)


def row(columns: Sequence[Column], values: Sequence[Any]) -> bytes:
    return b"\xd1" + b"".join(column.value(value) for column, value in zip(columns, values, strict=True))


def prelogin_reply(encryption: int = NOT_SUPPORTED) -> bytes:
    """Version, whether to encrypt, default instance, no thread id, no MARS."""
    options = [(0, bytes((15, 0, 0x07, 0xD0, 0, 0))), (1, bytes([encryption])), (2, b"\x00"), (3, b""), (4, b"\x00")]
    offset = 5 * len(options) + 1
    head, body = b"", b""
    for kind, value in options:
        head += struct.pack(">BHH", kind, offset + len(body), len(value))
        body += value
    return head + b"\xff" + body


def read_prelogin(body: bytes) -> int:
    """What a PRELOGIN packet says of encryption."""
    at = 0
    while body[at] != 0xFF:
        kind, offset, length = struct.unpack_from(">BHH", body, at)
        if kind == 1:
            assert length == 1
            return body[offset]
        at += 5
    raise AssertionError("a PRELOGIN without a word on encryption")


@dataclass(frozen=True)
class Login:
    """What a LOGIN7 packet says."""

    tds_version: int
    packet_size: int
    names: dict[str, str]


def read_login(body: bytes) -> Login:
    version, packet_size = struct.unpack_from("<II", body, 4)
    names = {}
    for name, place in _LOGIN_NAMES.items():
        offset, length = struct.unpack_from("<HH", body, place)
        raw = body[offset : offset + 2 * length]
        if name == "password":
            raw = bytes(((byte ^ 0xA5) >> 4 | (byte ^ 0xA5) << 4) & 0xFF for byte in raw)
        names[name] = raw.decode("utf-16-le")
    return Login(version, packet_size, names)


def without_headers(body: bytes) -> bytes:
    """A batch or call without the ALL_HEADERS block that TDS 7.2 and later put in front."""
    length = int.from_bytes(body[:4], "little")
    return body[length:] if length == 22 else body


@dataclass(frozen=True)
class Call:
    """A remote procedure call: a number or a name, and the parameters by place."""

    procedure: int | str
    parameters: list[tuple[str, Any]]


def read_call(body: bytes) -> Call:
    reader = _Reader(without_headers(body))
    length = reader.number(2)
    procedure: int | str = reader.number(2) if length == 0xFFFF else reader.text(length)
    reader.number(2)
    parameters = []
    while not reader.at_end:
        name = reader.text(reader.number(1))
        reader.number(1)
        parameters.append((name, reader.typed_value()))
    return Call(procedure, parameters)


class _Reader:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._body)

    def take(self, count: int) -> bytes:
        found = self._body[self._at : self._at + count]
        assert len(found) == count, "a cut call"
        self._at += count
        return found

    def number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def text(self, characters: int) -> str:
        return self.take(2 * characters).decode("utf-16-le")

    def typed_value(self) -> Any:
        kind = self.number(1)
        if kind in {0x26, 0x68, 0x6D}:
            self.number(1)
            size = self.number(1)
            if size == 0:
                return None
            if kind == 0x6D:
                return struct.unpack("<d" if size == 8 else "<f", self.take(size))[0]
            return self.number(size, signed=kind == 0x26)
        if kind in {0x30, 0x34, 0x38, 0x7F}:
            return self.number({0x30: 1, 0x34: 2, 0x38: 4, 0x7F: 8}[kind], signed=kind != 0x30)
        if kind in {0xE7, 0xA7, 0xEF, 0xAF}:
            limit = self.number(2)
            self.take(5)
            raw = self._chunks() if limit == 0xFFFF else self._counted()
            return None if raw is None else raw.decode("utf-16-le" if kind in {0xE7, 0xEF} else "cp1252")
        if kind in {0x63, 0x23}:
            self.take(4 + 5)
            size = self.number(4, signed=True)
            raw = None if size < 0 else self.take(size)
            return None if raw is None else raw.decode("utf-16-le" if kind == 0x63 else "cp1252")
        raise AssertionError(f"a parameter of type 0x{kind:02x} is not needed here")

    def _counted(self) -> bytes | None:
        size = self.number(2)
        return None if size == 0xFFFF else self.take(size)

    def _chunks(self) -> bytes | None:
        if self.number(8) == 0xFFFF_FFFF_FFFF_FFFF:
            return None
        found = b""
        while size := self.number(4):
            found += self.take(size)
        return found
