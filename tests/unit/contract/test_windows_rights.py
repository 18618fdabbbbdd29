"""Who may read, out of a security descriptor's text."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mxgateway_contract.windows_rights import PRIVATE, make_private_folder, readers

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
    ],
)
def test_readers_beside_owner_system_and_administrators(sddl: str, expected: list[str]) -> None:
    assert readers(sddl, OWNER) == expected


def test_what_private_means_lets_nobody_else_read() -> None:
    assert readers(f"O:{OWNER}{PRIVATE}", OWNER) == []


def test_a_folder_is_made_private_and_an_old_one_left_alone(tmp_path: Path) -> None:
    made = tmp_path / "a" / "b"
    make_private_folder(made)
    if os.name == "posix":
        assert made.stat().st_mode & 0o777 == 0o700
        made.chmod(0o750)
        make_private_folder(made)
        assert made.stat().st_mode & 0o777 == 0o750
