"""Where requests may come from, and where they may lead."""

from __future__ import annotations

import pytest

from mxgateway_server.dashboard.checks import (
    cookie_name,
    csrf_token,
    host_of,
    is_csrf_token,
    is_known_host,
    is_local_path,
    is_same_origin,
)

OURS = "https://gate.plant:5002"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"origin": OURS}, True),
        ({"origin": "null"}, False),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://gate.plant:5002"}, False),
        ({"origin": "https://gate.plant"}, False),
        ({"origin": OURS + ".evil.example"}, False),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "origin": OURS}, True),
        ({"sec-fetch-site": "same-site", "origin": OURS}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, False),
    ],
)
def test_only_pages_of_this_gateway_change_something(headers: dict[str, str], expected: bool) -> None:
    assert is_same_origin(headers, OURS) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gate.plant:5002", True),
        ("GATE.plant.", True),
        ("[::1]:5002", True),
        ("evil.example", False),
        ("gate.plant.evil.example", False),
        ("gate.plant@evil.example", False),
        ("", False),
        ("[", False),
        (":5002", False),
    ],
)
def test_only_names_of_ours_are_answered(header: str, expected: bool) -> None:
    assert is_known_host(header, {"gate.plant", "::1"}) is expected


def test_a_host_without_its_port_is_lower_case() -> None:
    assert host_of("Gate.Plant:5002") == "gate.plant"


def test_a_csrf_token_belongs_to_one_login_and_does_not_tell_it() -> None:
    token = csrf_token("login")
    assert is_csrf_token(token, "login")
    assert "login" not in token
    assert not is_csrf_token(token, "other")
    assert not is_csrf_token("", "login")
    assert not is_csrf_token("ä", "login")


def test_each_gateway_has_a_cookie_of_its_own_and_https_has_the_stricter_name() -> None:
    names = {cookie_name(each, is_https=secure) for each in ("a" * 16, "b" * 16) for secure in (True, False)}
    assert len(names) == 4
    assert cookie_name("a" * 16, is_https=True).startswith("__Host-")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/sessions?q=1", True),
        ("/", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("\\\\evil.example", False),
        ("https://evil.example", False),
        ("/a\nb", False),
        ("", False),
    ],
)
def test_a_way_back_stays_inside(path: str, expected: bool) -> None:
    assert is_local_path(path) is expected
