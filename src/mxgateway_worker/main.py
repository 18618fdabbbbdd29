"""Start of a worker process."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

from mxgateway_protocol.clock import MovableClock, SystemClock
from mxgateway_protocol.contract import NONCE_VARIABLE
from mxgateway_worker import arguments, logs, stdio, windows_process
from mxgateway_worker.parent import die_with_parent
from mxgateway_worker.worker import Worker

logger = logging.getLogger(__name__)

# Short enough that the thread with a heartbeat or a reply does not wait long behind one that builds events.
_SWITCH_INTERVAL = 0.001


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a worker until its gateway ends it; returns the process's exit code, a `contract.WorkerExit`."""
    windows_process.show_no_dialogs()
    given = sys.argv[1:] if argv is None else argv
    try:
        settings = arguments.parse(given, os.environ)
    except arguments.ArgumentsError as error:
        print(f"mxgateway_worker: {error}", file=sys.stderr)  # noqa: T201 - before logging is set up
        return int(error.exit_code)
    # Nothing that this process starts may inherit it.
    del os.environ[NONCE_VARIABLE]
    read_fd, write_fd = stdio.take_over()
    die_with_parent()
    # Ctrl-C reaches the whole process group; the gateway decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setswitchinterval(_SWITCH_INTERVAL)
    if settings.allow_fault_injection:
        MovableClock.install()
    formatter = logs.configure(settings.session_id, settings.log_level)
    worker = Worker(settings=settings, read_fd=read_fd, write_fd=write_fd, clock=SystemClock(), formatter=formatter)
    if hasattr(signal, "SIGTERM"):
        # On a thread of its own: a handler may interrupt the main thread while it holds the very lock that this needs.
        signal.signal(
            signal.SIGTERM,
            lambda *_: threading.Thread(target=worker.request_stop, args=("SIGTERM",), daemon=True).start(),
        )
    code = worker.run()
    logger.info("worker ends exit=%d", code)
    if not worker.threads_ended:
        # A thread hangs in a call that nothing can abort; the interpreter must not wait for it.
        sys.stderr.flush()
        windows_process.end_now(int(code))
    return int(code)
