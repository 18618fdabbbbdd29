"""What asyncio's debug mode finds during a test: unretrieved exceptions, unclosed channels, slow callbacks.

A coroutine that was never awaited is a RuntimeWarning, which pytest makes an error by itself.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import grpc
import grpc.aio

SLOW = 0.1
"""Seconds after which asyncio calls a callback slow."""
EARLIER_LOOP = "Exception in callback PollerCompletionQueue._handle_events"
"""How gRPC's one queue for all loops tells the end of a call whose loop, an earlier test's, is closed by now."""
EVERY_SLOW_CALLBACK = "MXGATEWAY_TEST_EVERY_SLOW_CALLBACK"
"""Variable that counts each callback that asyncio calls slow, also those that only waited for a busy processor."""


class Findings(logging.Handler):
    """Collects what asyncio logs as wrong."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []
        self.used = 0.0
        """Processor seconds of the callback that ran last."""

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        # On a busy machine a callback is slow by the clock without doing anything. Its processor time tells.
        waited = text.startswith("Executing ") and self.used < SLOW
        late = text.startswith(EARLIER_LOOP) and "Event loop is closed" in repr(record.exc_info)
        if not (waited or late) or os.environ.get(EVERY_SLOW_CALLBACK):
            self.found.append(f"{text} {record.exc_info[1]!r}" if record.exc_info else text)


def debug_running_loop() -> None:
    """Switches the debug mode on for a loop that has been started before `asyncio_findings`."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = SLOW


@contextmanager
def asyncio_findings() -> Iterator[list[str]]:
    """Findings of event loops that start within the block, which are in debug mode; complete when it is left."""
    findings = Findings()
    channels: list[grpc.aio.Channel] = []
    run = asyncio.Handle._run  # type: ignore[attr-defined]

    def measured(handle: asyncio.Handle) -> None:
        before = time.thread_time()
        run(handle)
        findings.used = time.thread_time() - before

    def kept(opener: Any) -> Any:
        def opened(*arguments: Any, **options: Any) -> Any:
            channels.append(opener(*arguments, **options))
            return channels[-1]

        return opened

    logger = logging.getLogger("asyncio")
    logger.addHandler(findings)
    # What was there before is left out of collections, which would take longer than tests, and make callbacks slow.
    gc.freeze()
    try:
        with (
            mock.patch.dict(os.environ, {"PYTHONASYNCIODEBUG": "1"}),
            mock.patch.object(asyncio.Handle, "_run", measured),
            mock.patch.object(grpc.aio, "insecure_channel", kept(grpc.aio.insecure_channel)),
            mock.patch.object(grpc.aio, "secure_channel", kept(grpc.aio.secure_channel)),
        ):
            yield findings.found
        # Exceptions that nobody retrieved are reported when their task is collected.
        gc.collect()
    finally:
        gc.unfreeze()
        logger.removeHandler(findings)
    for channel in channels:
        if channel.get_state() is not grpc.ChannelConnectivity.SHUTDOWN:
            findings.found.append(f"unclosed channel {channel}")
