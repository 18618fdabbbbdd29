"""The dashboard over HTTP: who gets in, what each may do, and that nothing else is served."""

from __future__ import annotations

import asyncio
import io
import json
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.support.dashboard import Browser, DashboardRig, dashboard_rig
from tests.support.gateway import live_gateway, open_store
from tests.support.http import Answer

from mxgateway_server import logs
from mxgateway_server.access.audit_pages import AuditPage, AuditPages
from mxgateway_server.access.audit_store import AuditStore
from mxgateway_server.access.records import AuditQuery, AuditRecord
from mxgateway_server.config.settings import Settings
from mxgateway_server.dashboard.checks import csrf_token
from mxgateway_server.dashboard.people import opening
from mxgateway_server.dashboard.people.directories import DirectoryError
from mxgateway_server.dashboard.roles import Role
from mxgateway_server.dashboard.routes import Rule
from mxgateway_server.errors import StoreError

BELOW = {Role.OPERATOR: "viewer", Role.ADMIN: "operator"}
ENDLESS = "/api/v1/live"


def filled(path: str) -> str:
    return re.sub(r"\{\w+\}", "session-" + "0" * 32, path)


async def ask(browser: Browser, rule: Rule) -> Answer:
    return await (browser.get if rule.method == "GET" else browser.post)(filled(rule.path))


