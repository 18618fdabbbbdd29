"""Whether people could sign in, for `mxgateway doctor`: provider and directory are asked as for a sign-in, but for
nobody's password."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mxgateway_protocol.clock import SystemClock
from mxgateway_server.config.settings import Settings
from mxgateway_server.dashboard.people.directories import DirectoryError
from mxgateway_server.dashboard.people.opening import directory_of, provider_of
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.node.facts import DoorFacts

if TYPE_CHECKING:
    from mxgateway_server.dashboard.people.oidc.provider import OidcError


def look_at_doors(settings: Settings) -> list[DoorFacts]:
    """The doors of these settings, each asked once; it blocks for seconds where nobody answers."""
    found = []
    if settings.dashboard.oidc.issuer:
        found.append(_provider(settings))
    if settings.dashboard.ldap.url:
        found.append(_directory(settings))
    return found


def _provider(settings: Settings) -> DoorFacts:
    check, issuer = "sign-in by OpenID Connect", settings.dashboard.oidc.issuer
    try:
        provider = provider_of(settings, SystemClock())
    except ConfigurationError as error:
        return _unset(check, error)
    # With what it needs, which is there.
    from mxgateway_server.dashboard.people.oidc.provider import OidcError

    try:
        keys = asyncio.run(provider.look())
    except OidcError as error:
        return DoorFacts(check, f"{issuer}: {error.cause or error}", _PROVIDER.get(_kind(error), error.remedy))
    return DoorFacts(check, f"{issuer} answers with its discovery document and {keys} key{'s' if keys > 1 else ''}")


def _directory(settings: Settings) -> DoorFacts:
    check, options = "sign-in by LDAP", settings.dashboard.ldap
    try:
        directory_of(settings).look()
    except ConfigurationError as error:
        return _unset(check, error)
    except DirectoryError as error:
        return DoorFacts(check, f"{options.url}: {error.cause or error}", _DIRECTORY.get(_kind(error), error.remedy))
    who = options.bind_dn or "nobody (an anonymous look)"
    return DoorFacts(check, f"{options.url} answers, takes {who}, and has {options.search_base}")


def _kind(error: OidcError | DirectoryError) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in error.cause:
        return "certificate"
    return "tls" if "StartTLS" in error.cause else error.why


def _unset(check: str, error: ConfigurationError) -> DoorFacts:
    # Its text says what is wrong, and behind it what to do.
    found, _, remedy = str(error).partition("; ")
    return DoorFacts(check, found, remedy or "correct the setting that it names")


_PROVIDER = {
    "unreachable": "look whether this machine reaches dashboard.oidc.issuer (name, firewall, proxy)",
    "certificate": "put the certificate of the authority that signed the provider's into dashboard.oidc.ca_file",
    "provider": "copy dashboard.oidc.issuer from the provider's discovery document, to the letter",
}
_DIRECTORY = {
    "unreachable": "look whether this machine reaches dashboard.ldap.url (name, port, firewall)",
    "certificate": (
        "put the certificate of the authority that signed the directory's into dashboard.ldap.ca_file, and write the "
        "name that it is for in dashboard.ldap.url"
    ),
    "tls": "let the directory offer StartTLS, or write ldaps:// in dashboard.ldap.url without dashboard.ldap.start_tls",
    "account": "correct dashboard.ldap.bind_dn and the password in dashboard.ldap.bind_password_file",
    "base": "correct dashboard.ldap.search_base, and let the account of dashboard.ldap.bind_dn read it",
}
