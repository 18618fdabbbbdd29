"""Every kind of value both ways, bit for bit: from C++ through worker and gateway to the client, and back into C++.

The stand-in makes the values (tests/standin/kinds.h) and writes down what comes in; what stands here was worked out
from the rules of COM, not from the code on either side.
"""

from __future__ import annotations

import asyncio
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway import MxAccessError, Session, from_mx_value, to_mx_value
from mxgateway.generated import mxaccess_gateway_pb2 as pb

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow, pytest.mark.timeout(240)]


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0, micro: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, second, micro, tzinfo=UTC)


CUBE = [[[i + 2 * j + 6 * k for k in range(4)] for j in range(3)] for i in range(2)]
KINDS: dict[str, tuple[str, Any]] = {
    "Empty": ("VT_EMPTY", None), "Null": ("VT_NULL", None),
    "I2Low": ("VT_I2", -32768), "I2High": ("VT_I2", 32767), "I2Dirty": ("VT_I2", 7),
    "I4Low": ("VT_I4", -(2**31)), "I4High": ("VT_I4", 2**31 - 1), "I4Dirty": ("VT_I4", 7),
    "R4Least": ("VT_R4", 2.0**-149), "R4Most": ("VT_R4", 3.4028234663852886e38), "R4Zero": ("VT_R4", -0.0),
    "R4Infinite": ("VT_R4", float("-inf")), "R4NaN": ("VT_R4", float("nan")),
    "R4Tenth": ("VT_R4", 0.10000000149011612),
    "R8Least": ("VT_R8", 5e-324), "R8Most": ("VT_R8", 1.7976931348623157e308), "R8Zero": ("VT_R8", -0.0),
    "R8Infinite": ("VT_R8", float("-inf")), "R8NaN": ("VT_R8", float("nan")),
    "CyLow": ("VT_CY", -922337203685477.5808), "CyHigh": ("VT_CY", 922337203685477.5807), "CyLeast": ("VT_CY", -0.0001),
    "CyPlain": ("VT_CY", 12345.6789),
    "DateFirst": ("VT_DATE", at(100, 1, 1)), "DateLast": ("VT_DATE", at(9999, 12, 31, 12)),
    "DateEpoch": ("VT_DATE", at(1970, 1, 1)), "DateZero": ("VT_DATE", at(1899, 12, 30)),
    "DateNegative": ("VT_DATE", at(1899, 12, 29, 6)), "DateMicro": ("VT_DATE", at(2023, 3, 15, micro=1)),
    "DateLeap": ("VT_DATE", at(2000, 2, 29)), "DateBeyond": ("VT_DATE", None), "DateNaN": ("VT_DATE", None),
    "TextNone": ("VT_BSTR", ""), "TextEmpty": ("VT_BSTR", ""), "TextNul": ("VT_BSTR", "a\0b"),
    "TextWide": ("VT_BSTR", "é中😀"), "TextAlone": ("VT_BSTR", b"x\\ud800y"), "TextLong": ("VT_BSTR", "z" * 70_000),
    "ErrorLow": ("VT_ERROR", 0x80020004 - 2**32), "ErrorHigh": ("VT_ERROR", 2**31 - 1),
    "BoolTrue": ("VT_BOOL", True), "BoolFalse": ("VT_BOOL", False), "BoolOne": ("VT_BOOL", True),
    "BoolDirty": ("VT_BOOL", False),
    "Dispatch": ("VT_9", None), "Unknown": ("VT_13", None),
    "DecimalMost": ("VT_DECIMAL", 79228162514264337593543950335.0), "DecimalLeast": ("VT_DECIMAL", -1e-28),
    "DecimalPlain": ("VT_DECIMAL", -12.3456), "DecimalWide": ("VT_DECIMAL", 2.0**64),
    "DecimalZero": ("VT_DECIMAL", -0.0),
    "I1Low": ("VT_I1", -128), "I1High": ("VT_I1", 127), "UI1High": ("VT_UI1", 255), "UI2High": ("VT_UI2", 65535),
    "UI4High": ("VT_UI4", 2**32 - 1), "I8Low": ("VT_I8", -(2**63)), "I8High": ("VT_I8", 2**63 - 1),
    # Beyond the contract's 64 bits: as text, with a diagnosis.
    "UI8High": ("VT_UI8", b"18446744073709551615"), "UI8Plain": ("VT_UI8", 2**63 - 1),
    "IntLow": ("VT_I4", -(2**31)), "UIntHigh": ("VT_UI4", 2**32 - 1),
    "I2s": ("VT_ARRAY|VT_I2", [-32768, 0, 32767]), "I4s": ("VT_ARRAY|VT_I4", [-(2**31), -1, 2**31 - 1]),
    "R4s": ("VT_ARRAY|VT_R4", [-0.0, 0.10000000149011612, 3.4028234663852886e38]),
    "R8s": ("VT_ARRAY|VT_R8", [-0.0, 0.1, 5e-324]), "Cys": ("VT_ARRAY|VT_CY", [-0.0001, 12345.6789]),
    "Dates": ("VT_ARRAY|VT_DATE", [at(1970, 1, 1), at(1899, 12, 29, 6)]),
    "Errors": ("VT_ARRAY|VT_ERROR", [0x80020004 - 2**32, 1]), "Bools": ("VT_ARRAY|VT_BOOL", [True, False, True]),
    "I1s": ("VT_ARRAY|VT_I1", [-128, 127]), "UI1s": ("VT_ARRAY|VT_UI1", [0, 255]),
    "UI2s": ("VT_ARRAY|VT_UI2", [0, 65535]), "UI4s": ("VT_ARRAY|VT_UI4", [0, 2**32 - 1]),
    "I8s": ("VT_ARRAY|VT_I8", [-(2**63), 2**63 - 1]), "UI8s": ("VT_ARRAY|VT_UI8", [0, 2**63 - 1]),
    "Ints": ("VT_ARRAY|VT_I4", [-7, 7]), "UInts": ("VT_ARRAY|VT_UI4", [7, 2**32 - 1]),
    "Decimals": ("VT_ARRAY|VT_DECIMAL", [1.5, -2.0]), "Texts": ("VT_ARRAY|VT_BSTR", ["a\0b", "", "中"]),
    "Variants": ("VT_ARRAY|VT_VARIANT", [7, -1]), "VariantsMixed": ("VT_ARRAY|VT_VARIANT", [b"7", b"x"]),
    "VariantsNull": ("VT_ARRAY|VT_VARIANT", [7, 0]),
    "I4None": ("VT_ARRAY|VT_I4", []), "TextsNone": ("VT_ARRAY|VT_BSTR", []), "ArrayNull": ("VT_ARRAY|VT_R8", []),
    "Cube": ("VT_ARRAY|VT_I4", CUBE), "CubeBounds": ("VT_ARRAY|VT_I4", CUBE),
    "Table": ("VT_ARRAY|VT_BSTR", [["a", "d"], ["b", "e"], ["c", "f"]]), "TableNone": ("VT_ARRAY|VT_R8", [[], [], []]),
}  # fmt: skip
UNREADABLE = ("DateBeyond", "DateNaN")
"""No time at all: told as none, by the VARTYPE that it came with."""


