"""Who may read a file of Windows, out of its security descriptor as text (SDDL). Pure."""

from __future__ import annotations

import re

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
