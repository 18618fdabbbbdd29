"""Who may read, out of a security descriptor's text."""

from __future__ import annotations

import pytest

from mxgateway_server.node.rights import readers

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
