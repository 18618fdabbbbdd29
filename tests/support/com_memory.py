"""Memory of a 32-bit process as an arena of bytes: COM's texts and arrays laid out as Windows lays them out."""

from __future__ import annotations

import math
import struct

_SIZES = {
    2: 2,
    3: 4,
    4: 4,
    5: 8,
    6: 8,
    7: 8,
    8: 4,
    10: 4,
    11: 2,
    12: 16,
    14: 16,
    16: 1,
    17: 1,
    18: 2,
    19: 4,
    20: 8,
    21: 8,
    36: 16,
}
_BASE = 0x0040_0000


class Arena:
    """Gives out blocks and remembers which were not given back; reading elsewhere is an error, as it would be there."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytearray] = {}
        self._next = _BASE

    # -------------------------------------------------------------------------------------------------- what COM does

    def block(self, data: bytes) -> int:
        """A block with these bytes; never beside another one."""
        address = self._next
        self._blocks[address] = bytearray(data)
        self._next += len(data) + 64
        return address

    def bstr(self, text: str) -> int:
        data = text.encode("utf-16-le", "surrogatepass")
        return self.block(struct.pack("<I", len(data)) + data + b"\0\0") + 4

    def array(self, vartype: int, counts: tuple[int, ...]) -> tuple[int, int]:
        size = _SIZES[vartype]
        data = self.block(bytes(size * math.prod(counts)))
        head = struct.pack("<HHIII", len(counts), 0, size, 0, data)
        bounds = b"".join(struct.pack("<Ii", count, 0) for count in reversed(counts))
        return self.block(head + bounds), data

    def store(self, address: int, data: bytes) -> None:
        start, block = self._find(address, len(data))
        block[address - start : address - start + len(data)] = data

    def clear(self, image: bytes) -> None:
        vartype, pointer = struct.unpack_from("<H6xI", image)
        if vartype == 8 and pointer:
            del self._blocks[pointer - 4]
        elif vartype & 0x2000 and pointer:
            dimensions, _, size, _, data = struct.unpack("<HHIII", self.read(pointer, 16))
            count = math.prod(one for one, _ in struct.iter_unpack("<Ii", self.read(pointer + 16, 8 * dimensions)))
            if vartype & 0xFFF == 8:
                for (text,) in struct.iter_unpack("<I", self.read(data, size * count) if count else b""):
                    if text:
                        del self._blocks[text - 4]
            del self._blocks[data], self._blocks[pointer]

    # ------------------------------------------------------------------------------------------------ what a test does

    def read(self, address: int, count: int) -> bytes:
        start, block = self._find(address, count)
        return bytes(block[address - start : address - start + count])

    @property
    def blocks(self) -> int:
        """How many blocks are given out."""
        return len(self._blocks)

    def _find(self, address: int, count: int) -> tuple[int, bytearray]:
        for start, block in self._blocks.items():
            if start <= address and address + count <= start + len(block):
                return start, block
        raise AssertionError(f"{count} bytes at {address:#x} belong to nobody")

    def statuses(self, *statuses: tuple[int, int, int, int], padding: int = 0xEE) -> bytes:
        """The VARIANT of a status array by reference, its padding filled as a native caller leaves it."""
        array, data = self.array(36, (len(statuses),))
        for place, (success, category, source, detail) in enumerate(statuses):
            raw = bytearray([padding] * 16)
            raw[0:2], raw[4:8] = struct.pack("<h", success), struct.pack("<i", category)
            raw[8:12], raw[12:14] = struct.pack("<i", source), struct.pack("<h", detail)
            self.store(data + 16 * place, bytes(raw))
        return struct.pack("<H6xI4x", 0x6024, self.block(struct.pack("<I", array)))


class EarlierZone:
    """A node one hour ahead of UTC, whose locale reads one date."""

    def to_utc(self, local_ns: int) -> int:
        return local_ns - 3_600_000_000_000

    def to_local(self, utc_ns: int) -> int:
        return utc_ns + 3_600_000_000_000

    def parse(self, text: str) -> float:
        if text != "3/15/2023 12:00:00 PM":
            raise ValueError(text)
        return 45_000.5


NOON_NS = 1_678_881_600_000_000_000
FILETIME_TICKS = NOON_NS // 100 + 116_444_736_000_000_000
