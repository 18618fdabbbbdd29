"""How people sign in has to fit together, and what does not is told with its remedy."""

from __future__ import annotations

from typing import Any

import pytest

from mxgateway_server.config.sources import load
from mxgateway_server.errors import ConfigurationError

ROLES = {"ops": "operator"}
LDAP = {"roles": ROLES, "ldap.url": "ldaps://d.example", "ldap.search_base": "DC=d"}
OIDC = {"roles": ROLES, "oidc.issuer": "https://i.example/realms/plant", "oidc.client_id": "gateway"}
PROXY = {"roles": ROLES, "proxy_login.user_header": "X-User", "trusted_proxies": ("10.1.2.3", "fd00::/64")}


def given(flags: dict[str, Any]) -> dict[str, Any]:
    return {f"dashboard.{name}": value for name, value in flags.items()}


@pytest.mark.parametrize("flags", [LDAP, OIDC, PROXY, {**LDAP, **OIDC, **PROXY}])
def test_what_fits_together_is_taken(flags: dict[str, Any]) -> None:
    assert load(None, given(flags)).dashboard.roles == ROLES


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({**OIDC, "roles": {}}, "lets nobody in without dashboard.roles"),
        ({**OIDC, "oidc.client_id": ""}, "dashboard.oidc.issuer and dashboard.oidc.client_id together"),
        ({**OIDC, "oidc.issuer": "http://i.example"}, "dashboard.oidc.issuer: write the provider's issuer"),
        ({**OIDC, "oidc.issuer": "https://u:p@i.example"}, "dashboard.oidc.issuer: write"),
        ({**OIDC, "oidc.scopes": ("profile",)}, "needs openid among them"),
        ({**OIDC, "roles": {"ops": "root"}}, "write one of"),
        ({**LDAP, "ldap.url": "ldap://d.example"}, "would carry passwords in clear"),
        ({**LDAP, "ldap.url": "https://d.example"}, "write the directory's address alone"),
        ({**LDAP, "ldap.start_tls": True}, "ldaps:// has TLS from the beginning"),
        ({**LDAP, "ldap.search_base": ""}, "needs dashboard.ldap.search_base"),
        ({**LDAP, "ldap.bind_dn": "CN=svc"}, "an account without a password would be nobody"),
        ({**LDAP, "ldap.user_filter": "(cn=user)"}, "with {user} once"),
        ({**LDAP, "ldap.user_filter": "(&(cn={user})"}, "do not match"),
        ({**PROXY, "trusted_proxies": ()}, "would let in whoever writes a header"),
        ({**PROXY, "trusted_proxies": ("*",)}, "write addresses or networks"),
        ({**PROXY, "trusted_proxies": ("0.0.0.0/0",)}, "this network is everybody"),
        ({**PROXY, "proxy_login.groups_header": "x-user"}, "three different headers"),
        ({**PROXY, "proxy_login.user_header": "X User"}, "write the name of a header"),
    ],
)
def test_what_does_not_is_told_with_its_remedy(flags: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(None, given(flags))
    assert told in str(error.value)
    assert "dashboard." in str(error.value)


def test_start_tls_or_this_machine_alone_do_without_ldaps() -> None:
    load(None, given({**LDAP, "ldap.url": "ldap://d.example:3389", "ldap.start_tls": True}))
    load(None, given({**LDAP, "ldap.url": "ldap://localhost:3893"}))
