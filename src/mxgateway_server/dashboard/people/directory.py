"""A directory asked whether a name and a password go together, and in which groups their person is."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.utils.conv import escape_filter_chars

from mxgateway_server.config.dashboard_sections import LdapSettings
from mxgateway_server.dashboard.people.directories import DirectoryError
from mxgateway_server.dashboard.people.persons import MAX_GROUPS, Door, Person, is_name
from mxgateway_server.dashboard.people.question import Question
from mxgateway_server.dashboard.people.secret_file import SecretFile
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

MAX_PASSWORD = 1024
_IN_CHAIN = "1.2.840.113556.1.4.1941"
_EXPIRED = re.compile(r"\bdata (532|773)\b")
"""What an Active Directory adds when the password is right and has to be changed first."""


class LdapDirectory:
    """One directory. Each question blocks, up to some times the time limit.

    Args:
        server, strategy: in place of those of the settings, for tests.

    Raises:
        ConfigurationError: a file that the settings name is not what it should be.
    """

    def __init__(self, options: LdapSettings, server: Any = None, strategy: str = ldap3.SYNC) -> None:
        self._options = options
        self._strategy = strategy
        self._password = (
            SecretFile("dashboard.ldap.bind_password_file", options.bind_password_file) if options.bind_dn else None
        )
        self._server = server
        has_tls = options.start_tls or urlsplit(options.url).scheme == "ldaps"
        self._context = _context(options) if has_tls else None

    def person(self, name: str, password: str, question: Question | None = None) -> Person:
        """Who this is.

        Args:
            question: by which another thread gives it up.

        Raises:
            DirectoryError: nobody, or the directory does not answer.
        """
        if not password or len(password) > MAX_PASSWORD or "\0" in password or not is_name(name):
            # A bind without a password succeeds, as nobody.
            raise _refused()
        question = question or Question()
        try:
            with self._connection(self._options.bind_dn, self._read_password(), question) as connection:
                self._bind_account(connection)
                entry = self._only(connection, name)
                self._check(entry["dn"], password, question)
                groups = self._groups(connection, entry)
        except (LDAPException, OSError, ssl.SSLError) as error:
            raise self._outage(error) from None
        attributes = entry["attributes"]
        shown = next(iter(_values(attributes, "displayName")), "")
        return Person(door=Door.LDAP, name=name.lower(), display_name=shown if is_name(shown) else "", groups=groups)

    def look(self) -> None:
        """Connects, binds the account that looks people up, and finds where it would look.

        Raises:
            DirectoryError: nobody could sign in.
        """
        try:
            with self._connection(self._options.bind_dn, self._read_password(), Question()) as connection:
                self._bind_account(connection)
                connection.search(
                    self._options.search_base,
                    "(objectClass=*)",
                    search_scope=ldap3.BASE,
                    attributes=[ldap3.NO_ATTRIBUTES],
                    time_limit=self._options.timeout_seconds,
                )
                if not any(each.get("type") == "searchResEntry" for each in connection.response or ()):
                    told = connection.result["description"]
                    raise DirectoryError("base", f"{self._options.search_base} is not found there", cause=told)
        except (LDAPException, OSError, ssl.SSLError) as error:
            raise self._outage(error) from None

    def _outage(self, error: Exception) -> DirectoryError:
        logger.warning("ldap_unreachable", url=self._options.url, error=type(error).__name__, problem=str(error)[:200])
        return DirectoryError(
            "unreachable",
            "the directory does not answer as it should",
            "try again in a minute, or sign in with a key; the gateway's log has ldap_unreachable",
            cause=str(error)[:200],
        )

    def _read_password(self) -> str:
        if self._password is None:
            return ""
        try:
            return self._password.read()
        except ConfigurationError as error:
            logger.warning("ldap_secret_unread", problem=str(error))
            raise DirectoryError("account", "the account that looks people up cannot be used", str(error)) from None

    @contextmanager
    def _connection(self, user: str, password: str, question: Question) -> Iterator[Any]:
        connection = ldap3.Connection(
            self._server or _server(self._options, self._context, question),
            user=user or None,
            password=password or None,
            client_strategy=self._strategy,
            auto_bind=ldap3.AUTO_BIND_NONE,
            auto_referrals=False,
            read_only=True,
            receive_timeout=self._options.timeout_seconds,
        )
        question.hold(connection)
        try:
            connection.open()
            # What is given up while it connects has nothing yet that could be ended.
            question.go_on()
            if self._options.start_tls and not connection.start_tls():
                raise LDAPException("StartTLS was refused")
            yield connection
        finally:
            question.release(connection)
            # A farewell that is not heard changes nothing.
            with suppress(LDAPException, OSError):
                connection.unbind()
            # ldap3 leaves it open where opening it, or the farewell, failed.
            if connection.socket is not None:
                connection.socket.close()

    def _bind_account(self, connection: Any) -> None:
        if not connection.bind():
            logger.warning("ldap_account_refused", url=self._options.url, result=connection.result["description"])
            raise DirectoryError(
                "account",
                "the account that looks people up is refused",
                "look at dashboard.ldap.bind_dn and bind_password_file",
                cause=f"{self._options.bind_dn or 'an anonymous look'}: {connection.result['description']}",
            )

    def _only(self, connection: Any, name: str) -> Mapping[str, Any]:
        options = self._options
        connection.search(
            options.search_base,
            options.user_filter.replace("{user}", escape_filter_chars(name)),
            search_scope=ldap3.SUBTREE,
            attributes=[ldap3.ALL_ATTRIBUTES],
            size_limit=2,
            time_limit=options.timeout_seconds,
        )
        # What only refers to another directory is no entry.
        found = [each for each in connection.response or () if each.get("type") == "searchResEntry"]
        if not found:
            raise _refused()
        if len(found) > 1:
            logger.warning("ldap_several", filter=options.user_filter)
            raise DirectoryError(
                "several",
                "the name or password does not let you in",
                "the name is not unique in the directory; see dashboard.ldap.user_filter",
            )
        entry: Mapping[str, Any] = found[0]
        return entry

    def _check(self, dn: str, password: str, question: Question) -> None:
        with self._connection(dn, password, question) as connection:
            if connection.bind():
                return
            if _EXPIRED.search(str(connection.result.get("message", ""))):
                raise DirectoryError(
                    "expired", "your password has to be changed first", "change it where you sign in to the network"
                )
        raise _refused()

    def _groups(self, connection: Any, entry: Mapping[str, Any]) -> tuple[str, ...]:
        found = _values(entry["attributes"], self._options.group_attribute)
        if self._options.nested_groups:
            connection.search(
                self._options.search_base,
                f"(&(objectClass=group)(member:{_IN_CHAIN}:={escape_filter_chars(entry['dn'])}))",
                search_scope=ldap3.SUBTREE,
                attributes=[ldap3.NO_ATTRIBUTES],
                size_limit=MAX_GROUPS,
            )
            found += [each["dn"] for each in connection.response or () if each.get("type") == "searchResEntry"]
        return tuple(dict.fromkeys(found))


class _Tls(ldap3.Tls):  # type: ignore[misc]
    """Checks the certificate's name within the handshake; ldap3 by itself does it afterwards, in a way of its own."""

    def __init__(self, context: ssl.SSLContext, question: Question) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = context
        self._question = question

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
        connection.socket = self._context.wrap_socket(
            connection.socket, do_handshake_on_connect=False, server_hostname=connection.server.host
        )
        # Of the socket that stands in the connection by now: a handshake that hangs has to be ended there.
        self._question.go_on()
        if do_handshake:
            connection.socket.do_handshake()


def _context(options: LdapSettings) -> ssl.SSLContext:
    ca_file = str(Path(options.ca_file).expanduser()) if options.ca_file else None
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"dashboard.ldap.ca_file: {ca_file} holds no certificates that can be read ({error}); write them as PEM"
        ) from None


def _server(options: LdapSettings, context: ssl.SSLContext | None, question: Question) -> Any:
    """One for each connection: ldap3 notes in it whether *a* connection stands, and takes that for its own."""
    parts = urlsplit(options.url)
    is_ldaps = parts.scheme == "ldaps"
    return ldap3.Server(
        parts.hostname,
        port=parts.port or (636 if is_ldaps else 389),
        use_ssl=is_ldaps,
        tls=_Tls(context, question) if context else None,
        connect_timeout=options.timeout_seconds,
        get_info=ldap3.NONE,
    )


def _refused() -> DirectoryError:
    return DirectoryError("refused", "the name or password does not let you in")


def _values(attributes: Mapping[str, Any], name: str) -> list[str]:
    found: Any = next((value for known, value in attributes.items() if known.lower() == name.lower()), [])
    given = found if isinstance(found, list) else [found]
    return [each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in given if each]
