"""A filter of system calls: no sockets, and no looking into other processes, on every Linux kernel of today."""

from __future__ import annotations

import ctypes
import errno
import os
from dataclasses import dataclass

_SET_SECCOMP, _MODE_FILTER = 22, 2
_NO_NEW_PRIVS = 38
_LOAD_WORD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_AT_NUMBER, _AT_ARCHITECTURE = 0, 4
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | errno.EPERM
# Calls of 32-bit programs on x86_64, beside which another table of numbers counts.
_X32 = 0x40000000


@dataclass(frozen=True, slots=True)
class _Architecture:
    """Its name in the kernel's words, and the numbers of what is refused.

    Attributes:
        refused: socket, io_uring_setup (which makes sockets without that call), ptrace, process_vm_readv,
            process_vm_writev, pidfd_getfd.
    """

    audit: int
    refused: tuple[int, ...]


_ARCHITECTURES = {
    "x86_64": _Architecture(0xC000003E, (41, 425, 101, 310, 311, 438)),
    "aarch64": _Architecture(0xC00000B7, (198, 425, 117, 270, 271, 438)),
}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def problem() -> str:
    """Why no filter can be laid down here; empty when one can."""
    machine = os.uname().machine
    if machine not in _ARCHITECTURES or ctypes.sizeof(ctypes.c_void_p) != 8:
        return f"there is no filter of system calls for {machine}"
    # No program is given, so a kernel that has filters complains of that.
    if _libc().prctl(_SET_SECCOMP, _MODE_FILTER, None, 0, 0) == -1 and ctypes.get_errno() == errno.EFAULT:
        return ""
    return "this kernel has no filters of system calls (seccomp)"


def restrict() -> None:
    """Refuses the calls from now on, to this thread and all that it starts.

    Raises:
        OSError: the kernel refuses the filter.
    """
    instructions = _instructions(_ARCHITECTURES[os.uname().machine])
    held = (_Instruction * len(instructions))(*(_Instruction(*each) for each in instructions))
    program = _Program(len(instructions), held)
    libc = _libc()
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl(PR_SET_SECCOMP): {os.strerror(number)}")


def _instructions(architecture: _Architecture) -> list[tuple[int, int, int, int]]:
    refused = architecture.refused
    # Jumps count the instructions that they skip; the last two are what they lead to.
    to_refusal = len(refused) + 1
    return [
        (_LOAD_WORD, 0, 0, _AT_ARCHITECTURE),
        (_JUMP_EQUAL, 0, to_refusal + 2, architecture.audit),
        (_LOAD_WORD, 0, 0, _AT_NUMBER),
        (_JUMP_AT_LEAST, to_refusal, 0, _X32),
        *((_JUMP_EQUAL, to_refusal - 1 - at, 0, number) for at, number in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
