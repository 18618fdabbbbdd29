"""People sign in to the dashboard without a key: who is let in, as what, and what is never taken for somebody."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.support.dashboard import Browser, DashboardRig, dashboard_rig
from tests.support.gateway import fake_settings, live_gateway
from tests.support.http import Answer
from tests.support.oidc import CLIENT, KEYS, SECRET, ScriptedProvider, scripted_provider

from mxgateway_protocol.clock import SystemClock
from mxgateway_server.dashboard.people import opening
from mxgateway_server.dashboard.people.directories import DirectoryError
from mxgateway_server.dashboard.people.opening import open_doors
from mxgateway_server.dashboard.people.persons import Door, Person
from mxgateway_server.dashboard.people.secret_file import SecretFile
from mxgateway_server.errors import ConfigurationError

ROLES = {"plant-viewers": "viewer", "plant-operators": "operator", "CN=Admins,OU=Plant,DC=example": "admin"}
PROXY_SECRET = "proxy-s3cret"


class FakeDirectory:
    """Knows one person."""

    def __init__(self) -> None:
        self.groups: tuple[str, ...] = ("plant-viewers",)
        self.why = ""

    def person(self, name: str, password: str, question: object = None) -> Person:
        if self.why or (name, password) != ("otto", "Right 1"):
            raise DirectoryError(self.why or "refused", "the name or password does not let you in")
        return Person(door=Door.LDAP, name=name, display_name="Otto Kern", groups=self.groups)

    def look(self) -> None:
        pass


@asynccontextmanager
async def doors(tmp_path: Path, **flags: Any) -> AsyncIterator[tuple[DashboardRig, ScriptedProvider]]:
    """A gateway with all doors open, and the provider behind one of them."""
    secret, proxy_secret, state = tmp_path / "oidc.txt", tmp_path / "proxy.txt", tmp_path / "state"
    state.mkdir()
    secret.write_text(SECRET + "\n", encoding="utf-8")
    proxy_secret.write_text(PROXY_SECRET, encoding="utf-8")
    async with scripted_provider() as provider:
        provider.now_s = time.time()
        given = {
            "dashboard__roles": ROLES,
            "dashboard__oidc__issuer": provider.url,
            "dashboard__oidc__client_id": CLIENT,
            "dashboard__oidc__client_secret_file": str(secret),
            "dashboard__trusted_proxies": ("127.0.0.1",),
            "dashboard__proxy_login__user_header": "X-Forwarded-User",
            "dashboard__proxy_login__secret_file": str(proxy_secret),
            **flags,
        }
        async with dashboard_rig(state, **given) as rig:
            yield rig, provider


def people(rig: DashboardRig) -> Any:
    return rig.gateway.gateway.parts.dashboard.people  # type: ignore[union-attr]


def kept(answer: Answer) -> str:
    return answer.headers["set-cookie"].partition(";")[0]


async def begun(browser: Browser, back: str = "/") -> tuple[Browser, str]:
    """A browser on its way to the provider, and where it goes."""
    answer = await browser.post("/api/v1/oidc/start", {"return": back})
    assert answer.status == 200, answer.body
    return browser.changed(cookie=kept(answer)), answer.json()["url"]


async def come_back(browser: Browser, code: str, state: str) -> Answer:
    answer = await browser.post("/api/v1/login/oidc", {"code": code, "state": state})
    if answer.status == 200:
        browser.cookie, browser.csrf = kept(answer), answer.json()["csrf"]
    return answer


async def by_oidc(rig: DashboardRig, provider: ScriptedProvider, back: str = "/") -> tuple[Browser, Answer]:
    browser, url = await begun(rig.stranger(), back)
    return browser, await come_back(browser, *provider.sign_in(url))


def reason(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["reason"]


async def test_a_person_signs_in_at_the_provider_and_is_who_the_audit_names(tmp_path: Path) -> None:
    async with doors(tmp_path) as (rig, provider):
        browser, url = await begun(rig.stranger(), "/sessions?s.sort=name")
        query = parse_qs(urlsplit(url).query)
        assert (query["code_challenge_method"], query["scope"], query["response_type"]) == (
            ["S256"],
            ["openid profile"],
            ["code"],
        ), "groups is no scope of this provider's, so it is not asked for"
        assert query["redirect_uri"] == [f"{rig.url}/login/oidc"]
        answer = await come_back(browser, *provider.sign_in(url))
        boot = answer.json()
        assert (boot["role"], boot["keyId"], boot["displayName"], boot["door"], boot["back"]) == (
            "operator",
            "oidc:anna",
            "Anna Berg",
            "oidc",
            "/sessions?s.sort=name",
        )
        assert "invoke:write" not in boot["scopes"]
        assert (await browser.get("/api/v1/boot")).json()["role"] == "operator"
        assert reason(await browser.get("/api/v1/settings")) == (403, "ROLE")
        session = await rig.gateway.open()
        await browser.post("/api/v1/sessions/close", {"sessions": [session], "reason": "shift"})
        (did,) = await rig.audit("dashboard.session-close")
        (login,) = await rig.audit("login")
        assert (did["key"], login["key"], login["kind"]) == ("oidc:anna", "oidc:anna", "oidc")
        left = (await browser.post("/api/v1/logout")).json()
        assert left["farewell"].startswith(f"{provider.url}/end?client_id={CLIENT}&post_logout_redirect_uri=")
        assert (await browser.get("/api/v1/boot")).status == 401


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"claims": {"iss": "https://evil.example"}}, "oidc-token-issuer"),
    "for another client": ({"claims": {"aud": "other"}}, "oidc-token-audience"),
    "for several, and not ours by party": ({"claims": {"aud": [CLIENT, "other"]}}, "oidc-token-audience"),
    "of another party": ({"claims": {"azp": "other"}}, "oidc-token-audience"),
    "no signature": ({"algorithm": "none"}, "oidc-token-algorithm"),
    "signed with the public key": ({"algorithm": "HS256"}, "oidc-token-algorithm"),
    "a nonce of another sign-in": ({"claims": {"nonce": "n" * 43}}, "oidc-token-nonce"),
    "no nonce": ({"claims": {"nonce": None}}, "oidc-token-nonce"),
    "over": ({"claims": {"exp": int(time.time()) - 61}}, "oidc-token-expired"),
    "of the future": ({"claims": {"iat": int(time.time()) + 86_400}}, "oidc-token-issued"),
    "no subject": ({"claims": {"sub": None}}, "oidc-token-subject"),
    "a key nobody published": ({"key": KEYS[1]}, "oidc-token-key"),
    "a name that breaks lines": ({"claims": {"preferred_username": "anna\nadmin"}}, "oidc-name"),
    "no groups": ({"claims": {"groups": None}}, "role"),
    "groups without a role": ({"claims": {"groups": [f"group-{number}" for number in range(300)]}}, "role"),
}


async def test_what_is_not_to_be_trusted_lets_nobody_in(tmp_path: Path) -> None:
    async with doors(tmp_path, authentication__failures_before_throttle=1000) as (rig, provider):
        usual = dict(vars(provider))
        for what, (changes, outcome) in REFUSED.items():
            vars(provider).update({**{name: usual[name] for name in ("claims", "algorithm", "key")}, **changes})
            browser, answer = await by_oidc(rig, provider)
            assert answer.status in (401, 403), what
            assert (await browser.get("/api/v1/boot")).status == 401, what
            if what == "groups without a role":
                assert "you are known as anna" in answer.json()["detail"]
                assert "group-19 and 280 more" in answer.json()["detail"]
            assert outcome in {each["outcome"] for each in await rig.audit("authentication-failed")}, what
            people(rig).limit._known.clear()


async def test_a_sign_in_is_taken_up_once_in_time_and_by_the_browser_that_began_it(tmp_path: Path) -> None:
    async with doors(tmp_path) as (rig, provider):
        first, url = await begun(rig.stranger())
        second, other = await begun(first)
        assert second.cookie == first.cookie, "two pages of one browser share the cookie"
        for page, where in ((second, other), (first, url)):
            assert (await come_back(page.changed(), *provider.sign_in(where))).status == 200
        code, state = provider.sign_in(url)
        assert reason(await come_back(first, code, state)) == (401, "OIDC_STATE"), "replayed"
        _, url = await begun(rig.stranger())
        thief, _ = await begun(rig.stranger())
        assert reason(await come_back(thief, *provider.sign_in(url))) == (401, "OIDC_STATE"), "another browser"
        late, url = await begun(rig.stranger())
        rig.clock.step(601)
        provider.now_s += 601
        assert reason(await come_back(late, *provider.sign_in(url))) == (401, "OIDC_STATE"), "too late"
        browser, url = await begun(rig.stranger())
        _, state = provider.sign_in(url)
        assert reason(await come_back(browser, "made-up", state)) == (401, "OIDC"), "a code of nobody"
        browser, url = await begun(rig.stranger())
        assert reason(await come_back(browser, "", provider.sign_in(url)[1])) == (401, "OIDC_DENIED")
        away = await rig.stranger().post("/api/v1/oidc/start", {"return": "//evil.example"})
        browser = rig.stranger().changed(cookie=kept(away))
        answer = await come_back(browser, *provider.sign_in(away.json()["url"]))
        assert answer.status == 200, answer.body
        assert answer.json()["back"] == "/"


async def test_a_provider_that_is_down_or_another_is_told_and_keys_still_sign_in(tmp_path: Path) -> None:
    async with doors(tmp_path) as (rig, provider):
        provider.is_down = True
        start = rig.stranger()
        assert reason(await start.post("/api/v1/oidc/start")) == (503, "OIDC_UNREACHABLE")
        assert (await (await rig.browser("viewer")).get("/api/v1/boot")).status == 200
        provider.is_down = False
        for wrong in (
            {"issuer": "https://evil.example"},
            {"token_endpoint": "http://evil.example/token"},
            {"code_challenge_methods_supported": ["plain"]},
        ):
            provider.metadata = wrong
            answer = await start.post("/api/v1/oidc/start")
            assert reason(answer) == (401, "OIDC"), wrong
        provider.metadata = {}
        assert (await by_oidc(rig, provider))[1].status == 200


async def test_the_provider_may_change_its_keys_and_a_stranger_makes_nobody_ask_for_them(tmp_path: Path) -> None:
    async with doors(tmp_path) as (rig, provider):
        assert (await by_oidc(rig, provider))[1].status == 200
        provider.key, provider.published = KEYS[1], KEYS
        assert reason((await by_oidc(rig, provider))[1]) == (401, "OIDC"), "asked a moment ago"
        assert provider.asked.count("/jwks") == 1
        people(rig).oidc._keys = (people(rig).oidc._keys[0] - 61, people(rig).oidc._keys[1])
        assert (await by_oidc(rig, provider))[1].status == 200
        assert provider.asked.count("/jwks") == 2


async def test_groups_may_stand_in_the_userinfo_or_within_another_claim(tmp_path: Path) -> None:
    async with doors(tmp_path, dashboard__oidc__groups_claim="realm_access.roles") as (rig, provider):
        provider.claims = {"realm_access": {"roles": ["plant-viewers"]}}
        assert (await by_oidc(rig, provider))[1].json()["role"] == "viewer"
        provider.claims = {}
        provider.userinfo = {"sub": "subject-1", "realm_access": {"roles": ["CN=Admins, OU=Plant, DC=example"]}}
        assert (await by_oidc(rig, provider))[1].json()["role"] == "admin"
        provider.userinfo = {"sub": "somebody-else", "realm_access": {"roles": ["plant-viewers"]}}
        assert reason((await by_oidc(rig, provider))[1]) == (403, "ROLE"), "of another person"


async def test_who_signs_out_at_the_provider_is_signed_out_here(tmp_path: Path) -> None:
    async with doors(tmp_path) as (rig, provider):
        browser, _ = await by_oidc(rig, provider)

        def logout(**claims: Any) -> bytes:
            event = {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}, "jti": "1", "nonce": None}
            return b"logout_token=" + provider.token(**{**event, **claims}).encode()

        async def tell(body: bytes) -> Answer:
            return await rig.stranger().post(
                "/api/v1/oidc/logout", body, content_type="application/x-www-form-urlencoded", origin="null"
            )

        for what, body in {
            "nothing": b"",
            "an ID token": b"logout_token=" + provider.token(nonce="n").encode(),
            "no event": logout(events=None),
            "with a nonce": logout(nonce="n"),
            "of another issuer": logout(iss="https://evil.example"),
        }.items():
            assert reason(await tell(body)) == (400, "LOGOUT_TOKEN"), what
        assert (await tell(logout(sid="another"))).json() == {"logins": 0}
        assert (await browser.get("/api/v1/boot")).status == 200
        assert (await tell(logout(jti="2"))).json() == {"logins": 1}
        assert (await browser.get("/api/v1/boot")).status == 401
        assert reason(await tell(logout(jti="2"))) == (400, "LOGOUT_TOKEN"), "replayed"


async def test_a_person_keeps_his_login_over_a_restart_as_far_as_his_groups_have_a_role(tmp_path: Path) -> None:
    async with doors(tmp_path) as (rig, provider):
        browser, _ = await by_oidc(rig, provider)
        settings = rig.gateway.settings
    text = next((tmp_path / "state").glob("dashboard-logins-*.json")).read_text(encoding="utf-8")
    assert json.loads(text)["logins"][0]["groups"] == ["plant-operators"], "only what gives a role is kept"
    dashboard = settings.dashboard
    for roles, status in ((ROLES, 200), ({"plant-viewers": "viewer"}, 401)):
        changed = settings.model_copy(update={"dashboard": dashboard.model_copy(update={"roles": roles})})
        async with _again(changed) as url:
            assert (await browser.changed(url=url).get("/api/v1/boot")).status == status


@asynccontextmanager
async def _again(settings: Any) -> AsyncIterator[str]:
    from tests.support.gateway import open_store

    store = await open_store(settings)
    try:
        await store.revoke("tester")
        await store.delete("tester")
    finally:
        await store.close()
    async with live_gateway(settings) as gateway:
        yield gateway.running.urls[0]


LDAP = {"dashboard__ldap__url": "ldaps://d.example", "dashboard__ldap__search_base": "DC=plant,DC=example"}


async def test_a_name_and_a_password_let_in_by_the_directory_and_guessing_is_slowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = FakeDirectory()
    monkeypatch.setattr(opening, "directory_of", lambda _: directory)
    async with doors(tmp_path, authentication__failures_before_throttle=3, **LDAP) as (rig, _):
        browser = rig.stranger()
        answer = await browser.post("/api/v1/login/ldap", {"user": "Otto", "password": "Right 1"})
        assert answer.status == 200, answer.body
        assert (answer.json()["role"], answer.json()["keyId"]) == ("viewer", "ldap:otto")
        directory.groups = ("nothing",)
        assert reason(await browser.post("/api/v1/login/ldap", {"user": "otto", "password": "Right 1"})) == (
            403,
            "ROLE",
        )
        for _ in range(3):
            answer = await browser.post("/api/v1/login/ldap", {"user": "otto", "password": "wrong"})
            assert reason(answer) == (401, "UNAUTHENTICATED")
        assert reason(await browser.post("/api/v1/login/ldap", {"user": "otto", "password": "Right 1"})) == (
            429,
            "THROTTLED",
        )
        assert reason(await browser.post("/api/v1/login/ldap", {"user": "eva", "password": "x"})) == (
            401,
            "UNAUTHENTICATED",
        ), "nobody else is locked out"
        directory.why = "unreachable"
        assert reason(await browser.post("/api/v1/login/ldap", {"user": "ida", "password": "x"})) == (
            503,
            "LDAP_UNREACHABLE",
        )
        failed = [each for each in await rig.audit("authentication-failed") if each["outcome"] == "ldap-refused"]
        assert {(each["key"], each["actor"]) for each in failed} == {(name, name) for name in ("ldap:otto", "ldap:eva")}
        assert {each["origin"] for each in failed} == {"dashboard"}
        assert "Right 1" not in str(failed)


def forwarded(user: str = "ida", groups: str = "plant-viewers,everybody", secret: str = PROXY_SECRET) -> dict[str, str]:
    return {"x-forwarded-user": user, "x-forwarded-groups": groups, "x-proxy-secret": secret}


async def test_whom_a_trusted_proxy_names_is_in_for_as_long_as_it_names_him(tmp_path: Path) -> None:
    async with doors(tmp_path) as (rig, _):
        browser = rig.stranger().changed(headers=forwarded())
        assert (await browser.get("/api/v1/login")).json()["proxy"] == "ida"
        answer = await browser.post("/api/v1/login/proxy")
        assert (answer.json()["role"], answer.json()["keyId"]) == ("viewer", "proxy:ida")
        browser.cookie, browser.csrf = kept(answer), answer.json()["csrf"]
        assert (await browser.get("/api/v1/boot")).status == 200
        assert [(each["actor"], each["origin"]) for each in await rig.audit("login")] == [("proxy:ida", "dashboard")]
        promoted = browser.changed(headers=forwarded(groups="Plant-Operators"))
        assert (await promoted.get("/api/v1/boot")).json()["role"] == "operator", "the groups of now"
        for what, headers in {
            "nobody": {},
            "somebody else": forwarded("otto"),
            "without a role now": forwarded(groups="everybody"),
            "without the secret": {**forwarded(), "x-proxy-secret": "wrong"},
            "twice": {**forwarded(), "X-Forwarded-User ".strip(): "ida", "x-Forwarded-user": "admin"},
        }.items():
            assert (await browser.changed(headers=headers).get("/api/v1/boot")).status == 401, what


async def test_headers_from_elsewhere_are_as_if_they_were_not_there(tmp_path: Path) -> None:
    async with doors(tmp_path, dashboard__trusted_proxies=("10.1.2.3",)) as (rig, _):
        browser = rig.stranger().changed(headers={**forwarded(), "x-forwarded-for": "10.9.9.9"})
        assert (await browser.get("/api/v1/login")).json()["proxy"] is None
        assert reason(await browser.post("/api/v1/login/proxy")) == (401, "PROXY")
        assert people(rig).proxy.dropped == 2
        (failed,) = await rig.audit("authentication-failed")
        assert failed["outcome"] == "proxy"


async def test_doors_that_are_closed_are_not_there(tmp_path: Path) -> None:
    async with dashboard_rig(tmp_path) as rig:
        assert (await rig.stranger().get("/api/v1/login")).json() == {
            "needsKey": True,
            "oidc": None,
            "ldap": False,
            "proxy": None,
        }
        for path in ("/oidc/start", "/login/oidc", "/oidc/logout", "/login/ldap", "/login/proxy"):
            assert reason(await rig.stranger().post(f"/api/v1{path}")) == (404, "NOT_FOUND"), path


OIDC = {"dashboard__oidc__issuer": "https://i.example", "dashboard__oidc__client_id": "gateway"}
FILES: dict[str, dict[str, Any]] = {
    "dashboard.oidc.client_secret_file": OIDC,
    "dashboard.oidc.ca_file": OIDC,
    "dashboard.proxy_login.secret_file": {
        "dashboard__proxy_login__user_header": "X-User",
        "dashboard__trusted_proxies": ("10.0.0.1",),
    },
}


@pytest.mark.parametrize("setting", FILES)
def test_a_file_that_is_missing_is_told_at_the_start(tmp_path: Path, setting: str) -> None:
    flags = {**FILES[setting], setting.replace(".", "__"): str(tmp_path / "nowhere"), "dashboard__roles": ROLES}
    settings = fake_settings(tmp_path, **flags)
    with pytest.raises(ConfigurationError, match=f"{setting}: .*nowhere"):
        open_doors(settings, SystemClock())


def test_a_secret_is_one_line_and_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    for wrong in (b"", b"\n", b"two\nlines", b"\xff\xfe", b"x" * 4097):
        file.write_bytes(wrong)
        with pytest.raises(ConfigurationError, match="holds no secret"):
            SecretFile("a.setting", str(file))
    file.write_bytes(b"first\r\n")
    secret = SecretFile("a.setting", str(file))
    file.write_bytes(b"second")
    assert secret.read() == "second"


async def test_other_roles_hold_from_a_reload_on_for_those_who_are_signed_in_too(tmp_path: Path) -> None:
    async with doors(tmp_path) as (rig, provider):
        browser, _ = await by_oidc(rig, provider)
        assert (await browser.get("/api/v1/boot")).json()["role"] == "operator"
        admin = await rig.browser("admin")
        reloading = rig.gateway.gateway.parts.reloading
        read = reloading.settings
        changed = read.dashboard.model_copy(
            update={"roles": {"plant-operators": "viewer"}, "max_streams": 1, "idle_minutes": 5.0, "external_url": "x"}
        )
        reloading._read = lambda: read.model_copy(update={"dashboard": changed})
        assert (await admin.post("/api/v1/settings/reload")).json() == {
            "changed": ["dashboard.idle_minutes", "dashboard.max_streams", "dashboard.roles"],
            "needsRestart": ["dashboard.external_url"],
        }
        assert (await browser.get("/api/v1/boot")).json()["role"] == "viewer"
        shown = {each["name"]: each["value"] for each in (await admin.get("/api/v1/settings")).json()["settings"]}
        assert shown["dashboard.roles"] == "plant-operators = viewer"
        assert (shown["dashboard.max_streams"], shown["dashboard.external_url"]) == ("1", "")
        streams = rig.gateway.gateway.parts.dashboard.streams  # type: ignore[union-attr]
        assert streams._most == 1
        rig.clock.step(6 * 60)
        assert reason(await browser.get("/api/v1/boot")) == (401, "NOT_SIGNED_IN")
