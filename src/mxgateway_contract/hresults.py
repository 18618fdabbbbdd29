"""HRESULTs that MXAccess is known to answer, as signed 32-bit numbers."""

from __future__ import annotations

S_OK = 0
E_FAIL = -2147467259
"""0x80004005"""
E_INVALIDARG = -2147024809
"""0x80070057: a write to an item that is not advised or whose type is not resolved yet; a wrong password."""
E_ACCESSDENIED = -2147024891
"""0x80070005: no run-time licence, or a null item definition."""
E_NOTIMPL = -2147467263
"""0x80004001: the node's LMXProxy is older than the method."""
E_NOINTERFACE = -2147467262
"""0x80004002"""
E_OUTOFMEMORY = -2147024882
"""0x8007000E"""
REGDB_E_CLASSNOTREG = -2147221164
"""0x80040154: MXAccess is not installed, or the process is not 32-bit."""
DISP_E_MEMBERNOTFOUND = -2147352573
"""0x80020003"""
DISP_E_UNKNOWNNAME = -2147352570
"""0x80020006: the object has no method of this name."""
DISP_E_EXCEPTION = -2147352567
"""0x80020009: the method's own failure stands beside it."""
DISP_E_BADPARAMCOUNT = -2147352562
"""0x8002000E: the method takes another number of arguments."""
E_SECURED_WRITE_REFUSED = -2147467231
"""0x80004021: WriteSecured where the server handle holds no authenticated user."""


def text(hresult: int) -> str:
    """The HRESULT as engineers write it, for example `0x80070057`."""
    return f"0x{hresult & 0xFFFFFFFF:08X}"
