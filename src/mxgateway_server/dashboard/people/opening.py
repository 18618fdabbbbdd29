"""The doors for people as the dashboard opens them: what a door needs is loaded only where the settings ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mxgateway_contract.installing import install_command
from mxgateway_protocol.clock import Clock
from mxgateway_server.config.dashboard_sections import ProxyLoginSettings
from mxgateway_server.config.settings import Settings
from mxgateway_server.dashboard.people.asking import DirectoryDesk
from mxgateway_server.dashboard.people.directories import Directory
from mxgateway_server.dashboard.people.persons import Door, RoleBook
from mxgateway_server.dashboard.people.proxies import ProxyDoor, TrustedProxies
from mxgateway_server.dashboard.people.secret_file import SecretFile
from mxgateway_server.errors import ConfigurationError

if TYPE_CHECKING:
    from mxgateway_server.dashboard.people.oidc.provider import OidcProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The doors that are open, and the roles behind them."""

    roles: RoleBook
    proxies: TrustedProxies
    proxy: ProxyDoor | None
    oidc: OidcProvider | None
    ldap: DirectoryDesk | None


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
        oidc=provider_of(settings, clock) if mine.oidc.issuer else None,
        # Connecting, finding and binding: each may take its time once.
        ldap=DirectoryDesk(directory_of(settings), 3.0 * mine.ldap.timeout_seconds) if mine.ldap.url else None,
    )


def _proxy(options: ProxyLoginSettings, proxies: TrustedProxies) -> ProxyDoor:
    file = options.secret_file
    secret = SecretFile("dashboard.proxy_login.secret_file", file).read() if file else ""
    return ProxyDoor(options, proxies, secret)


def provider_of(settings: Settings, clock: Clock) -> OidcProvider:
    """The provider of these settings; errors as of `open_doors`."""
    try:
        from mxgateway_server.dashboard.people.oidc.provider import OidcProvider
    except ModuleNotFoundError as error:
        raise _missing(error, "dashboard.oidc.issuer", "oidc") from None
    return OidcProvider(settings.dashboard.oidc, clock)


def directory_of(settings: Settings) -> Directory:
    """The directory of these settings; errors as of `open_doors`."""
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
