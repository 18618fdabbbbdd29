"""People without keys: their ids, their roles by group, and which proxies' words count."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from mxgateway_server.access.keys import parse_authorization
from mxgateway_server.access.scopes import Scope
from mxgateway_server.config.dashboard_sections import ProxyLoginSettings
from mxgateway_server.dashboard.logins import KeyPart
from mxgateway_server.dashboard.people.persons import Door, Person, RoleBook, is_name, person_id, told_groups
from mxgateway_server.dashboard.people.proxies import ProxyDoor, TrustedProxies
from mxgateway_server.dashboard.roles import Role

BOOK = RoleBook(
    {"ops": "operator", "CN=Viewers,OU=Plant,DC=example": "viewer", "/plant/admins": "admin"},
    [Door.OIDC],
    acknowledges=False,
)


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ([], Role.NONE),
        (["OPS"], Role.OPERATOR),
        (["cn=Ops,ou=anything,dc=elsewhere"], Role.OPERATOR),
        (["CN=Viewers, OU=Plant, DC=Example"], Role.VIEWER),
        (["CN=Viewers,OU=Other,DC=example"], Role.NONE),
        (["/plant/admins", "ops"], Role.ADMIN),
        (["admins", "ops2", "xops", "cn=o\\,ps,dc=x"], Role.NONE),
        ([f"g{number}" for number in range(300)] + ["ops"], Role.OPERATOR),
    ],
)
def test_the_highest_role_of_the_groups_counts(groups: list[str], role: Role) -> None:
    assert BOOK.role(groups) is role


def test_a_person_may_what_his_role_says_and_nothing_by_a_closed_door() -> None:
    operator = BOOK.part(Person(door=Door.OIDC, name="anna", groups=("everybody", "ops")))
    assert operator.groups == ("ops",), "only what gives a role is kept"
    assert Scope.DASHBOARD_OPERATE in BOOK.scopes(operator)
    assert not BOOK.scopes(operator) & {Scope.INVOKE_WRITE, Scope.ADMIN, Scope.SESSION_OPEN}
    assert BOOK.scopes(BOOK.part(Person(door=Door.LDAP, name="anna", groups=("ops",)))) == frozenset()
    writing = RoleBook({"ops": "operator", "look": "viewer"}, [Door.OIDC], acknowledges=True)
    assert Scope.INVOKE_WRITE in writing.scopes(operator)
    looking = KeyPart(key_id="oidc:x", created_ns=0, secret_id="", door="oidc", groups=("look",))
    assert Scope.INVOKE_WRITE not in writing.scopes(looking)


def test_a_person_is_never_taken_for_a_key_or_for_another_person() -> None:
    assert parse_authorization(f"Bearer mxgw_oidc:anna_{'x' * 43}") is None
    long = [person_id("oidc", "a" * 150 + end) for end in "xy"]
    assert len({*long, person_id("oidc", "a"), person_id("ldap", "a")}) == 4
    assert all(len(each) <= 64 for each in long)
    for name in ("", " anna", "an\nna", "an\x00", "x" * 201, "\u202eanna"):
        assert not is_name(name), name
    assert told_groups([f"g{number}" for number in range(300)]).endswith("g19 and 280 more")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.9", ["1.2.3.4"], "10.0.0.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4, 10.0.0.2"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6", "1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["1.2.3.4, evil"], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("fe80::1", ["1.2.3.4"], "fe80::1"),
        ("10.0.0.1", ["6.6.6.6, " + ", ".join(["10.0.0.2"] * 100)], "10.0.0.2"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy_of_ours(peer: str, forwarded: list[str], client: str) -> None:
    headers = Headers(raw=[(b"x-forwarded-for", each.encode()) for each in forwarded])
    assert TrustedProxies(["10.0.0.1", "10.0.0.2/32"]).client(peer, headers) == client
    assert TrustedProxies([]).client(peer, headers) == peer


@pytest.mark.parametrize(
    ("peer", "headers", "name"),
    [
        ("10.0.0.1", [("X-User", "anna"), ("X-Groups", "ops, all")], "anna"),
        ("::ffff:10.0.0.1", [("x-user", "anna"), ("X-Groups", "ops,all")], "anna"),
        ("10.0.0.2", [("X-User", "anna")], None),
        ("::1", [("X-User", "anna")], None),
        ("10.0.0.1", [("X-User", "anna"), ("x-uSER", "admin")], None),
        ("10.0.0.1", [("X_User", "anna")], None),
        ("10.0.0.1", [("X-User", "")], None),
        ("10.0.0.1", [("X-User", "J\xc3\xb6rg")], "J\u00f6rg"),
    ],
)
def test_a_proxy_names_one_person_or_nobody(peer: str, headers: list[tuple[str, str]], name: str | None) -> None:
    settings = ProxyLoginSettings(user_header="X-User", groups_header="X-Groups")
    door = ProxyDoor(settings, TrustedProxies(["10.0.0.1"]), "")
    person = door.person(peer, Headers(raw=[(key.lower().encode(), value.encode("latin-1")) for key, value in headers]))
    assert (None if person is None else person.name) == name
    if name == "anna":
        assert person is not None
        assert person.groups == ("ops", "all")