def all_doors(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings that open each door for people, to a provider and a directory that nobody reaches."""
    monkeypatch.setattr(opening, "directory_of", lambda _: SimpleNamespace(person=_nobody))
    return {
        "dashboard__roles": {"plant-viewers": "viewer"},
        "dashboard__oidc__issuer": "http://127.0.0.1:1",
        "dashboard__oidc__client_id": "gateway",
        "dashboard__ldap__url": "ldaps://directory.example",
        "dashboard__ldap__search_base": "DC=example",
        "dashboard__trusted_proxies": ("10.1.2.3",),
        "dashboard__proxy_login__user_header": "X-Forwarded-User",
    }


def _nobody(_name: str, _password: str, question: object = None) -> Any:
    raise DirectoryError("refused", "nobody")


def reason(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["reason"]


async def test_every_route_is_closed_to_whom_it_is_not_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is the router's own: a route that is added is judged here without another line."""
    async with dashboard_rig(tmp_path, **all_doors(monkeypatch)) as rig:
        rules = rig.gateway.gateway.parts.dashboard.application.rules  # type: ignore[union-attr]
        browsers = {role: await rig.browser(role) for role in ("viewer", "operator", "admin")}
        ended = await rig.browser("admin")
        await ended.post("/api/v1/logout")
        for rule in rules:
            told = f"{rule.method} {rule.path}"
            if rule.method == "POST" and not rule.is_form:
                await _judge_unsafe(rig, browsers["admin"], rule, told)
            if rule.needs is Role.NONE:
                continue
            for what, browser in {
                "no login": rig.stranger(),
                "a login that has ended": ended,
                "another gateway's cookie": _of_another_gateway(browsers["admin"]),
                "a cookie that somebody made up": browsers["admin"].changed(
                    cookie=browsers["admin"].cookie.partition("=")[0] + "=" + "A" * 43
                ),
            }.items():
                assert reason(await ask(browser, rule)) == (401, "NOT_SIGNED_IN"), f"{told}: {what}"
            if rule.needs in BELOW:
                assert reason(await ask(browsers[BELOW[rule.needs]], rule)) == (403, "ROLE"), told
        rig.clock.step(8 * 3600)
        for rule in rules:
            if rule.needs is not Role.NONE:
                assert reason(await ask(browsers["admin"], rule)) == (401, "NOT_SIGNED_IN"), f"{rule.path}: too old"


async def _judge_unsafe(rig: DashboardRig, admin: Browser, rule: Rule, told: str) -> None:
    path = filled(rule.path)
    for origin in ("https://evil.example", "null", rig.url.replace("http:", "https:")):
        assert reason(await admin.changed(origin=origin).post(path)) == (403, "ORIGIN"), f"{told} from {origin}"
    cross = admin.changed(headers={"sec-fetch-site": "cross-site"})
    assert reason(await cross.post(path)) == (403, "ORIGIN"), told
    assert reason(await admin.post(path, content_type="text/plain")) == (415, "CONTENT_TYPE"), told
    if rule.needs is not Role.NONE:
        for stale in ("", "0" * 64, csrf_token("the token of a login before")):
            assert reason(await admin.changed(csrf=stale).post(path)) == (403, "CSRF"), told


def _of_another_gateway(browser: Browser) -> Browser:
    _, _, token = browser.cookie.partition("=")
    return browser.changed(cookie=f"mxgw-ffffffff={token}")


async def test_every_route_is_open_to_whom_it_is_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with dashboard_rig(tmp_path, **all_doors(monkeypatch)) as rig:
        for rule in rig.gateway.gateway.parts.dashboard.application.rules:  # type: ignore[union-attr]
            if rule.path == ENDLESS:
                continue
            browser = await rig.browser("admin" if rule.needs is Role.NONE else rule.needs.word)
            answer = await ask(browser, rule)
            assert answer.status not in (403, 405, 500), f"{rule.path}: {answer.body!r}"
            assert answer.headers["content-security-policy"].startswith("default-src 'none'")
            assert "set-cookie" not in answer.headers or rule.path.endswith(("/login", "/logout"))


async def test_what_is_not_listed_is_not_there(tmp_path: Path) -> None:
    async with dashboard_rig(tmp_path) as rig:
        admin = await rig.browser("admin")
        for path in (
            "/api/v1/nothing",
            "/api/v2/boot",
            "/api/v1/boot/",
            "//api/v1/boot",
            "/static/../component.py",
            "/static/%2e%2e%2fcomponent.py",
            "/static/nothing.js",
            "/openapi.json",
            "/docs",
            "/.git/config",
            "/sessions/a/b",
        ):
            assert reason(await admin.get(path)) == (404, "NOT_FOUND"), path
        assert reason(await admin.post("/api/v1/boot")) == (405, "METHOD_NOT_ALLOWED")
        assert reason(await rig.stranger().get("/api/v1/boot", host="evil.example")) == (421, "UNKNOWN_HOST")
        answer = await rig.stranger().get("/", host=f"localhost:{urlsplit(rig.url).port}")
        assert (answer.status, b"mxgw_" in answer.body) == (200, False)


async def test_a_key_signs_in_by_its_role_and_no_other_key_does(tmp_path: Path) -> None:
    async with dashboard_rig(tmp_path) as rig:
        for role in ("viewer", "operator", "admin"):
            browser = await rig.browser(role)
            boot = (await browser.get("/api/v1/boot")).json()
            assert (boot["role"], boot["keyId"]) == (role, role)
        stranger = rig.stranger()
        assert reason(await stranger.sign_in({"key": rig.keys["none"]})) == (403, "ROLE")
        assert reason(await stranger.sign_in({"key": rig.keys["admin"][:-2] + "xx"})) == (401, "UNAUTHENTICATED")
        assert reason(await stranger.sign_in({})) == (401, "UNAUTHENTICATED")
        answer = await stranger.post("/api/v1/login", {"key": rig.keys["viewer"]})
        cookie = answer.headers["set-cookie"]
        assert re.match(r"mxgw-[0-9a-f]{8}=[\w-]{43}; HttpOnly; Max-Age=28[78]\d\d; Path=/; SameSite=lax$", cookie)
        logins = await rig.audit("login")
        assert [(each["key"], each["role"]) for each in logins] == [
            *((role, role) for role in ("viewer", "operator", "admin")),
            ("viewer", "viewer"),
        ]
        assert {each["outcome"] for each in await rig.audit("authentication-failed")} >= {"role", "SecretMismatch"}


async def test_a_one_time_link_lets_in_once(tmp_path: Path) -> None:
    async with dashboard_rig(tmp_path) as rig:
        key = {"authorization": f"Bearer {rig.keys['viewer']}"}
        program = rig.stranger().changed(headers=key)

        async def ticket() -> str:
            answer = await program.post("/api/v1/links")
            url = urlsplit(answer.json()["url"])
            assert (url.path, url.query) == ("/login", ""), "nothing secret where logs and proxies look"
            return url.fragment.removeprefix("ticket=")

        first = await ticket()
        browser = rig.stranger()
        assert (await browser.sign_in({"ticket": first})).json()["role"] == "viewer"
        assert reason(await rig.stranger().sign_in({"ticket": first})) == (401, "LINK_USED")
        second = await ticket()
        rig.clock.step(121)
        assert reason(await rig.stranger().sign_in({"ticket": second})) == (401, "LINK_USED")
        foreign = program.changed(origin="https://evil.example")
        assert reason(await foreign.post("/api/v1/links")) == (403, "ORIGIN")
        wrong = rig.stranger().changed(headers={"authorization": "Bearer mxgw_viewer_" + "x" * 43})
        assert reason(await wrong.post("/api/v1/links")) == (401, "UNAUTHENTICATED")


async def test_a_screen_only_looks_whoever_made_it(tmp_path: Path) -> None:
    async with dashboard_rig(tmp_path) as rig:
        admin = await rig.browser("admin")
        link = (await admin.post("/api/v1/screens", {"name": "hall 3"})).json()["url"]
        screen = rig.stranger()
        boot = (await screen.sign_in({"ticket": link.partition("#ticket=")[2]})).json()
        assert (boot["role"], boot["kind"], boot["displayName"]) == ("viewer", "screen", "hall 3")
        rig.clock.step(3 * 86400)
        assert (await screen.get("/api/v1/boot")).status == 200
        assert reason(await screen.post("/api/v1/sessions/close", {"sessions": ["x"]})) == (403, "ROLE")


async def test_who_came_by_the_dashboard_stands_in_the_audit_as_such(tmp_path: Path) -> None:
    async with dashboard_rig(tmp_path) as rig:
        viewer = await rig.browser("viewer")
        assert reason(await viewer.post("/api/v1/sessions/close", {"sessions": ["x"]})) == (403, "ROLE")
        assert reason(await rig.stranger().sign_in({"key": rig.keys["none"]})) == (403, "ROLE")
        assert reason(await rig.stranger().sign_in({"key": "no key at all"})) == (401, "UNAUTHENTICATED")
        await viewer.post("/api/v1/logout")
        admin = await rig.browser("admin")
        link = (await admin.post("/api/v1/screens", {"name": "hall 3"})).json()["url"]
        await rig.stranger().sign_in({"ticket": link.partition("#ticket=")[2]})

        async def by(event: str) -> list[tuple[str, str]]:
            return [(each["actor"], each["origin"]) for each in await rig.audit(event)]

        here = "dashboard"
        assert await by("login") == [("key:viewer", here), ("key:admin", here), ("screen:hall 3", here)]
        assert await by("logout") == [("key:viewer", here)]
        assert await by("denied") == [("key:viewer", here)]
        assert await by("authentication-failed") == [("key:none", here), ("", here)]


async def test_a_login_ends_with_its_key(tmp_path: Path) -> None:
    async with dashboard_rig(tmp_path) as rig:
        browsers = {role: await rig.browser(role) for role in ("viewer", "operator")}
        store = await open_store(rig.gateway.settings)
        try:
            await store.revoke("viewer")
            await store.change("operator", scopes=["dashboard:view"])
        finally:
            await store.close()
        await rig.gateway.perform("check-keys")
        assert (await browsers["viewer"].get("/api/v1/boot")).status == 401
        assert (await browsers["operator"].get("/api/v1/boot")).json()["role"] == "viewer"


async def test_logins_survive_a_restart_and_lie_there_as_hashes(tmp_path: Path) -> None:
    async with dashboard_rig(tmp_path, dashboard__external_url="") as rig:
        browser = await rig.browser("viewer")
        settings = rig.gateway.settings
    mode, text = _login_file(tmp_path)
    assert mode & 0o077 == 0
    assert browser.cookie.partition("=")[2] not in text
    await _drop_key(settings, "tester")
    async with live_gateway(settings) as gateway:
        again = browser.changed(url=gateway.running.urls[0])
        assert (await again.get("/api/v1/boot")).status == 200


def _login_file(state: Path) -> tuple[int, str]:
    (file,) = state.glob("dashboard-logins-*.json")
    return file.stat().st_mode, file.read_text(encoding="utf-8")


async def _drop_key(settings: Settings, key_id: str) -> None:
    store = await open_store(settings)
    try:
        await store.revoke(key_id)
        await store.delete(key_id)
    finally:
        await store.close()


async def test_sessions_are_closed_and_killed_by_those_who_may_with_a_reason(tmp_path: Path) -> None:
    async with dashboard_rig(tmp_path) as rig:
        first, second = await rig.gateway.open(), await rig.gateway.open()
        operator, admin = await rig.browser("operator"), await rig.browser("admin")
        answer = await operator.post("/api/v1/sessions/close", {"sessions": [first, "nobody"], "reason": "night shift"})
        assert [each["outcome"] for each in answer.json()["results"]] == ["closed", "gone"]
        kill = f"/api/v1/sessions/{second}/kill"
        assert reason(await operator.post(kill, {"reason": "x", "confirm": second[-6:]})) == (403, "ROLE")
        assert reason(await admin.post(kill, {"reason": "hangs", "confirm": "wrong"})) == (400, "CONFIRM")
        assert reason(await admin.post(kill, {"confirm": second[-6:]})) == (400, "INVALID_REQUEST")
        answer = await admin.post(kill, {"reason": "hangs", "confirm": second[-6:]})
        assert answer.json()["results"][0]["outcome"] == "killed"
        status, why = reason(await admin.post(kill, {"reason": "again", "confirm": second[-6:]}))
        assert (status, why) == (409, "SESSION_GONE")
        ended = (await admin.get(f"/api/v1/sessions/{first}")).json()["ended"]
        assert (ended["reason"], ended["isClean"]) == ("operator-close", True)
        over = (await operator.get("/api/v1/sessions/ended")).json()["sessions"]
        assert [(each["sessionId"], each["reason"]) for each in over] == [
            (second, "admin-kill"),
            (first, "operator-close"),
        ]
        closed = await rig.audit("dashboard.session-close")
        assert {(each["session"], each["outcome"], each["reason"]) for each in closed} == {
            (first, "closed", "night shift"),
            ("nobody", "gone", "night shift"),
        }
        killed = await rig.audit("dashboard.session-kill")
        assert [(each["key"], each["outcome"], each["reason"]) for each in killed] == [
            ("admin", "killed", "hangs"),
            ("admin", "gone", "again"),
        ]
        denied = [each for each in await rig.audit("denied") if "kill" in each["method"]]
        assert [(each["key"], each["reason"]) for each in denied] == [("operator", "role")]


async def test_keys_are_made_changed_and_forgotten_and_a_secret_is_told_once(tmp_path: Path) -> None:
    async with dashboard_rig(tmp_path) as rig:
        admin = await rig.browser("admin")
        wanted = {"keyId": "new-key", "displayName": "New", "scopes": ["dashboard:view"], "days": 30, "reason": "shift"}
        made = (await admin.post("/api/v1/keys", wanted)).json()["apiKey"]
        assert reason(await admin.post("/api/v1/keys", wanted)) == (409, "KEY_EXISTS")
        for wrong in (
            {"keyId": ""},
            {"scopes": []},
            {"scopes": ["all"]},
            {"scopes": "admin"},
            {"days": 0},
            {"days": "9"},
        ):
            assert (await admin.post("/api/v1/keys", {**wanted, "keyId": "other", **wrong})).status == 400, wrong
        listed = (await admin.get("/api/v1/keys")).json()["keys"]
        (new,) = (each for each in listed if each["keyId"] == "new-key")
        assert (new["state"], new["role"], new["scopes"]) == ("valid", "viewer", ["dashboard:view"])
        first = Browser(rig.url)
        assert (await first.sign_in({"key": made})).status == 200
        rotated = (await admin.post("/api/v1/keys/new-key/rotate")).json()["apiKey"]
        assert (await first.get("/api/v1/boot")).status == 401, "the secret that signed in is void"
        assert (await Browser(rig.url).sign_in({"key": rotated})).status == 200
        assert reason(await admin.post("/api/v1/keys/new-key/delete")) == (409, "KEY_STATE")
        assert (await admin.post("/api/v1/keys/new-key/revoke")).json()["wasValid"] is True
        assert (await admin.post("/api/v1/keys/new-key/revoke")).json()["wasValid"] is False
        assert reason(await admin.post("/api/v1/keys/admin/revoke")) == (409, "OWN_KEY")
        assert (await admin.post("/api/v1/keys/new-key/delete")).status == 200
        assert reason(await admin.post("/api/v1/keys/new-key/rotate")) == (404, "KEY_NOT_FOUND")
        (did,) = await rig.audit("dashboard.key-create")
        assert (did["key"], did["reason"]) == ("admin", "shift")


async def test_the_audit_comes_page_by_page_and_its_export_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dashboard_rig(tmp_path) as rig:
        store = await open_store(rig.gateway.settings)
        try:
            await store.record([AuditRecord(event="write", key_id="mes", target=f"Tank_{i}.Level") for i in range(250)])
            await store.record([AuditRecord(event="write", key_id="mes", target="=HYPERLINK(1)")])
        finally:
            await store.close()
        admin = await rig.browser("admin")
        seen: list[int] = []
        path = "/api/v1/audit?event=write"
        while True:
            page = (await admin.get(path)).json()
            seen += [each["id"] for each in page["records"]]
            if page["next"] is None:
                break
            path = f"/api/v1/audit?event=write&before={page['next']}"
        assert (len(seen), seen) == (251, sorted(seen, reverse=True))
        found = (await admin.get("/api/v1/audit?tag=Tank_7.*")).json()["records"]
        assert [each["target"] for each in found] == ["Tank_7.Level"]
        exported = await admin.get("/api/v1/audit.csv?event=write")
        assert exported.body.count(b"\r\n") == 252
        assert b",'=HYPERLINK(1)," in exported.body
        assert [each["records"] for each in await rig.audit("dashboard.audit-export")] == [251]
        for wrong in ("before=x", "before=-1", "since=99999999999999999999", "key=" + "k" * 301):
            assert (await admin.get(f"/api/v1/audit?{wrong}")).status == 400, wrong

        # Keys are looked up on the store's own connections, which nobody takes who reads at leisure.
        monkeypatch.delattr(AuditStore, "read")
        assert (await admin.get("/api/v1/audit")).status == 200

        async def never(_: AuditPages, query: AuditQuery) -> AuditPage:
            raise StoreError("the audit has too many records; ask for a shorter time")

        monkeypatch.setattr(AuditPages, "page", never)
        wide = await admin.get("/api/v1/audit")
        assert (reason(wide), wide.json()["remedy"]) == ((503, "TOO_WIDE"), "ask for a shorter time")


async def test_no_answer_has_a_secret(tmp_path: Path) -> None:
    """Every route that answers by itself, asked by an administrator, with secrets wherever one may stand."""
    sentinel = "sentinel-Pa55"
    environment = {"TOKEN": sentinel}
    async with dashboard_rig(
        tmp_path,
        worker__environment=environment,
        worker__backend_options={"password": sentinel},
        galaxy__connection_string=f"Server=none;Database=ZB;User Id=u;Password={sentinel}",
    ) as rig:
        admin = await rig.browser("admin")
        answers = [
            await ask(admin, rule)
            for rule in rig.gateway.gateway.parts.dashboard.application.rules  # type: ignore[union-attr]
            if rule.method == "GET" and rule.path != ENDLESS
        ]
        bodies = b"".join(answer.body for answer in answers)
        token = admin.cookie.partition("=")[2]
        for secret in (sentinel, token, *(key.split("_", 2)[2] for key in rig.keys.values())):
            assert secret.encode() not in bodies
        settings = (await admin.get("/api/v1/settings")).json()["settings"]
        origins = {each["name"]: each["origin"] for each in settings}
        assert {"dashboard.enabled", "authentication.mode", "listen"} <= set(origins)
        assert all(each["meaning"] for each in settings)


async def test_administrators_reload_change_the_level_and_take_a_bundle_and_all_is_audited(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    level = logs.level()
    request.addfinalizer(lambda: logs.set_level(level))
    async with dashboard_rig(tmp_path) as rig:
        admin, operator = await rig.browser("admin"), await rig.browser("operator")
        for path in ("/settings/reload", "/logs/level"):
            assert reason(await operator.post(f"/api/v1{path}")) == (403, "ROLE")
        assert reason(await operator.get("/api/v1/diagnostics")) == (403, "ROLE")
        assert (await admin.post("/api/v1/settings/reload")).json() == {"changed": [], "needsRestart": []}
        told = (await admin.post("/api/v1/logs/level", {"level": "debug", "seconds": 60})).json()
        assert (told["level"], told["seconds"]) == ("debug", 60)
        assert (await admin.post("/api/v1/logs/level", {"level": "info"})).json()["seconds"] == 900
        for wrong in ({"level": "loud"}, {}, {"level": "info", "seconds": 0}, {"level": "info", "seconds": "x"}):
            assert (await admin.post("/api/v1/logs/level", wrong)).status == 400, wrong
        answer = await admin.get("/api/v1/diagnostics")
        assert answer.headers["content-disposition"].startswith('attachment; filename="mxgateway-diagnostics-')
        with zipfile.ZipFile(io.BytesIO(answer.body)) as bundle:
            assert {"config.json", "status.json", "metrics.txt", "logs.jsonl", "tasks.json"} <= set(bundle.namelist())
            whole = b"".join(bundle.read(name) for name in bundle.namelist())
        for key in rig.keys.values():
            assert key.split("_", 2)[2].encode() not in whole
        assert admin.cookie.partition("=")[2].encode() not in whole
        (taken,) = await rig.audit("dashboard.diagnostics")
        assert (taken["key"], taken["outcome"]) == ("admin", "ok")
        store = await open_store(rig.gateway.settings)
        try:
            did = [
                *await store.read_audit(event="settings-reloaded"),
                *await store.read_audit(event="log-level-changed"),
            ]
        finally:
            await store.close()
        assert {(each.actor, each.origin) for each in did} == {("key:admin", "dashboard")}


async def test_live_figures_come_by_one_stream_until_the_login_or_the_gateway_ends(tmp_path: Path) -> None:
    async with dashboard_rig(tmp_path, dashboard__max_streams_per_key=1) as rig:
        await rig.gateway.open(client_session_name="<b>line 1")
        browser = await rig.browser("viewer")
        rig.gateway.gateway.parts.dashboard.sample()  # type: ignore[union-attr]
        async with _stream(browser) as lines:
            frame = json.loads(await _data(lines, "frame"))
            assert frame["sessions"][0]["name"] == "<b>line 1"
            assert (await browser.get("/api/v1/snapshot")).json()["n"] >= frame["n"]
            full = await browser.get("/api/v1/live")
            assert (full.status, full.headers["retry-after"]) == (503, "10")
            rig.gateway.gateway.request_stop()
            assert json.loads(await _data(lines, "end")) == {"reason": "stopping"}
            await rig.gateway.task


class _stream:  # noqa: N801 — a context manager
    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    async def __aenter__(self) -> asyncio.StreamReader:
        place = urlsplit(self._browser.url)
        reader, self._writer = await asyncio.open_connection(place.hostname, place.port)
        head = f"GET {ENDLESS} HTTP/1.1\r\nhost: {place.netloc}\r\ncookie: {self._browser.cookie}\r\n\r\n"
        self._writer.write(head.encode())
        return reader

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def _data(lines: asyncio.StreamReader, event: str) -> str:
    async with asyncio.timeout(20):
        while (await lines.readline()).strip() != f"event: {event}".encode():
            pass
        while not (line := await lines.readline()).startswith(b"data: "):
            pass
    return line.removeprefix(b"data: ").decode()


async def test_switched_off_there_is_no_dashboard_and_health_stays(tmp_path: Path) -> None:
    async with dashboard_rig(tmp_path, dashboard__enabled=False) as rig:
        assert (await rig.stranger().get("/health/live")).status == 200
        for path in ("/", "/login", "/api/v1/boot", "/static/manifest.json"):
            assert (await rig.stranger().get(path)).status == 404
