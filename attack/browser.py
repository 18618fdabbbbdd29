"""HTTP as a browser speaks it, and as no browser would: one request after another on a connection of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from attack.target import Target

LOGIN, SNAPSHOT, BOOT, LIVE = "/api/v1/login", "/api/v1/snapshot", "/api/v1/boot", "/api/v1/live"


class Answer(NamedTuple):
    """What came back; names of headers are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes


def request(target: Target, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as bytes."""
    place = urlsplit(target.pages)
    sent = {"host": place.netloc, "origin": target.pages, "content-type": "application/json", **headers}
    if body:
        sent["content-length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, sent: bytes) -> Answer:
        """Sends a request and waits for its answer, whose length is told."""
        self.writer.write(sent)
        answer = await self.head()
        return answer._replace(body=await self.reader.readexactly(int(answer.headers.get("content-length", "0"))))

    async def head(self) -> Answer:
        """Status and headers of the answer that comes next."""
        first, *rest = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest if line)}
        return Answer(int(first.split()[1]), headers, b"")


def trusting(target: Target) -> ssl.SSLContext:
    """TLS as a browser speaks it, trusting the target's authority."""
    return ssl.create_default_context(cafile=target.ca_file)


@contextlib.asynccontextmanager
async def connected(
    target: Target, context: ssl.SSLContext | None, local_address: str = ""
) -> AsyncIterator[Connection]:
    """A connection to the HTTP listener; without a context its TLS is never begun.

    Args:
        local_address: of this machine, where it comes from; empty for any.
    """
    place = urlsplit(target.pages)
    reader, writer = await asyncio.open_connection(
        place.hostname,
        place.port,
        ssl=context,
        server_hostname=place.hostname if context else None,
        local_addr=(local_address, 0) if local_address else None,
    )
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


class Browser:
    """A browser that is signed in with a key, as soon as `sign_in` is through."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._context = trusting(target)
        self._cookie = ""

    async def sign_in(self, key: str) -> None:
        """Signs in with one of the target's keys, by its name."""
        body = json.dumps({"key": self._target.keys[key]}).encode()
        async with self.connected() as connection:
            answer = await connection.ask(request(self._target, "POST", LOGIN, body))
        if answer.status != 200:
            raise RuntimeError(f"{key} could not sign in: {answer.status} {answer.body[:200]!r}")
        self._cookie = answer.headers["set-cookie"].partition(";")[0]

    def connected(self) -> contextlib.AbstractAsyncContextManager[Connection]:
        """A connection of its own."""
        return connected(self._target, self._context)

    def get(self, path: str) -> bytes:
        """A request for something, with the cookie."""
        return request(self._target, "GET", path, cookie=self._cookie)

    async def fresh(self) -> None:
        """The newest figures, on a connection of their own."""
        async with self.connected() as connection:
            await self.kept(connection, SNAPSHOT)

    async def kept(self, connection: Connection, path: str = BOOT) -> None:
        """One thing on a connection that is kept."""
        answer = await connection.ask(self.get(path))
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {answer.body[:200]!r}")

    async def frames(self) -> AsyncIterator[dict[str, Any]]:
        """The live figures as they come, until the gateway ends them."""
        async with self.connected() as connection:
            connection.writer.write(self.get(LIVE))
            answer = await connection.head()
            if answer.status != 200:
                raise RuntimeError(f"{LIVE}: {answer.status}")
            while True:
                line = await connection.reader.readline()
                if not line:
                    raise RuntimeError("the live figures ended")
                if line.startswith(b"data:") and (found := json.loads(line[5:])).get("n"):
                    yield found
