"""The doors for people as the dashboard opens them: what a door needs is loaded only where the settings ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mxgateway_contract.installing import install_command
from mxgateway_protocol.clock import Clock
from mxgateway_server.config.dashboard_sections import ProxyLoginSettings
from mxgateway_server.config.settings import Settings
from mxgateway_server.dashboard.people.persons import Door, Person, RoleBook
from mxgateway_server.dashboard.people.proxies import ProxyDoor, TrustedProxies
from mxgateway_server.dashboard.people.secret_file import SecretFile
from mxgateway_server.errors import ConfigurationError

if TYPE_CHECKING:
    from mxgateway_server.dashboard.people.oidc.provider import OidcProvider


class DirectoryError(Exception):
    """Nobody is let in.

    Attributes:
        why: a word for the audit: `refused` for name or password, `expired`, `unreachable`, `account`, `several`.
    """

    def __init__(self, why: str, text: str, remedy: str = "") -> None:
        self.why = why
        self.remedy = remedy
        super().__init__(text)


class Directory(Protocol):
    """Knows people by name and password; blocks."""

    def person(self, name: str, password: str) -> Person:
        """Who this is; raises DirectoryError for nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The doors that are open, and the roles behind them."""

    roles: RoleBook
    proxies: TrustedProxies
    proxy: ProxyDoor | None
    oidc: OidcProvider | None
    ldap: Directory | None


def open_doors(settings: Settings, clock: Clock) -> Doors:
    """The doors of these settings. It blocks on the disk.

    Raises:
        ConfigurationError: what a door needs is not installed, or a file of it is not what it should be.
    """
    mine = settings.dashboard
    proxies = TrustedProxies(mine.trusted_proxies)
    used = {Door.OIDC: mine.oidc.issuer, Door.LDAP: mine.ldap.url, Door.PROXY: mine.proxy_login.user_header}
    return Doors(
        roles=RoleBook(
            mine.roles, [door for door, setting in used.items() if setting], acknowledges=mine.people_acknowledge
        ),
        proxies=proxies,
        proxy=_proxy(mine.proxy_login, proxies) if mine.proxy_login.user_header else None,
        oidc=_oidc(settings, clock) if mine.oidc.issuer else None,
        ldap=_ldap(settings) if mine.ldap.url else None,
    )


def _proxy(options: ProxyLoginSettings, proxies: TrustedProxies) -> ProxyDoor:
    file = options.secret_file
    secret = SecretFile("dashboard.proxy_login.secret_file", file).read() if file else ""
    return ProxyDoor(options, proxies, secret)


def _oidc(settings: Settings, clock: Clock) -> OidcProvider:
    try:
        from mxgateway_server.dashboard.people.oidc.provider import OidcProvider
    except ModuleNotFoundError as error:
        raise _missing(error, "dashboard.oidc.issuer", "oidc") from None
    return OidcProvider(settings.dashboard.oidc, clock)


def _ldap(settings: Settings) -> Directory:
    try:
        from mxgateway_server.dashboard.people.directory import LdapDirectory
    except ModuleNotFoundError as error:
        raise _missing(error, "dashboard.ldap.url", "ldap") from None
    return LdapDirectory(settings.dashboard.ldap)


def _missing(error: ModuleNotFoundError, setting: str, extra: str) -> Exception:
    if (error.name or "mxgateway").startswith("mxgateway"):
        return error
    return ConfigurationError(
        f"{setting} needs {error.name}, which is not installed: {install_command(extra)}, or leave the setting out"
    )
