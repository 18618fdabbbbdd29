from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.clock import ManualClock
from tests.support.waiting import eventually
from textual.pilot import Pilot

from mxgateway_cli.tui.app import MxGatewayApp
from mxgateway_cli.tui.plant import Link

from .fake_plant import FakePlant

SESSION = "session-" + "0" * 32


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local times on the screens are UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class Screen:
    """The application with a user: keys in, text out."""

    def __init__(self, app: MxGatewayApp, plant: FakePlant, pilot: Pilot[Any]) -> None:
        self.app = app
        self.plant = plant
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settle()

    async def settle(self) -> None:
        """All messages have been handled, and what they changed is drawn."""
        for _ in range(2):
            await self.pilot.pause(0)
        self.app.repaint()
        await self.pilot.pause(0)

    async def sees(self, text: str) -> None:
        """Waits until a text stands on the screen; line ends and borders count as spaces.

        Raises:
            AssertionError: it does not come.
        """
        await eventually(lambda: text in self.flat(), 30, lambda: f"{text!r} does not stand here:\n{self.text()}")

    def flat(self) -> str:
        """The screen as one line without borders, as the lines that they are, and the notices that are shown."""
        text = "\n".join([self.text(), *(notice.message for notice in self.app._notifications)])
        return text + "\n" + " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())

    async def open_machine(self) -> None:
        """The tree shows the attributes of the first machine; the cursor stands on the machine."""
        await self.press("right")
        await self.sees("TestMachine_001")
        await self.press("down", "right")
        await self.sees("ProtectedValue")

    def text(self) -> str:
        """What stands on the screen, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    def style_of(self, text: str) -> Any:
        """The style in which a text is drawn."""
        for strip in self.app.screen._compositor.render_strips():
            for segment in strip:
                if text in segment.text:
                    return segment.style
        raise AssertionError(f"{text!r} does not stand on the screen:\n{self.text()}")


@pytest.fixture
def open_app(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Opens the application on a fake plant, connected and with the tree's top shown."""

    # Notices go by the wall clock; on a busy machine they would be gone before a test looks.
    monkeypatch.setattr(MxGatewayApp, "NOTIFICATION_TIMEOUT", 600)

    @asynccontextmanager
    async def opened(
        plant: FakePlant | None = None,
        tags: tuple[str, ...] = (),
        size: tuple[int, int] = (80, 24),
        list_name: str = "",
    ) -> AsyncIterator[Screen]:
        plant = plant or FakePlant()
        app = MxGatewayApp(plant, tags, list_name=list_name, clock=clock.monotonic)
        async with app.run_test(size=size, notifications=True) as pilot:
            screen = Screen(app, plant, pilot)
            app.link_changed(Link.CONNECTED, SESSION)
            await eventually(lambda: plant.browses > 0)
            await screen.settle()
            yield screen

    return opened
