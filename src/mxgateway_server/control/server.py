"""Answers what the console asks of a running gateway: one line of JSON each way, on a socket of its owner's."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from mxgateway_contract.redaction import redact
from mxgateway_server.access.actors import Actor, acting
from mxgateway_server.control.place import short_name, socket_path
from mxgateway_server.errors import GatewayError
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

MAX_REQUEST_BYTES = 64 * 1024
ANSWER_SECONDS = 600.0

Action: TypeAlias = Callable[[dict[str, Any]], Awaitable[Any]]
"""Does what is asked, with what stands beside it; its result goes into JSON."""


class ControlServer:
    """The socket, a part of the gateway.

    Args:
        state: the state directory.
        actions: what can be asked, by name.
    """

    def __init__(self, state: Path, actions: Mapping[str, Action]) -> None:
        self._path = socket_path(state, os.getpid())
        self._actions = actions
        self._stop = asyncio.Event()
        self._callers: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Answers until `stop`; where no socket can be made it is told, and the gateway goes on."""
        try:
            listening = self._listen()
        except OSError as error:
            logger.warning("control_not_listening", path=str(self._path), error=error)
            await self._stop.wait()
            return
        server = await asyncio.start_unix_server(self._serve, sock=listening, limit=MAX_REQUEST_BYTES)
        try:
            await self._stop.wait()
        finally:
            server.close()
            self._path.unlink(missing_ok=True)
            for task in self._callers:
                task.cancel()
            if self._callers:
                await asyncio.wait(self._callers)

    async def stop(self) -> None:
        self._stop.set()

    def _listen(self) -> socket.socket:
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._path.unlink(missing_ok=True)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with short_name(self._path) as name:
                # Made for its owner from the first moment on: the gateway's umask takes all from others.
                made.bind(name)
                os.chmod(name, 0o600)
            made.listen(16)
            made.setblocking(False)
        except OSError:
            made.close()
            raise
        return made

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._callers.add(task)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._answer(reader, writer.get_extra_info("socket"))
                # Of thousands of records it takes longer than calls may wait.
                text = await asyncio.to_thread(json.dumps, answer)
                writer.write(text.encode() + b"\n")
                await writer.drain()
        except (TimeoutError, OSError, ValueError):
            return  # whoever asked is gone, or asked for ever
        finally:
            self._callers.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, connection: Any) -> dict[str, Any]:
        user = peer_user(connection)
        if user is None:
            return {"ok": False, "error": "this socket is for the gateway's own account and for root"}
        request = json.loads(await reader.readline() or b"{}")
        action = self._actions.get(str(request.get("do")))
        if action is None:
            return {"ok": False, "error": f"unknown request; there are: {', '.join(sorted(self._actions))}"}
        try:
            with acting(Actor(f"cli:{user}", "control")):
                return {"ok": True, "result": await action(request)}
        except GatewayError as error:
            return {"ok": False, "error": redact(str(error))}
        except Exception as error:
            logger.exception("control_failed", asked=str(request.get("do")))
            return {"ok": False, "error": f"{type(error).__name__}; the gateway's log has it"}


def peer_user(connection: Any) -> str | None:
    """The account at the other end when it is this process's own, or root; None for any other."""
    if sys.platform == "linux":
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, uid, _ = struct.unpack("3i", raw)
    else:
        # The socket's mode lets in nobody else.
        uid = os.geteuid()
    if uid not in (os.geteuid(), 0):
        return None

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
