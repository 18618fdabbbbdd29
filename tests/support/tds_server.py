"""A SQL Server endpoint for tests: real drivers log in and query over TDS, SQLite answers behind.

It proves drivers, login, types, timeouts and faults, and that the SQL parses as T-SQL; it does not prove SQL Server's
own semantics (collation, type rules, locking). One server runs in a thread of its own, as drivers block.
"""

from __future__ import annotations

import asyncio
import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support import tds_server_tokens as tds
from tests.support.tds_server_sql import Answer, SqlError, answer

PRELOGIN, BATCH, CALL, REPLY, ATTENTION, LOGIN, TRANSACTION = 0x12, 0x01, 0x03, 0x04, 0x06, 0x10, 0x0E
_EXECUTE_SQL, _PREPARE_EXECUTE, _EXECUTE, _UNPREPARE = 10, 13, 12, 15
_PACKET = 4096
_OPTIONS = {"pyodbc": "?driver=FreeTDS&TDS_Version=7.4", "mssqlpython": "?Encrypt=no"}
_ENVIRONMENTS = {5: tds.BEGIN, 7: tds.COMMIT, 8: tds.ROLLBACK}


@dataclass
class Fault:
    """What goes wrong with statements that contain `statement` (without case).

    Attributes:
        kind: `cut` ends the connection in the middle of the rows, `error` answers with an error token, `hang` never
            answers, `stall` sends half of the answer and no more until `TdsServer.go_on`, `garbage` answers with bytes
            that are no TDS.
        message: text of the error token.
    """

    statement: str
    kind: str
    message: str = "Something went wrong."


@dataclass
class TdsServer:
    """One endpoint. Tests may change its fields between calls.

    Attributes:
        database: SQLite file that answers; None for none, so that only drivers' own questions are answered.
        users: user → password.
        faults: see Fault.
        statements: every statement that came, for tests to look at.
        logins: user and database of every login.
        encryption: what the server says of encryption before the login.
        asked_encryption: what the clients said of it.
    """

    database: Path
    users: dict[str, str] = field(default_factory=lambda: {"reader": "Galaxy#1"})
    faults: list[Fault] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    encryption: int = tds.NOT_SUPPORTED
    asked_encryption: list[int] = field(default_factory=list)
    port: int = 0
    _connections: set[asyncio.StreamWriter] = field(default_factory=set)
    _stalled: set[asyncio.Event] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None

    def url(self, driver: str = "pytds", user: str = "reader", password: str | None = None, options: str = "") -> str:
        secret = (self.users.get(user, "") if password is None else password).replace("#", "%23")
        return f"mssql+{driver}://{user}:{secret}@127.0.0.1:{self.port}/ZB{options or _OPTIONS.get(driver, '')}"

    @property
    def stalled(self) -> int:
        """Answers that stand still half-way."""
        return len(self._stalled)

    def go_on(self) -> None:
        """Lets stalled answers go on."""
        assert self._loop is not None
        for event in list(self._stalled):
            self._loop.call_soon_threadsafe(event.set)

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()
        for writer in list(self._connections):
            writer.transport.abort()
        await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        connection = _Connection(self, reader, writer)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await connection.run()
        finally:
            writer.close()
            self._connections.discard(writer)