def told(value: pb.MxValue) -> tuple[str, str]:
    """VARTYPE and Python value, so that NaN is NaN and minus zero is not zero."""
    return value.variant_type, repr(from_mx_value(value))


def expected(name: str, *, by_reference: bool) -> tuple[str, str]:
    vartype, value = KINDS[name]
    if by_reference and name in UNREADABLE:
        vartype = "VT_16391"
    return vartype, repr(value)


async def test_what_cpp_makes_is_what_python_gets(session: Session) -> None:
    """Each kind as it is and by reference, by events and by ReadBulk alike."""
    names = {f"Kind.{name}": expected(name, by_reference=False) for name in KINDS}
    names |= {f"Kind.Ref.{name}": expected(name, by_reference=True) for name in KINDS if name not in ("Empty", "Null")}
    server = await session.register("kinds")
    read = await session.read_bulk(server, list(names))
    assert {one.tag_address: told(one.value) for one in read} == names
    items = {one.item_handle: one.tag_address for one in await session.subscribe_bulk(server, list(names))}
    seen: dict[str, tuple[str, str]] = {}
    async with asyncio.timeout(30), session.stream_events(from_beginning=True) as events:
        async for event in events:
            if event.server_handle == server and event.item_handle in items:
                seen[items[event.item_handle]] = told(event.value)
                if len(seen) == len(names):
                    break
    assert seen == names


def image(vartype: int, payload: bytes) -> str:
    return f"vt={vartype:04X} data={payload.ljust(8, bytes(1)).hex().upper()}"


def text_image(text: str) -> str:
    return f"vt=0008 data={text.encode('utf-16-le').hex().upper()}"


def array_image(vartype: int, counts: str, *elements: bytes) -> str:
    return f"vt={0x2000 | vartype:04X} counts={counts} data={'|'.join(one.hex().upper() for one in elements)}"


def packed(form: str, *values: Any) -> list[bytes]:
    return [struct.pack(form, value) for value in values]


