"""Who may read a folder of Windows, and making one private: what modes are on POSIX.

A folder under %PROGRAMDATA% can be read by every user of the node unless its access list says otherwise.
"""

from __future__ import annotations

import ctypes
import re
import sys
from ctypes import c_int, c_uint32, c_void_p
from pathlib import Path
from typing import Any

PRIVATE = "D:PAI(A;OICI;FA;;;OW)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
"""Owner, SYSTEM and administrators; nothing inherited from above, and all of it by what is made inside."""

_ACE = re.compile(r"\(([^()]*)\)")
_OWN = frozenset(("SY", "BA", "OW", "CO", "S-1-5-18", "S-1-5-32-544", "S-1-3-4", "S-1-3-0"))
# Generic all, generic read, file all, file read; and the bit for reading data in a number.
_READING_WORDS = frozenset(("GA", "GR", "FA", "FR", "CC"))
_READ_DATA = 0x1
_GENERIC = 0x80000000 | 0x10000000
NAMES = {
    "WD": "Everyone",
    "BU": "Users",
    "AU": "Authenticated Users",
    "IU": "Interactive",
    "AN": "Anonymous",
    "BG": "Guests",
}


def readers(sddl: str, owner: str) -> list[str]:
    """Accounts beside the owner, SYSTEM and administrators that a descriptor lets read, as SIDs or well-known names.

    Args:
        sddl: with its DACL; one without a DACL lets everybody read.
        owner: SID of the owner, whose own entry is no other's.
    """
    start = sddl.find("D:")
    if start < 0 or sddl.startswith("D:NO_ACCESS_CONTROL", start):
        return [NAMES["WD"]]
    end = sddl.find("S:", start)
    found: list[str] = []
    for entry in _ACE.findall(sddl[start : end if end >= 0 else len(sddl)]):
        parts = entry.split(";")
        if len(parts) < 6 or parts[0] not in ("A", "XA"):
            continue
        rights, account = parts[2], parts[5]
        if account in _OWN or account == owner or not _reads(rights):
            continue
        name = NAMES.get(account, account)
        if name not in found:
            found.append(name)
    return found


def _reads(rights: str) -> bool:
    if rights[:2].lower() == "0x":
        return bool(int(rights, 16) & (_READ_DATA | _GENERIC))
    return not _READING_WORDS.isdisjoint(re.findall("..", rights))


def make_private(folder: Path) -> None:
    """On Windows lets owner, SYSTEM and administrators in and nobody else; elsewhere the mode has said so.

    Raises:
        OSError: Windows refuses.
    """
    if sys.platform == "win32":
        _set_rights(str(folder), PRIVATE)


def make_private_folder(folder: Path) -> None:
    """Makes a folder, and those above it, for its owner only; one that is there already is left as it is.

    Raises:
        OSError: it cannot be made.
    """
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    make_private(folder)


def others(folder: str) -> list[str]:
    """Accounts beside owner, SYSTEM and administrators that may read a folder of Windows.

    Raises:
        OSError: Windows does not tell.
    """
    sddl = _rights(folder)
    owner = sddl.partition("O:")[2].partition("D:")[0].partition("G:")[0]
    return readers(sddl, owner)


_windows: Any = ctypes
_OWNER, _DACL, _PROTECTED_DACL = 1, 4, 0x80000000
_SE_FILE_OBJECT = 1


def _declared(library: Any, name: str, *arguments: Any) -> Any:
    function = getattr(library, name)
    function.restype, function.argtypes = c_uint32, arguments
    return function


def _wide(text: str) -> bytes:
    return text.encode("utf-16-le") + b"\0\0"


def _set_rights(path: str, sddl: str) -> None:
    advapi, kernel = _windows.WinDLL("advapi32", use_last_error=True), _windows.WinDLL("kernel32")
    parse = _declared(
        advapi, "ConvertStringSecurityDescriptorToSecurityDescriptorW", c_void_p, c_uint32, c_void_p, c_void_p
    )
    set_security = _declared(advapi, "SetFileSecurityW", c_void_p, c_uint32, c_void_p)
    free = _declared(kernel, "LocalFree", c_void_p)
    descriptor = c_void_p()
    if not parse(_wide(sddl), 1, ctypes.byref(descriptor), None):
        raise _windows.WinError(_windows.get_last_error())
    try:
        if not set_security(_wide(path), _DACL | _PROTECTED_DACL, descriptor):
            raise _windows.WinError(_windows.get_last_error())
    finally:
        free(descriptor)


def _rights(path: str) -> str:
    """A folder's security descriptor as text."""
    advapi, kernel = _windows.WinDLL("advapi32", use_last_error=True), _windows.WinDLL("kernel32")
    get = _declared(advapi, "GetNamedSecurityInfoW", c_void_p, c_int, c_uint32, *[c_void_p] * 5)
    to_text = _declared(
        advapi,
        "ConvertSecurityDescriptorToStringSecurityDescriptorW",
        *(c_void_p, c_uint32, c_uint32, c_void_p, c_void_p),
    )
    free = _declared(kernel, "LocalFree", c_void_p)
    descriptor, text = c_void_p(), c_void_p()
    code = get(_wide(path), _SE_FILE_OBJECT, _OWNER | _DACL, None, None, None, None, ctypes.byref(descriptor))
    if code:
        raise _windows.WinError(code)
    try:
        if not to_text(descriptor, 1, _OWNER | _DACL, ctypes.byref(text), None):
            raise _windows.WinError(_windows.get_last_error())
        try:
            return ctypes.wstring_at(text.value or 0)
        finally:
            free(text)
    finally:
        free(descriptor)
