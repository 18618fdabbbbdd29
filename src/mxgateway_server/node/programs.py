"""What a program file is, by its header: before it is started, and on any machine. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEAD_BYTES = 4096
"""As much of a file as has to be read: the PE header of a linker's lies in its first kilobyte."""

_MACHINES = {0x014C: 32, 0x8664: 64, 0xAA64: 64}
_NAMES = {0x014C: "32-bit", 0x8664: "64-bit", 0xAA64: "64-bit ARM"}


@dataclass(frozen=True, slots=True)
class Program:
    """A Windows program or DLL.

    Attributes:
        bits: 32 or 64; 0 when it is none.
        text: what it is, for people.
    """

    bits: int
    text: str


def program_of(head: bytes, size: int) -> Program:
    """What the first bytes of a file say of it.

    Args:
        head: its first `HEAD_BYTES` bytes, or all of it.
        size: its length in bytes.
    """
    if size == 0:
        return Program(0, "an app-execution alias of the Windows store, which no service can start")
    if head[:2] != b"MZ" or len(head) < 0x40:
        return Program(0, "no Windows program")
    (offset,) = struct.unpack_from("<I", head, 0x3C)
    if len(head) < offset + 6 or head[offset : offset + 4] != b"PE\0\0":
        return Program(0, "no Windows program (its PE header is missing)")
    (machine,) = struct.unpack_from("<H", head, offset + 4)
    return Program(_MACHINES.get(machine, 0), _NAMES.get(machine, f"for an unknown processor (0x{machine:04X})"))
