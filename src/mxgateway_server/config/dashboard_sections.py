"""The sections of the settings for the dashboard, and how people sign in to it beside keys."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from mxgateway_server.config.conflict import Conflict
from mxgateway_server.config.sections import FilePath, Section

_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_LOCAL = ("localhost", "127.0.0.1", "::1")


def _external_url(text: str) -> str:
    parts = urlsplit(text)
    is_bare = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if text and not (parts.scheme in ("http", "https") and parts.hostname and is_bare):
        raise ValueError("write the address alone, such as https://plant.example:8443")
    return text.rstrip("/")


def _issuer(text: str) -> str:
    parts = urlsplit(text)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOCAL)
    if text and not (is_safe and parts.hostname and "@" not in parts.netloc and not parts.query and not parts.fragment):
        raise ValueError(
            "write the provider's issuer exactly as its discovery document has it, such as "
            "https://login.plant.example/realms/plant; http only on this machine"
        )
    return text


def _directory(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("ldap", "ldaps") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if text and not (is_url and parts.path in ("", "/") and "@" not in parts.netloc and not parts.query):
        raise ValueError("write the directory's address alone, such as ldaps://dc1.plant.example")
    return text


def _filter(text: str) -> str:
    if text.count("{user}") != 1 or not (text.startswith("(") and text.endswith(")")):
        raise ValueError("write an LDAP filter in parentheses with {user} once, such as (sAMAccountName={user})")
    if text.count("(") != text.count(")"):
        raise ValueError("the parentheses of the filter do not match")
    return text


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError("write addresses or networks, such as 10.1.2.3 or 10.1.2.0/28; no names, no *") from None
        if network.prefixlen == 0:
            raise ValueError("name the proxies' own addresses: this network is everybody")
    return texts


def _header(text: str) -> str:
    if text and not _HEADER.match(text):
        raise ValueError("write the name of a header, such as X-Forwarded-User: letters, digits and hyphens")
    return text


HeaderName = Annotated[str, AfterValidator(_header)]
"""Name of an HTTP header, in any case; empty for none."""


class OidcSettings(Section):
    issuer: Annotated[str, AfterValidator(_issuer)] = ""
    """Issuer of an OpenID Connect provider by which people sign in, exactly as its discovery document has it; empty for
    none. Register at the provider as redirect URI: the dashboard's address and `/login/oidc`."""
    client_id: str = Field(default="", max_length=300)
    """What the provider calls this gateway."""
    client_secret_file: FilePath = ""
    """File with the client's secret alone in it, read at each sign-in; empty for a public client, which PKCE
    protects."""
    scopes: tuple[str, ...] = ("openid", "profile", "groups")
    """Scopes that are asked for; those that the provider's list of scopes does not have are left out."""
    user_claim: str = Field(default="preferred_username", min_length=1, max_length=200)
    """Claim with the name by which a person stands in audit and pages; `sub` where there is none."""
    groups_claim: str = Field(default="groups", min_length=1, max_length=200)
    """Claim with the names of a person's groups, of the ID token or else of the userinfo; with dots for one within
    another, such as realm_access.roles."""
    ca_file: FilePath = ""
    """PEM certificates that the provider's certificate is checked against; empty for those of the machine."""
    button: str = Field(default="single sign-on", min_length=1, max_length=60)
    """What the sign-in page calls it, behind the words *Sign in with*."""


class LdapSettings(Section):
    url: Annotated[str, AfterValidator(_directory)] = ""
    """Directory by which people sign in with their name and password, such as ldaps://dc1.plant.example; empty for
    none. Without TLS only on this machine."""
    start_tls: bool = False
    """Begins TLS on an ldap:// address before anything is said."""
    ca_file: FilePath = ""
    """PEM certificates that the directory's certificate is checked against; empty for those of the machine."""
    bind_dn: str = Field(default="", max_length=1000)
    """Account that looks people up; empty for an anonymous look."""
    bind_password_file: FilePath = ""
    """File with the password of `bind_dn` alone in it, read at each sign-in."""
    search_base: str = Field(default="", max_length=1000)
    """Where in the directory people are looked up, such as DC=plant,DC=example."""
    user_filter: Annotated[str, AfterValidator(_filter)] = "(sAMAccountName={user})"
    """Filter that finds exactly one person; what somebody types is escaped."""
    group_attribute: str = Field(default="memberOf", min_length=1, max_length=100)
    """Attribute of a person that names his groups."""
    nested_groups: bool = False
    """Asks an Active Directory also for groups that a person is in by way of other groups."""
    timeout_seconds: int = Field(default=5, ge=1, le=60)
    """How long the directory may take for each answer; for a sign-in as a whole three times as long."""


class ProxyLoginSettings(Section):
    user_header: HeaderName = ""
    """Header by which a proxy that has signed somebody in tells his name, such as X-Forwarded-User; empty for none. It
    counts from `dashboard.trusted_proxies` alone; the proxy has to remove what browsers send under this name."""
    groups_header: HeaderName = "X-Forwarded-Groups"
    """Header with the person's groups."""
    groups_separator: str = Field(default=",", min_length=1, max_length=1)
    """What stands between two groups; a semicolon for distinguished names, which have commas themselves."""
    secret_header: HeaderName = "X-Proxy-Secret"  # noqa: S105 — a name
    """Header with the secret of `secret_file`."""
    secret_file: FilePath = ""
    """File with a secret alone in it that the proxy sends along, for a proxy whose machine runs other programs too;
    empty for none. Read at the start."""


