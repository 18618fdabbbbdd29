"""Correlation ids: one for every call, to find it again in the gateway's logs and audit."""

from __future__ import annotations

import itertools
import secrets

# One random prefix a process and a counter: unique without a system call for each id. next() on a count is atomic.
_PREFIX = secrets.token_hex(8)
_COUNTER = itertools.count(1)


def next_correlation_id() -> str:
    """A new correlation id: never empty, unique among processes, safe to call from any thread.

    The text is opaque: compare it, log it, but never parse it, for its form may change with any version.
    """
    return f"{_PREFIX}-{next(_COUNTER):x}"
