"""Who may read and write, out of a security descriptor's text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mxgateway_contract.windows_rights import PRIVATE, PRIVATE_FILE, closing_line, make_private_folder, readers, writers

OWNER = "S-1-5-21-1-2-3-1001"


@pytest.mark.parametrize(
    ("sddl", "expected"),
    [
        (f"O:{OWNER}D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)", []),
        (f"O:{OWNER}D:P(A;OICI;FA;;;{OWNER})(A;;0x1200a9;;;S-1-5-32-544)", []),
        ("O:BAD:(A;OICI;0x1200a9;;;BU)", ["Users"]),
        ("O:BAD:(A;OICI;FR;;;WD)(A;OICI;FRFX;;;WD)", ["Everyone"]),
        ("O:BAD:(A;OICI;FA;;;S-1-5-21-9-9-9-500)", ["S-1-5-21-9-9-9-500"]),
        ("O:BAD:(A;OICI;CCDCLCSWRPWP;;;AU)", ["Authenticated Users"]),
        ("O:BAD:(A;OICI;DCCR;;;AU)", []),
        ("O:BAD:(A;OICI;0x100116;;;BU)", []),
        ("O:BAD:(D;OICI;FA;;;WD)", []),
        ("O:BAD:NO_ACCESS_CONTROL", ["Everyone"]),
        ("O:BA", ["Everyone"]),
        ("O:BAD:(A;OICI;FA;;;SY)S:(AU;SAFA;FA;;;WD)", []),
        ("O:BAD:(A;OICIIO;FA;;;BU)", []),
    ],
)
def test_readers_beside_owner_system_and_administrators(sddl: str, expected: list[str]) -> None:
    assert readers(sddl, OWNER) == expected


@pytest.mark.parametrize(
    ("sddl", "expected"),
    [
        (f"O:{OWNER}D:P(A;OICI;FA;;;{OWNER})(A;OICI;FA;;;SY)", []),
        # What users have in %PROGRAMDATA%: they read, and put files and folders of theirs there.
        ("O:BAD:AI(A;OICIID;0x1200a9;;;BU)(A;CIID;DCLCRPCR;;;BU)", ["Users"]),
        ("O:BAD:(A;OICI;0x1200a9;;;BU)", []),
        ("O:BAD:(A;OICI;0x1301bf;;;AU)", ["Authenticated Users"]),
        ("O:BAD:(A;OICI;FR;;;WD)(A;OICI;FW;;;BG)", ["Guests"]),
        ("O:BAD:(A;OICIIO;GA;;;WD)", []),
        ("O:BA", ["Everyone"]),
    ],
)
def test_writers_beside_owner_system_and_administrators(sddl: str, expected: list[str]) -> None:
    assert writers(sddl, OWNER) == expected


@pytest.mark.parametrize("private", [PRIVATE, PRIVATE_FILE])
def test_what_private_means_lets_nobody_else_in(private: str) -> None:
    assert readers(f"O:{OWNER}{private}", OWNER) == writers(f"O:{OWNER}{private}", OWNER) == []


def test_the_line_that_closes_says_whether_it_is_a_folder() -> None:
    assert '"*S-1-5-18:(OI)(CI)F"' in closing_line("C:\\state")
    assert '"*S-1-5-18:F"' in closing_line("C:\\state\\pepper", is_folder=False)


def test_a_folder_is_made_private_and_an_old_one_left_alone(tmp_path: Path) -> None:
    made = tmp_path / "a" / "b"
    make_private_folder(made)
    if os.name == "posix":
        assert made.stat().st_mode & 0o777 == 0o700
        made.chmod(0o750)
        make_private_folder(made)
        assert made.stat().st_mode & 0o777 == 0o750