class DashboardSettings(Section):
    enabled: bool = True
    """Offers the dashboard where `operations` listens. Everybody signs in with an API key that has one of the scopes
    dashboard:view, dashboard:operate and admin, or as a person by `oidc`, `ldap` or `proxy_login`."""
    external_url: Annotated[str, AfterValidator(_external_url)] = ""
    """Address under which browsers reach it through a proxy, such as https://plant.example; empty without one."""
    login_hours: float = Field(default=8.0, gt=0, le=168)
    """Longest life of a login."""
    idle_minutes: float = Field(default=30.0, gt=0, le=1440)
    """Life of a login without anything that its person does; what a page asks by itself does not count. The live
    figures of an open page go on meanwhile only as long as the login does."""
    screen_days: float = Field(default=30.0, gt=0, le=366)
    """Life of a login of a display on a wall, which only looks; it has no idle limit."""
    max_streams: int = Field(default=100, ge=1, le=1000)
    """Browsers that may be shown live figures at once; the pages of one browser share one stream."""
    max_streams_per_key: int = Field(default=10, ge=1, le=1000)
    """The same of one key, or of one person."""
    roles: dict[str, Literal["viewer", "operator", "admin"]] = Field(default_factory=dict)
    """Group → role of people who sign in by `oidc`, `ldap` or `proxy_login`; of several groups the highest role
    counts, and without any nobody gets in. A group of a directory is its distinguished name or its first part alone,
    in any case."""
    people_acknowledge: bool = False
    """Lets operators and admins who signed in as people acknowledge and shelve alarms, which writes to the plant; with
    a key it is the scope invoke:write that says so."""
    trusted_proxies: Annotated[tuple[str, ...], AfterValidator(_networks)] = ()
    """Addresses or networks of the proxies in front: from them, and from nobody else, X-Forwarded-For and the headers
    of `proxy_login` count."""
    oidc: OidcSettings = OidcSettings()
    ldap: LdapSettings = LdapSettings()
    proxy_login: ProxyLoginSettings = ProxyLoginSettings()


def sign_in_conflicts(dashboard: DashboardSettings) -> Iterator[Conflict]:
    """What does not go together in how people sign in, each with the remedy."""
    oidc, ldap, proxy = dashboard.oidc, dashboard.ldap, dashboard.proxy_login
    doors = {"oidc.issuer": oidc.issuer, "ldap.url": ldap.url, "proxy_login.user_header": proxy.user_header}
    used = [f"dashboard.{name}" for name, value in doors.items() if value]
    if used and not dashboard.roles:
        yield Conflict(
            (*used, "dashboard.roles"),
            f"{used[0]} lets nobody in without dashboard.roles; write which group has which role, such as "
            '{ "plant-operators" = "operator" }',
        )
    if bool(oidc.issuer) != bool(oidc.client_id):
        yield Conflict(
            ("dashboard.oidc.issuer", "dashboard.oidc.client_id"),
            "set dashboard.oidc.issuer and dashboard.oidc.client_id together, or neither",
        )
    if "openid" not in oidc.scopes:
        yield Conflict(("dashboard.oidc.scopes",), "dashboard.oidc.scopes needs openid among them")
    yield from _ldap_conflicts(ldap)
    if proxy.user_header and not dashboard.trusted_proxies:
        yield Conflict(
            ("dashboard.proxy_login.user_header", "dashboard.trusted_proxies"),
            "dashboard.proxy_login.user_header would let in whoever writes a header; name the proxy's address in "
            "dashboard.trusted_proxies",
        )
    names = [proxy.user_header, proxy.groups_header, proxy.secret_header if proxy.secret_file else "-"]
    if proxy.user_header and (not proxy.groups_header or len({name.lower() for name in names}) < len(names)):
        yield Conflict(
            ("dashboard.proxy_login.user_header", "dashboard.proxy_login.groups_header"),
            "dashboard.proxy_login: user_header, groups_header and secret_header are three different headers; the "
            "groups say who has which role",
        )


def _ldap_conflicts(ldap: LdapSettings) -> Iterator[Conflict]:
    if not ldap.url:
        return
    parts = urlsplit(ldap.url)
    if parts.scheme == "ldaps" and ldap.start_tls:
        yield Conflict(
            ("dashboard.ldap.start_tls", "dashboard.ldap.url"),
            "dashboard.ldap.start_tls is for ldap:// addresses: ldaps:// has TLS from the beginning; leave one out",
        )
    if parts.scheme == "ldap" and not ldap.start_tls and parts.hostname not in _LOCAL:
        yield Conflict(
            ("dashboard.ldap.url", "dashboard.ldap.start_tls"),
            f"dashboard.ldap.url = {ldap.url} would carry passwords in clear over the network; write ldaps://, or set "
            "dashboard.ldap.start_tls = true",
        )
    if not ldap.search_base:
        yield Conflict(
            ("dashboard.ldap.url", "dashboard.ldap.search_base"),
            "dashboard.ldap.url needs dashboard.ldap.search_base: where people are looked up, such as "
            "DC=plant,DC=example",
        )
    if bool(ldap.bind_dn) != bool(ldap.bind_password_file):
        yield Conflict(
            ("dashboard.ldap.bind_dn", "dashboard.ldap.bind_password_file"),
            "set dashboard.ldap.bind_dn and dashboard.ldap.bind_password_file together, or neither: an account "
            "without a password would be nobody to the directory",
        )
