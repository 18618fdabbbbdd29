"""What the main screen looks like, line by line.

After a wanted change: MXGATEWAY_RENEW_SCREENS=1 python -m pytest tests/unit/tui/test_screens.py, and read the diff.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from tests.support.clock import ManualClock

from mxgateway import to_mx_value

from .fake_plant import change, changed

SCREENS = Path(__file__).parent / "screens"


@pytest.mark.parametrize("size", [(80, 24), (130, 36)], ids=["80x24", "130x36"])
async def test_the_main_screen_looks_as_pinned(open_app: Any, clock: ManualClock, size: tuple[int, int]) -> None:
    """Tree, watch list with values of every grade, details and footer, on a small and a wide screen."""
    async with open_app(size=size, tags=("Boiler_House.Unknown",)) as screen:
        await screen.open_machine()
        await screen.press("down", "enter", "down", "enter", "down", "enter", "down", "enter")
        tag = "TestMachine_001"
        screen.app.values_came(
            [
                changed(f"{tag}.ProtectedValue", change(to_mx_value(True))),
                changed(f"{tag}.TestFloat", change(to_mx_value(47.25), quality=64)),
            ]
        )
        clock.advance(75)
        screen.app.values_came(
            [
                changed(f"{tag}.TestChangingInt", change(to_mx_value(1234), at=1_700_000_071)),
                changed(f"{tag}.TestString", change(to_mx_value("äöü"), quality=8, success=0, category=5, detail=5)),
            ]
        )
        clock.advance(4)
        screen.app.values_came([changed(f"{tag}.TestChangingInt", change(to_mx_value(1235), at=1_700_000_079))])
        await screen.settle()
        await screen.sees("1235")
        actual = screen.text() + "\n"
    path = SCREENS / f"main-{size[0]}x{size[1]}.txt"
    if os.environ.get("MXGATEWAY_RENEW_SCREENS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(actual, encoding="utf-8")
    assert actual == path.read_text(encoding="utf-8")
