"""How the end of a worker process is told."""

from __future__ import annotations

import pytest

from mxgateway_server.workers.exits import exit_text


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (None, "exit code unknown"),
        (-9, "signal 9"),
        (0, "exit code 0, success"),
        (8, "exit code 8, gateway gone"),
        (10, "exit code 10, out of memory"),
        (77, "exit code 77"),
        (0xC0000005, "exit code 0xC0000005, access violation"),
        (0xC0000135, "exit code 0xC0000135, a DLL is missing"),
        (0xC0DE0000, "exit code 0xC0DE0000"),
    ],
)
def test_signals_exit_codes_and_exceptions_of_windows_are_named(code: int | None, text: str) -> None:
    assert exit_text(code) == text
