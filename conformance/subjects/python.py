"""The subject of the Python client: does what lines of JSON say, and answers with lines of JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from conformance.subjects import python_pure as pure
from conformance.subjects.python_objects import OPERATIONS, Named, Objects
from mxgateway import MxGatewayError, __version__


def error_of(error: BaseException) -> dict[str, Any]:
    """An exception in the words of the suite."""
    if isinstance(error, asyncio.CancelledError):
        return {"cancelled": True}
    if not isinstance(error, MxGatewayError):
        if isinstance(error, ValueError | TypeError | OSError):
            return {"kind": "argument", "message": str(error)}
        return {"kind": type(error).__name__, "message": str(error)}
    return {
        "kind": pure.kind_of(error),
        "reason": error.reason,
        "code": error.grpc_code.name if error.grpc_code is not None else "",
        "retryable": error.retryable,
        "retry_after": error.retry_after,
        "message": str(error),
        "correlation_id": error.correlation_id,
        "hresult": getattr(error, "hresult", None),
        "statuses": [as_json(each) for each in getattr(error, "statuses", ())],
    }


def as_json(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)


class Subject:
    """Runs each operation as a task of its own, so that answers come as they are ready."""

    def __init__(self) -> None:
        self._objects = Objects()
        self._running: dict[Any, asyncio.Task[None]] = {}

    async def run(self) -> None:
        self._say({"language": "python", "version": __version__, "features": ["subscriptions"]})
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=2**28)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            step = json.loads(line)
            task = asyncio.ensure_future(self._step(step))
            self._running[step["id"]] = task
        await self._objects.reset()

    async def _step(self, step: dict[str, Any]) -> None:
        try:
            answer = await self._operation(step)
            self._say({"id": step["id"]} | ({"unsupported": True} if answer is None else {"ok": answer}))
        except asyncio.CancelledError as error:
            self._say({"id": step["id"], "error": error_of(error)})
        except StopAsyncIteration:
            self._say({"id": step["id"], "ok": {"end": True}})
        except Exception as error:
            self._say({"id": step["id"], "error": error_of(error)})
        finally:
            self._running.pop(step["id"], None)

    async def _operation(self, step: dict[str, Any]) -> dict[str, Any] | None:
        op, args = step["op"], step.get("args", {})
        if op == "cancel":
            task = self._running.get(args["id"])
            if task is not None:
                task.cancel()
            return {}
        if op == "reset":
            for task in [each for key, each in self._running.items() if key != step["id"]]:
                task.cancel()
            await self._objects.reset()
            return {}
        if (plain := pure.OPERATIONS.get(op)) is not None:
            return plain(args)
        target = Named(self._objects, step.get("on", ""), step.get("as", ""))
        work: Callable[[Named, dict[str, Any]], Awaitable[dict[str, Any]]] | None = OPERATIONS.get(op)
        return None if work is None else await work(target, args)

    def _say(self, document: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(Subject().run())
