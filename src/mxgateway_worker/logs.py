"""Log lines of the worker: key=value on stderr, with secrets blotted out."""

from __future__ import annotations

import logging
import re
import time

_SECRET = re.compile(
    r"(?i)\b([\w.-]*(?:nonce|secret|password|passwd|token|credential|api[_-]?key)[\w.-]*)[\"']?\s*[=:]\s*(\"[^\"]*\"|'[^']*'|[^\s,;}]+)"
)


def redact(text: str) -> str:
    """The text with the values of fields that are named like secrets replaced by `***`."""
    return _SECRET.sub(r"\1=***", text)


class KeyValueFormatter(logging.Formatter):
    """`time=… level=… session=… logger=… msg="…"`, the traceback on lines of its own."""

    def __init__(self, session_id: str) -> None:
        super().__init__()
        self.session_id = session_id

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        message = record.getMessage().replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        line = (
            f"time={stamp}.{int(record.msecs):03d}Z level={record.levelname.lower()} session={self.session_id} "
            f'logger={record.name} msg="{message}"'
        )
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redact(line)


def configure(session_id: str, level: str) -> KeyValueFormatter:
    """Sends the worker's log to stderr; returns the formatter, whose session id may change later."""
    formatter = KeyValueFormatter(session_id)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    return formatter
