"""Dying with the gateway, for the case that not even the end of the pipe is noticed."""

from __future__ import annotations

import logging
import signal
import sys

_PR_SET_PDEATHSIG = 1

logger = logging.getLogger(__name__)


def die_with_parent() -> None:
    """Asks the kernel to end this process with its parent. On Windows the gateway's job object does it."""
    if sys.platform != "linux":
        return
    import ctypes

    try:
        failed = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    except (OSError, AttributeError) as error:
        logger.warning("PDEATHSIG is not available reason=%s", error)
        return
    if failed:
        logger.warning("PDEATHSIG was refused errno=%d", ctypes.get_errno())
