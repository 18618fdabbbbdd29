"""What a test configures of logging is taken back: else lines of libraries stand on the stderr of later tests."""

from __future__ import annotations

import logging
import sys
from typing import Any, NamedTuple


class Logging(NamedTuple):
    """Handlers and level of the root logger, and whether structlog was configured."""

    handlers: tuple[logging.Handler, ...]
    level: int
    is_structured: bool


def logging_now() -> Logging:
    root = logging.getLogger()
    structlog = _structlog()
    return Logging(tuple(root.handlers), root.level, structlog is not None and structlog.is_configured())


def take_back(before: Logging) -> None:
    """Undoes what the gateway's `logs.configure` has done since; handlers of others stay."""
    root = logging.getLogger()
    added = [each for each in root.handlers if each not in before.handlers and _is_ours(each)]
    for handler in added:
        root.removeHandler(handler)
    if not added:
        return
    root.setLevel(before.level)
    structlog = _structlog()
    if structlog is not None and not before.is_structured:
        structlog.reset_defaults()


def _is_ours(handler: logging.Handler) -> bool:
    return type(handler).__module__ == "mxgateway_server.logs"


def _structlog() -> Any:
    # A worker's Python has none.
    return sys.modules.get("structlog")
