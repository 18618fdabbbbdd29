"""HTTP of a whole gateway: there from the first ready moment to the last of the stop, and away when switched off."""

from __future__ import annotations

from pathlib import Path

from tests.support.gateway import fake_settings, live_gateway
from tests.support.http import fetch


async def test_a_gateway_answers_for_its_health(tmp_path: Path) -> None:
    settings = fake_settings(
        tmp_path, operations__enabled=True, operations__listen="", operations__listen_plaintext="127.0.0.1:0"
    )
    async with live_gateway(settings) as gateway:
        (url,) = gateway.running.urls
        await gateway.perform("watch-health")
        assert (await fetch(f"{url}/health/live")).json() == {"status": "live"}
        answer = await fetch(f"{url}/health/ready")
        assert answer.status == 200
        assert answer.json()["checks"]["store"]["ok"] is True


async def test_switched_off_there_is_nothing(tmp_path: Path) -> None:
    async with live_gateway(fake_settings(tmp_path)) as gateway:
        assert gateway.running.urls == ()
        assert gateway.gateway.parts.operations is None
