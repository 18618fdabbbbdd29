"""Start of a worker process."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

from mxgateway_protocol.clock import MovableClock, SystemClock
from mxgateway_protocol.contract import NONCE_VARIABLE, WorkerExit
from mxgateway_worker import arguments, logs, memory, quick_start, stdio, usage, windows_process
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
    memory.end_when_out_of_memory()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    if settings.allow_fault_injection:
        MovableClock.install()
    formatter = logs.configure(settings.session_id, settings.log_level)
    usage.prepare()
    # Before there are threads, which it would not reach.
    if not _give_up(settings):
        return int(WorkerExit.INVALID_ARGUMENTS)
    worker = Worker(settings=settings, read_fd=read_fd, write_fd=write_fd, clock=SystemClock(), formatter=formatter)
    _end_on_sigterm(worker)
    quick_start.done()
    code = worker.run()
    logger.info("worker ends exit=%d", code)
    if not worker.threads_ended:
        # A thread hangs in a call that nothing can abort; the interpreter must not wait for it.
        sys.stderr.flush()
        windows_process.end_now(int(code))
    return int(code)


def _give_up(settings: arguments.WorkerSettings) -> bool:
    """Gives up what the worker does not need; False when not all could be given up, and that was asked for."""
    if settings.sandbox == "off":
        return True
    # Only where there is one.
    from mxgateway_worker import sandbox

    try:
        missing = sandbox.lay_down(sandbox.grants(settings.options)).missing
    except OSError as error:
        missing = {"sandbox": str(error)}
        logger.warning("the sandbox could not be laid down reason=%s", error)
    if missing and settings.sandbox == "required":
        name, why = next(iter(missing.items()))
        logger.error("the sandbox is required, and of %s it cannot be had reason=%s", name, why)
        return False
    return True


def _end_on_sigterm(worker: Worker) -> None:
    """Ends the worker in order on SIGTERM; to be called before there are other threads.

    A thread waits for the signal, because a handler would run only when the main thread next looks: one that comes just
    before that thread goes to sleep for good would be seen by nobody.
    """
    if sys.platform == "win32":
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        worker.request_stop("SIGTERM")

    threading.Thread(target=wait, name="worker-sigterm", daemon=True).start()
