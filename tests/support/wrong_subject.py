"""A subject of the conformance suite that is wrong on purpose: in the way that `be_wrong` names, and in no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from conformance.runner import API_KEY
from conformance.subjects.python import Subject

from mxgateway.channel import Connection

Answer = dict[str, Any]


def _with(**wrong: Any) -> Callable[[Answer], Answer]:
    return lambda answer: answer | wrong


def _but(key: str, change: Callable[[Any], Any]) -> Callable[[Answer], Answer]:
    return lambda answer: answer | {key: change(answer[key])} if key in answer else answer


ANSWERS: dict[str, tuple[str, str, Callable[[Answer], Answer]]] = {
    "takes every number for an integer": ("values", "to_mx_value", _with(data_type="MX_DATA_TYPE_INTEGER")),
    "loses values": ("values_back", "from_mx_value", _with(value={"null": True})),
    "turns failures round": ("statuses", "is_status_failure", _but("failure", lambda failure: not failure)),
    "calls every quality good": ("quality", "quality", _with(name="Good", good=True)),
    "has no words for details": ("status_texts", "status_text", _with(text="failed")),
    "hides nothing": ("redaction", "redact", _with(text="Bearer mxgw_id_secret")),
    "takes all errors for one kind": ("errors", "map_error", _with(kind="transport")),
    "retries what is over": ("errors", "map_error", _but("retryable", lambda retryable: not retryable)),
    "loses the nanoseconds": ("times", "parse_time", _with(nanos=0)),
    "loses the last word of a line": ("tokenizer", "split_line", _but("arguments", lambda words: words[:-1])),
    "takes the largest for the 99th": ("percentiles", "percentiles", _with(p99=-1.0)),
    "reads every value as a text": ("cli_values", "parse_value", _with(variant_type="VT_BSTR")),
    "loses the first event": ("events", "next", _but("items", lambda items: items[1:])),
    "says a sequence too early": ("events", "next", _with(last_worker_sequence="0")),
    "hides what was dropped": ("events", "next", _with(dropped_events="0")),
    "hides that it has lost": ("subscription", "stats", _with(lost=0, gaps=0)),
    "marks nothing as recovered": (
        "subscription",
        "next",
        _but("changes", lambda changes: [each | {"recovered": False} for each in changes]),
    ),
    "puts results on other tags": ("commands", "read_bulk", _but("results", lambda results: results[::-1])),
    "makes up a handle": ("commands", "add_item", _with(item_handle=0)),
}
"""By name: the suite that finds it, the operation that is wrong, and what becomes of its answer."""

DEEDS = {
    "writes twice": ("commands", "write"),
    "closes nothing": ("session", "close"),
    "prints the key": ("commands", "ping"),
    "repeats together what failed together": ("retry", "connect"),
    "repeats sooner than it was asked to": ("retry", "connect"),
}
"""By name: the suite that finds it, and the operation that does something else."""


class WrongSubject(Subject):
    """Python's subject but for one thing."""

    def __init__(self) -> None:
        super().__init__()
        self._wrong = ""

    async def _operation(self, step: dict[str, Any]) -> dict[str, Any] | None:
        op = step["op"]
        if op == "be_wrong":
            self._wrong = step["args"]["name"]
            return {}
        if self._wrong in DEEDS and op == DEEDS[self._wrong][1]:
            return await self._deed(step)
        answer = await super()._operation(step)
        if self._wrong in ANSWERS and op == ANSWERS[self._wrong][1] and answer is not None:
            return ANSWERS[self._wrong][2](answer)
        return answer

    async def _deed(self, step: dict[str, Any]) -> dict[str, Any] | None:
        if self._wrong == "closes nothing":
            return {}
        if self._wrong == "prints the key":
            return (await super()._operation(step) or {}) | {"because": API_KEY}
        if step["op"] == "connect":
            with _waiting(**{"_jitter": lambda: 1.0} if "together" in self._wrong else {"_sleep": _at_once}):
                return await super()._operation(step)
        await super()._operation(step)
        return await super()._operation(step)


async def _at_once(_seconds: float) -> None:
    return None


@contextmanager
def _waiting(**wrong: Any) -> Iterator[None]:
    """Connections that are made meanwhile wait wrongly between attempts."""
    right = Connection.__init__

    def made(connection: Connection, *given: Any, **more: Any) -> None:
        right(connection, *given, **more)
        vars(connection).update(wrong)

    with patch.object(Connection, "__init__", made):
        yield


if __name__ == "__main__":
    asyncio.run(WrongSubject().run())
