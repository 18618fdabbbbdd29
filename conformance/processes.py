"""The processes of a run: subjects and scripted gateways, spoken to by lines of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

_MOST = 256 * 1024 * 1024


class ProcessError(RuntimeError):
    """A process ended, or said nothing in time."""


class LineProcess:
    """A process with a line of JSON in and out. Use `start`, and `stop` in the end."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self.name = name
        self._process = process
        self.said: list[str] = []
        self._errors = asyncio.ensure_future(self._collect_errors())

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(
        cls, command: Sequence[str], name: str, environment: Mapping[str, str] | None = None
    ) -> LineProcess:
        """Starts a program, with further variables of its environment."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_MOST,
            env={**os.environ, **(environment or {})},
        )
        return cls(process, name)

    async def _collect_errors(self) -> None:
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self.said.append(line.decode(errors="replace"))

    def send(self, document: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(document).encode() + b"\n")

    async def read(self, seconds: float) -> dict[str, Any]:
        """The next line.

        Raises:
            ProcessError: none came.
        """
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise ProcessError(f"{self.name} said nothing for {seconds:g} s; stderr: {self._tail()}") from None
        if not line:
            await self._process.wait()
            await self._errors
            raise ProcessError(f"{self.name} ended with {self._process.returncode}; stderr: {self._tail()}")
        self.said.append(line.decode(errors="replace"))
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def ask(self, document: dict[str, Any], seconds: float = 30.0) -> dict[str, Any]:
        """Sends a line and reads one."""
        self.send(document)
        return await self.read(seconds)

    async def stop(self) -> None:
        """Ends it by the end of its stdin; kills it when it does not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._errors

    def _tail(self) -> str:
        return "".join(self.said[-20:])[-2000:]


async def scripted_gateway(*arguments: str) -> tuple[LineProcess, str]:
    """A scripted gateway, and its endpoint."""
    process = await LineProcess.start([sys.executable, "-m", "mxgateway.testing.scripted", *arguments], "the gateway")
    ready = await process.read(30.0)
    return process, ready["endpoint"]
