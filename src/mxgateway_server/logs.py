"""Logging of the gateway: structlog on stderr, fixed keys, and nothing secret in any record."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from mxgateway_contract.redaction import REDACTED, redact, sounds_secret
from mxgateway_server.log_writer import LogRing

_MANY_LINES = frozenset({"exception", "stack"})


def plain(text: str) -> str:
    """The text on one line and without anything that moves a terminal: what callers send must not forge records."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: REDACTED if sounds_secret(str(key)) else _redact_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redact_value(item) for item in value]
    if isinstance(value, BaseException):
        return redact(f"{type(value).__name__}: {value}")
    return value


def redact_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: redacts a whole record, exception text included, and keeps it to its lines."""
    for key, value in event.items():
        if key in ("exc_info", "_record"):
            continue
        if sounds_secret(key):
            event[key] = REDACTED
            continue
        value = _redact_value(value)
        if isinstance(value, str):
            # Tracebacks have lines of their own.
            value = "\n".join(map(plain, value.split("\n"))) if key in _MANY_LINES else plain(value)
        event[key] = value
    return event


recent = LogRing()
"""The last records of this process."""

_contexts: list[Callable[[], Mapping[str, Any]]] = []


def add_context(context: Callable[[], Mapping[str, Any]]) -> None:
    """From now on each record has what this tells of the moment in which it is made, unless it says so itself."""
    if context not in _contexts:
        _contexts.append(context)


def remove_context(context: Callable[[], Mapping[str, Any]]) -> None:
    """Takes it back."""
    _contexts.remove(context)


def _add_contexts(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for context in _contexts:
        for key, value in context().items():
            event.setdefault(key, value)
    return event


def _remember(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    recent.add(event)
    return event


_FIRST = (
    "timestamp",
    "level",
    "event",
    "logger",
    "session_id",
    "worker_pid",
    "correlation_id",
    "trace_id",
    "span_id",
    "key_id",
    "method",
    "client",
    "error",
)


def _in_order(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The keys that every record may have first, then the others by name: lines of one event look alike."""
    first = {key: event[key] for key in _FIRST if key in event}
    return first | {key: event[key] for key in sorted(event.keys() - first.keys())}


def set_level(level: str) -> None:
    """Changes the least level of the records that are written."""
    logging.getLogger().setLevel(level.upper())


def level() -> str:
    """The least level of the records that are written."""
    return logging.getLevelName(logging.getLogger().level).lower()


def configure(
    level: str = "info", style: str = "console", stream: TextIO | None = None, writer: logging.Handler | None = None
) -> None:
    """Sends structlog's and the standard library's records, redacted, to `stream` (stderr).

    Args:
        level: least level of the records that are written.
        style: `console` or `json`.
        writer: takes the lines in place of `stream`.
    """
    target = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _add_contexts,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact_event,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    order = [_in_order] if style == "json" else []
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = writer or logging.StreamHandler(_CurrentStderr() if stream is None else stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _remember, *order, renderer],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old, _ConfiguredHandler):
            root.removeHandler(old)
    configured = _ConfiguredHandler(handler)
    root.addHandler(configured)
    root.setLevel(level.upper())
    logging.getLogger("aiosqlite").setLevel(logging.WARNING)
    # Whoever sends it what is no HTTP makes it warn.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    # The gateway's own line says once that the collector takes nothing; this one would say it with each batch.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    # It writes a traceback for each refused login and each server that is away; the gateway's own line says it all.
    logging.getLogger("pytds").setLevel(logging.ERROR)


class _CurrentStderr:
    """Whatever stderr is when a line is written: a program that runs commands in itself may change it."""

    def write(self, text: str) -> None:
        sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class _ConfiguredHandler(logging.Handler):
    """Marks our handler, so that configuring again replaces it and leaves others alone."""

    def __init__(self, inner: logging.Handler) -> None:
        super().__init__()
        self._inner = inner

    def emit(self, record: logging.LogRecord) -> None:
        self._inner.handle(record)


def get_logger(name: str) -> Any:
    """The logger of a module; event names are snake_case words, data goes into keys."""
    return structlog.stdlib.get_logger(name)
