"""A process of the benches that answers a line with a line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

_LIMIT = 60.0
_ANSWER_LIMIT = 300.0


class Peer:
    """The process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def running(
        cls, module: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> AsyncIterator[tuple[Peer, dict[str, Any]]]:
        """Starts it; also the first line that it prints. Ends with its input.

        Args:
            environment: what it has beside this process's own.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
        )
        peer = cls(process)
        try:
            yield peer, await peer._line()
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                async with asyncio.timeout(_LIMIT):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()

    async def ask(self, **what: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._line()

    async def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(_ANSWER_LIMIT):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("a process of the benches has ended")
        found: dict[str, Any] = json.loads(line)
        return found
