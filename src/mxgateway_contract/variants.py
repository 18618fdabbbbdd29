"""VARIANTs as the worker and its backends handle them, whatever the backend is.

A value is kept with the VARTYPE that COM delivers and the Galaxy's own data type, because clients see both.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple, TypeAlias

Scalar: TypeAlias = bool | int | float | str | bytes | None
"""VT_BOOL bool · integers int · VT_R4/VT_R8/VT_CY/VT_DECIMAL float · VT_BSTR str · VT_DATE and VT_FILETIME int,
nanoseconds since 1970-01-01 UTC · VT_RECORD and unknown ones bytes · VT_EMPTY and VT_NULL None."""

VT_ARRAY = 0x2000
"""Flag of an array, combined with the element's VARTYPE."""


class VarType(IntEnum):
    """The scalar VARTYPEs that occur."""

    VT_EMPTY = 0
    VT_NULL = 1
    VT_I2 = 2
    VT_I4 = 3
    VT_R4 = 4
    VT_R8 = 5
    VT_CY = 6
    VT_DATE = 7
    VT_BSTR = 8
    VT_ERROR = 10
    VT_BOOL = 11
    VT_VARIANT = 12
    VT_DECIMAL = 14
    VT_I1 = 16
    VT_UI1 = 17
    VT_UI2 = 18
    VT_UI4 = 19
    VT_I8 = 20
    VT_UI8 = 21
    VT_RECORD = 36
    VT_FILETIME = 64


class DataType(IntEnum):
    """MxDataType as COM and the Galaxy database number it."""

    UNKNOWN = -1
    NO_DATA = 0
    BOOLEAN = 1
    INTEGER = 2
    FLOAT = 3
    DOUBLE = 4
    STRING = 5
    TIME = 6
    ELAPSED_TIME = 7
    REFERENCE_TYPE = 8
    STATUS_TYPE = 9
    DATA_TYPE_ENUM = 10
    SECURITY_CLASSIFICATION_ENUM = 11
    DATA_QUALITY_TYPE = 12
    QUALIFIED_ENUM = 13
    QUALIFIED_STRUCT = 14
    INTERNATIONALIZED_STRING = 15
    BIG_STRING = 16


class Variant(NamedTuple):
    """A value with its COM and Galaxy types. A tuple, because one is made for every event.

    Attributes:
        vartype: a VarType number, with VT_ARRAY for an array.
        value: a Scalar, or a tuple of them for an array.
        data_type: DataType number; UNKNOWN when nothing says what it is.
        dimensions: lengths of an array with more than one dimension, outermost first, the last index running fastest;
            empty for scalars and for arrays of one dimension.
    """

    vartype: int
    value: Scalar | tuple[Scalar, ...]
    data_type: int = DataType.UNKNOWN
    dimensions: tuple[int, ...] = ()

    @property
    def is_array(self) -> bool:
        return bool(self.vartype & VT_ARRAY)


EMPTY = Variant(VarType.VT_EMPTY, None, DataType.NO_DATA)


def vartype_name(vartype: int) -> str:
    """The VARTYPE as COM spells it, for example `VT_I4` or `VT_ARRAY|VT_BSTR`; an unknown one as a number."""
    base = vartype & ~VT_ARRAY
    try:
        name = VarType(base).name
    except ValueError:
        name = f"VT_{base}"
    return f"VT_ARRAY|{name}" if vartype & VT_ARRAY else name


_DATA_TYPES = {
    VarType.VT_BOOL: DataType.BOOLEAN,
    VarType.VT_I4: DataType.INTEGER,
    VarType.VT_R4: DataType.FLOAT,
    VarType.VT_R8: DataType.DOUBLE,
    VarType.VT_BSTR: DataType.STRING,
    VarType.VT_DATE: DataType.TIME,
}


def data_type_of(vartype: int) -> int:
    """The Galaxy's data type that a VARTYPE stands for; OnDataChange carries none. UNKNOWN where several share one."""
    base = vartype & ~VT_ARRAY
    return int(_DATA_TYPES.get(base, DataType.UNKNOWN))  # type: ignore[call-overload]
