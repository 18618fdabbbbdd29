"""How the end of a worker process is told."""

from __future__ import annotations

from mxgateway_protocol.contract import WorkerExit

FIRST_NTSTATUS = 0x80000000
"""A Windows process that breaks down ends with the NTSTATUS of its exception."""
_NO_MEMORY = 0xC0000017
_NTSTATUS = {
    0x80000003: "breakpoint",
    0xC0000005: "access violation",
    0xC000001D: "illegal instruction",
    _NO_MEMORY: "no memory",
    0xC00000FD: "stack overflow",
    0xC0000135: "a DLL is missing",
    0xC0000139: "a DLL lacks an entry point",
    0xC000013A: "ended by Ctrl-C",
    0xC0000142: "a DLL failed to initialise",
    0xC0000374: "heap corruption",
    0xC0000409: "stack buffer overrun, or a fail-fast exit",
    0xE06D7363: "a C++ exception that nobody caught",
}


def is_out_of_memory(code: int | None) -> bool:
    """Whether a worker ended because allocating failed."""
    return code in (WorkerExit.OUT_OF_MEMORY, _NO_MEMORY)


def exit_class(code: int | None) -> str:
    """The exit code as a word of a small set, for counting: `0` to `9`, `signal`, `other`."""
    if code is None:
        return "other"
    if code < 0:
        return "signal"
    return str(code) if code < 10 else "other"


def exit_text(code: int | None) -> str:
    """An exit code of a worker with its meaning: a signal, one of the worker's own, or an exception of Windows."""
    if code is None:
        return "exit code unknown"
    if code < 0:
        return f"signal {-code}"
    if code >= FIRST_NTSTATUS:
        name = _NTSTATUS.get(code)
        return f"exit code 0x{code:08X}" + (f", {name}" if name else "")
    try:
        return f"exit code {code}, {WorkerExit(code).name.lower().replace('_', ' ')}"
    except ValueError:
        return f"exit code {code}"
