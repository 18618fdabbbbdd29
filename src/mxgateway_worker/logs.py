"""Log lines of the worker: key=value on stderr, with secrets blotted out."""

from __future__ import annotations

import logging
import time

from mxgateway_contract.redaction import redact


class KeyValueFormatter(logging.Formatter):
    """`time=… level=… session=… logger=… msg="…"`, the traceback on lines of its own."""

    def __init__(self, session_id: str) -> None:
        super().__init__()
        self.session_id = session_id

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        # Before its quotes are escaped; the whole line follows once more, for a traceback may hold one too.
        message = redact(record.getMessage()).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
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
