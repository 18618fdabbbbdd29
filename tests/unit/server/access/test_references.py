"""References joined with their context."""

from __future__ import annotations

import pytest

from mxgateway_contract.references import join_reference


@pytest.mark.parametrize(
    ("context", "definition", "expected"),
    [("", "A.B", "A.B"), ("Tank", "Me.PV", "Tank.PV"), ("Tank", "me", "Tank"), ("Tank", "PV", "Tank.PV")],
)
def test_relative_references_are_joined_with_their_context(context: str, definition: str, expected: str) -> None:
    assert join_reference(context, definition) == expected
