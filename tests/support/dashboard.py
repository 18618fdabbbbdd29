"""The dashboard of a whole gateway, asked as a browser would, and as no browser would."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mxgateway_protocol.clock import SystemClock
from tests.support.gateway import ALL_SCOPES, LiveGateway, create_key, fake_settings, live_gateway, open_store
from tests.support.http import Answer, fetch
from tests.support.waiting import eventually

SCOPES = {
    "none": ["session:open", "events:read"],
    "viewer": ["dashboard:view", "metadata:read", "invoke:read"],
    "operator": ["dashboard:operate"],
    "admin": ALL_SCOPES,
}


class SteppingTime(SystemClock):
    """The machine's clocks, of which the wall clock can be set forward."""

    def __init__(self) -> None:
        self.ahead_ns = 0

    def unix_ns(self) -> int:  # type: ignore[override]
        return SystemClock.unix_ns() + self.ahead_ns

    def step(self, seconds: float) -> None:
        self.ahead_ns += int(seconds * 1e9)


@dataclass
class Browser:
    """One browser: its cookie, its page's token, and where its page comes from."""

    url: str
    cookie: str = ""
    csrf: str = ""
    origin: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> Answer:
        return await fetch(self.url + path, headers=self._with(headers))

    async def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        sent = {"content-type": "application/json", "origin": self.origin or self.url}
        if self.csrf:
            sent["x-csrf-token"] = self.csrf
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        return await fetch(self.url + path, method="POST", headers=self._with({**sent, **given}), body=data)

    def _with(self, headers: dict[str, str]) -> dict[str, str]:
        cookie = {"cookie": self.cookie} if self.cookie else {}
        return {**cookie, **self.headers, **headers}

    async def sign_in(self, body: dict[str, str]) -> Answer:
        answer = await self.post("/api/v1/login", body)
        if answer.status == 200:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
            self.csrf = answer.json()["csrf"]
        return answer

    def changed(self, **changes: Any) -> Browser:
        """The same browser but for something."""
        return replace(self, **changes)


@dataclass
class DashboardRig:
    """A gateway with a dashboard, and a key for each role."""

    gateway: LiveGateway
    url: str
    keys: dict[str, str]
    clock: SteppingTime

    def stranger(self) -> Browser:
        return Browser(self.url)

    async def browser(self, role: str) -> Browser:
        """A browser that is signed in with a role."""
        browser = Browser(self.url)
        answer = await browser.sign_in({"key": self.keys[role]})
        assert answer.status == 200, answer.body
        return browser

    async def audit(self, event: str) -> list[dict[str, Any]]:
        """The records of an event, once all that waited is stored."""
        await eventually(lambda: self.gateway.status().audit.waiting == 0)
        store = await open_store(self.gateway.settings)
        try:
            records = await store.read_audit(event=event)
        finally:
            await store.close()
        return [
            {
                "key": each.key_id,
                "actor": each.actor,
                "origin": each.origin,
                "outcome": each.outcome,
                "session": each.session_id,
                **each.details,
            }
            for each in records
        ]


@asynccontextmanager
async def dashboard_rig(state: Path, **flags: Any) -> AsyncIterator[DashboardRig]:
    """A gateway over fake workers whose dashboard listens without TLS on a free port."""
    settings = fake_settings(
        state,
        operations__enabled=True,
        operations__listen="",
        operations__listen_plaintext="127.0.0.1:0",
        **flags,
    )
    keys = {role: await create_key(settings, role, scopes) for role, scopes in SCOPES.items()}
    clock = SteppingTime()
    async with live_gateway(settings, clock=clock) as gateway:
        (url,) = gateway.running.urls
        yield DashboardRig(gateway, url, keys, clock)
