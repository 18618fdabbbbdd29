"""HTTP requests of tests, as bytes: what a proxy or a browser would never send can be sent, too."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; header names are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


async def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    context: ssl.SSLContext | None = None,
    body: bytes = b"",
) -> Answer:
    """One request on a connection of its own; a `host` among the headers takes the place of the URL's."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        place.hostname, place.port, ssl=context, server_hostname=place.hostname if context else None
    )
    path = place.path + (f"?{place.query}" if place.query else "")
    sent = {"host": place.netloc, "connection": "close", **({"content-length": str(len(body))} if body else {})}
    lines = [f"{method} {path or '/'} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in {**sent, **(headers or {})}.items()]
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        return _answer(await reader.read())
    finally:
        writer.close()
        await writer.wait_closed()


def _answer(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    if headers.get("transfer-encoding") == "chunked":
        body = _joined(body)
    return Answer(int(first.split()[1]), headers, body)


def _joined(chunks: bytes) -> bytes:
    found = b""
    while chunks:
        size, _, rest = chunks.partition(b"\r\n")
        length = int(size, 16)
        found += rest[:length]
        chunks = rest[length + 2 :] if length else b""
    return found