def typed(vartype: str, number: int) -> pb.MxValue:
    arm = "int32_value" if -(2**31) <= number < 2**31 else "int64_value"
    return pb.MxValue(data_type=pb.MX_DATA_TYPE_INTEGER, variant_type=vartype, **{arm: number})  # type: ignore[arg-type]


def single(number: float) -> pb.MxValue:
    return pb.MxValue(data_type=pb.MX_DATA_TYPE_FLOAT, variant_type="VT_R4", float_value=number)


WRITTEN: list[tuple[Any, str]] = [
    (True, image(11, b"\xff\xff")), (False, image(11, b"")),
    *((number, image(3, struct.pack("<i", number))) for number in (0, 1, -1, 2**31 - 1, -(2**31))),
    *((number, image(20, struct.pack("<q", number))) for number in (2**31, -(2**63), 2**63 - 1)),
    (typed("VT_I1", -128), image(16, b"\x80")), (typed("VT_I2", -32768), image(2, b"\0\x80")),
    (typed("VT_UI1", 255), image(17, b"\xff")), (typed("VT_UI2", 65535), image(18, b"\xff\xff")),
    (typed("VT_UI4", 2**32 - 1), image(19, b"\xff\xff\xff\xff")),
    *((single(number), image(4, struct.pack("<f", number))) for number in (-0.0, 2.0**-149, 3.4028234663852886e38)),
    *((number, image(5, struct.pack("<d", number))) for number in (-0.0, 0.1, 5e-324, -1.7976931348623157e308)),
    *((text, text_image(text)) for text in ("", "a\0b", "é中😀", "z" * 70_000)),
    (at(1970, 1, 1), image(7, struct.pack("<d", 25569.0))), (at(100, 1, 1), image(7, struct.pack("<d", -657434.0))),
    (at(1899, 12, 29, 6), image(7, struct.pack("<d", -1.25))),
    (at(2023, 3, 15, micro=1), image(7, struct.pack("<d", 45000 + 1 / 86_400e6))),
    # The last double before the year 10000.
    (at(9999, 12, 31, 23, 59, 59, 999_999), image(7, bytes.fromhex("FFFFFFFF40924641"))),
    ([1, -2], array_image(3, "2", *packed("<i", 1, -2))),
    ([2**40, -1], array_image(20, "2", *packed("<q", 2**40, -1))),
    ([True, False], array_image(11, "2", b"\xff\xff", b"\0\0")),
    ([0.5, -0.0], array_image(5, "2", *packed("<d", 0.5, -0.0))),
    (["a", "ü\0"], array_image(8, "2", b"a\0", "ü\0".encode("utf-16-le"))),
    ([at(1970, 1, 1), at(1899, 12, 29, 6)], array_image(7, "2", *packed("<d", 25569.0, -1.25))),
    ([[1, 2, 3], [4, 5, 6]], array_image(3, "2,3", *packed("<i", 1, 4, 2, 5, 3, 6))),
    (CUBE, array_image(3, "2,3,4", *packed("<i", *range(24)))),
    ([["a", "d"], ["b", "e"], ["c", "f"]], array_image(8, "3,2", *(f"{letter}\0".encode() for letter in "abcdef"))),
    (to_mx_value([], data_type="int32[]"), array_image(3, "0")),
]  # fmt: skip


async def test_what_python_writes_is_what_cpp_gets_and_gives_back(session: Session) -> None:
    server, reading = await session.register("echo"), await session.register("reads")
    echo = await session.add_item(server, "Kind.Echo")
    await session.advise(server, echo)
    await session.read_bulk(reading, ["Kind.Echo"])
    for value, came_in in WRITTEN:
        await session.write(server, echo, value)
        stood, back = await session.read_bulk(reading, ["Kind.Image", "Kind.Echo"])
        assert from_mx_value(stood.value) == came_in
        if isinstance(value, datetime) and value.year == 9999:
            # A double has no room for its last microseconds.
            assert abs((from_mx_value(back.value) - value).total_seconds()) < 50e-6
            continue
        sent = to_mx_value(value)
        assert repr(from_mx_value(back.value)) == repr(from_mx_value(sent)), came_in


async def test_what_mxaccess_takes_no_value_from_is_refused_there(session: Session) -> None:
    """Null reaches MXAccess and is refused by it; a time that no date can say does not get so far."""
    server = await session.register("refused")
    echo = await session.add_item(server, "Kind.Echo")
    await session.advise(server, echo)
    await session.read_bulk(server, ["Kind.Echo"])
    with pytest.raises(MxAccessError, match="type is not known"):
        await session.write(server, echo, None)
    beyond = pb.MxValue(variant_type="VT_DATE", timestamp_value=Timestamp(seconds=253_402_300_800))
    with pytest.raises(Exception, match="9999"):
        await session.write(server, echo, beyond)
