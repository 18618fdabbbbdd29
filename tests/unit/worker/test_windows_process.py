"""What a worker does about itself on Windows: here that it does nothing, and ends at once; under Wine the rest."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mxgateway_worker import windows_process


def test_elsewhere_nothing_is_changed() -> None:
    windows_process.show_no_dialogs()
    windows_process.keep_to_itself(0, 1, 2)
    windows_process.stay()


@pytest.mark.parametrize("code", [0, 9])
def test_the_end_comes_at_once_whatever_threads_do(code: int) -> None:
    """No cleanup runs and no thread is waited for."""
    program = (
        "import atexit, threading\n"
        "from mxgateway_worker.windows_process import end_now\n"
        "atexit.register(lambda: print('cleanup'))\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
        f"end_now({code})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=30)
    assert (done.returncode, done.stdout) == (code, b"")
