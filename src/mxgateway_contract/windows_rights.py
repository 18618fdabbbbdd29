"""Who may read or write a file or folder of Windows, and making one private: what modes are on POSIX.

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
PRIVATE_FILE = "D:P(A;;FA;;;OW)(A;;FA;;;SY)(A;;FA;;;BA)"
"""The same of a file, wherever it lies."""

_ACE = re.compile(r"\(([^()]*)\)")
_OWN = frozenset(("SY", "BA", "OW", "CO", "S-1-5-18", "S-1-5-32-544", "S-1-3-4", "S-1-3-0"))
# Generic all, generic read, file all, file read, and the bit for reading data; a number has bits for the same.
_READING = (frozenset(("GA", "GR", "FA", "FR", "CC")), 0x90000001)
# Generic all, generic write, file all, file write, and the bits for adding files and folders.
_WRITING = (frozenset(("GA", "GW", "FA", "FW", "DC", "LC")), 0x50000006)
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
    return _allowed(sddl, owner, *_READING)


def writers(sddl: str, owner: str) -> list[str]:
    """Accounts beside those that a descriptor lets write, or add files to a folder; likewise."""
    return _allowed(sddl, owner, *_WRITING)


def _allowed(sddl: str, owner: str, words: frozenset[str], bits: int) -> list[str]:
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
        # An entry that is only handed down says nothing of the folder itself.
        if account in _OWN or account == owner or "IO" in parts[1] or not _has(rights, words, bits):
            continue
        name = NAMES.get(account, account)
        if name not in found:
            found.append(name)
    return found


def _has(rights: str, words: frozenset[str], bits: int) -> bool:
    if rights[:2].lower() == "0x":
        return bool(int(rights, 16) & bits)
    return not words.isdisjoint(re.findall("..", rights))


def make_private(path: Path) -> None:
    """On Windows lets owner, SYSTEM and administrators at a file or folder and nobody else; elsewhere its mode says so.

    Raises:
        OSError: Windows refuses.
    """
    if sys.platform == "win32":
        _set_rights(str(path), PRIVATE if path.is_dir() else PRIVATE_FILE)


def make_private_folder(folder: Path) -> None:
    """Makes a folder, and those above it, for its owner only; one that is there already is left as it is.

    Raises:
        OSError: it cannot be made.
    """
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    make_private(folder)


def others(path: str) -> list[str]:
    """Accounts beside owner, SYSTEM and administrators that may read a file or folder of Windows.

    Raises:
        OSError: Windows does not tell.
    """
    sddl = _rights(path)
    return readers(sddl, _owner(sddl))


def other_writers(path: str) -> list[str]:
    """Accounts beside those that may write a file of Windows, or put files into a folder.

    Raises:
        OSError: Windows does not tell.
    """
    sddl = _rights(path)
    return writers(sddl, _owner(sddl))


def closing_line(path: str, *, is_folder: bool = True) -> str:
    """What to say on Windows so that nobody but owner, SYSTEM and administrators may use a file or folder."""
    heirs = "(OI)(CI)" if is_folder else ""
    # By number, since their names are translated.
    grants = " ".join(f'"*{sid}:{heirs}F"' for sid in ("S-1-3-4", "S-1-5-18", "S-1-5-32-544"))
    return f'icacls "{path}" /inheritance:r /grant:r {grants}'


def _owner(sddl: str) -> str:
    return sddl.partition("O:")[2].partition("D:")[0].partition("G:")[0]


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
    """A security descriptor as text."""
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