class _Connection:
    def __init__(self, server: TdsServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._prepared: dict[int, tuple[str, list[str]]] = {}

    async def run(self) -> None:
        greeted = False
        while True:
            kind, body = await self._packet()
            if kind == PRELOGIN and greeted:
                return  # The beginning of TLS, which is not spoken here.
            if kind == PRELOGIN:
                greeted = True
                self._server.asked_encryption.append(tds.read_prelogin(body))
                self._send(tds.prelogin_reply(self._server.encryption))
            elif kind == LOGIN:
                if not self._login(tds.read_login(body)):
                    await self._writer.drain()
                    return
            elif kind == BATCH:
                await self._statement(tds.without_headers(body).decode("utf-16-le"), {}, tds.DONE)
            elif kind == CALL:
                await self._call(tds.read_call(body))
            elif kind == TRANSACTION:
                self._transaction(struct.unpack_from("<H", tds.without_headers(body))[0])
            elif kind == ATTENTION:
                self._send(tds.done(tds.DONE, tds.ATTENTION))
            else:
                return
            await self._writer.drain()

    async def _packet(self) -> tuple[int, bytes]:
        whole = b""
        while True:
            kind, status, length = struct.unpack(">BBH4x", await self._reader.readexactly(8))
            whole += await self._reader.readexactly(length - 8)
            if status & 1:
                return kind, whole

    def _send(self, tokens: bytes) -> None:
        self._writer.write(b"".join(_packets(tokens)))

    def _login(self, login: tds.Login) -> bool:
        user = login.names["user"]
        self._server.logins.append((user, login.names["database"]))
        if self._server.users.get(user) != login.names["password"]:
            message = f"Login failed for user '{user}'."
            self._send(tds.error(18456, message, 14) + tds.done(tds.DONE, tds.FAILED))
            return False
        database = login.names["database"] or "master"
        self._send(
            tds.environment(tds.DATABASE, database, "master")
            + tds.environment_bytes(tds.SQL_COLLATION, tds.COLLATION)
            + tds.environment(tds.LANGUAGE, "us_english")
            + tds.login_ack(login.tds_version)
            + tds.environment(tds.PACKET_SIZE, str(_PACKET), str(_PACKET))
            + tds.done(tds.DONE, tds.FINAL)
        )
        return True

    def _transaction(self, request: int) -> None:
        kind = _ENVIRONMENTS[request]
        descriptor = (1).to_bytes(8, "little")
        change = (descriptor, b"") if kind == tds.BEGIN else (b"", descriptor)
        self._send(tds.environment_bytes(kind, *change) + tds.done(tds.DONE, tds.FINAL))

    async def _call(self, call: tds.Call) -> None:
        values = call.parameters
        if call.procedure in {_EXECUTE_SQL, "sp_executesql"}:
            statement, given = values[0][1], values[2:]
            names = _names(values[1][1] if len(values) > 1 else "")
        elif call.procedure == _PREPARE_EXECUTE:
            statement, given = values[2][1], values[3:]
            names = _names(values[1][1] or "")
            self._prepared[1] = (statement, names)
        elif call.procedure == _EXECUTE:
            (statement, names), given = self._prepared[values[0][1]], values[1:]
        else:
            self._send(tds.return_status() + tds.done(tds.DONE_PROC, tds.FINAL))
            return
        parameters = {(name or names[place]).lstrip("@"): value for place, (name, value) in enumerate(given)}
        await self._statement(statement, parameters, tds.DONE_IN_PROC)

    async def _statement(self, statement: str, parameters: dict[str, Any], kind: int) -> None:
        self._server.statements.append(statement)
        fault = next((one for one in self._server.faults if one.statement.casefold() in statement.casefold()), None)
        ending = tds.return_status() + tds.done(tds.DONE_PROC, tds.FINAL) if kind == tds.DONE_IN_PROC else b""
        failed = tds.DONE_PROC if ending else tds.DONE
        if fault is not None and fault.kind == "hang":
            # A client that gives up sends an attention or goes; either ends the wait.
            await self._packet()
            self._send(tds.done(tds.DONE, tds.ATTENTION))
            return
        if fault is not None and fault.kind == "garbage":
            self._send(b"\x00\x13\x37 this is no TDS")
            return
        if fault is not None and fault.kind == "error":
            self._send(tds.error(50000, fault.message) + tds.done(failed, tds.FAILED))
            return
        try:
            found = answer(self._server.database, statement, parameters)
        except SqlError as problem:
            self._send(tds.error(208, str(problem)) + tds.done(failed, tds.FAILED))
            return
        tokens = _result(found, kind, bool(ending)) + ending
        if fault is None:
            self._send(tokens)
            return
        assert fault.kind in {"cut", "stall"}
        packets = _packets(tokens)
        # Half of the answer, and then half a packet: the client is left in the middle of a row.
        kept, broken = packets[: len(packets) // 2], packets[len(packets) // 2]
        self._writer.write(b"".join(kept) + broken[: len(broken) // 2])
        await self._writer.drain()
        if fault.kind == "cut":
            raise ConnectionAbortedError
        interrupted = await self._stall()
        self._writer.write(broken[len(broken) // 2 :] + b"".join(packets[len(kept) + 1 :]))
        if interrupted:
            self._send(tds.done(tds.DONE, tds.ATTENTION))

    async def _stall(self) -> bool:
        """Until the test lets it go on; True when the client interrupts it instead."""
        event = asyncio.Event()
        self._server._stalled.add(event)
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._packet())]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return any(isinstance(task.result(), tuple) for task in done)
        finally:
            self._server._stalled.discard(event)
            for task in waits:
                task.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


def _packets(tokens: bytes) -> list[bytes]:
    room = _PACKET - 8
    pieces = [tokens[at : at + room] for at in range(0, len(tokens), room)] or [b""]
    return [
        struct.pack(">BBHHBB", REPLY, number == len(pieces), len(piece) + 8, 51, number % 256, 0) + piece
        for number, piece in enumerate(pieces, 1)
    ]


def _result(found: Answer, kind: int, more: bool) -> bytes:
    rows = b"".join(tds.row(found.columns, values) for values in found.rows)
    head = tds.metadata(found.columns) if found.columns else b""
    status = tds.COUNT | (tds.MORE if more else 0) if found.columns else (tds.MORE if more else 0)
    return head + rows + tds.done(kind, status, len(found.rows))


def _names(definition: str) -> list[str]:
    return re.findall(r"@\w+", definition)


@contextmanager
def running_tds_server(database: Path, **settings: Any) -> Iterator[TdsServer]:
    """A server in a thread, on a port of its own."""
    server = TdsServer(database, **settings)
    ready = threading.Event()
    handle: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        stop = asyncio.Event()
        handle.append((asyncio.get_running_loop(), stop))
        await server.serve(ready, stop)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="tds-server")
    thread.start()
    try:
        assert ready.wait(10)
        yield server
    finally:
        loop, stop = handle[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
