"""Connection strings of ADO.NET and ODBC, as people have them, taken apart.

Only what can be said exactly in a SQLAlchemy URL is taken over. No error repeats anything that stood in the string but
the known keywords: where a password is not quoted as it has to be, any part of it may be a piece of the password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NoReturn, TypeVar

T = TypeVar("T")
Encrypt = Literal["", "no", "yes", "strict"]

_SYNONYMS = {
    "server": ("server", "data source", "address", "addr", "network address"),
    "database": ("database", "initial catalog"),
    "user": ("user id", "uid", "user"),
    "password": ("password", "pwd"),
    "integrated": ("integrated security", "trusted_connection", "trusted connection"),
    "encrypt": ("encrypt", "use encryption for data"),
    "trust": ("trustservercertificate", "trust server certificate"),
    "port": ("port",),
    "driver": ("driver",),
    "provider": ("provider",),
    # The gateway has limits, pools and a name of its own.
    "": (
        "app",
        "application name",
        "applicationintent",
        "application intent",
        "auto translate",
        "connect timeout",
        "connection timeout",
        "connectretrycount",
        "connect retry count",
        "connectretryinterval",
        "connect retry interval",
        "current language",
        "language",
        "login timeout",
        "mars_connection",
        "max pool size",
        "min pool size",
        "multipleactiveresultsets",
        "multiple active result sets",
        "multisubnetfailover",
        "packet size",
        "persist security info",
        "persistsecurityinfo",
        "pooling",
        "tds_version",
        "timeout",
        "workstation id",
        "wsid",
    ),
}
_KEYWORDS = {name: meaning for meaning, names in _SYNONYMS.items() for name in names}
_UNTRANSLATABLE = (
    "attachdbfilename",
    "authentication",
    "columnencryption",
    "dbname",
    "dsn",
    "failover partner",
    "filedsn",
    "host",
    "hostaddr",
    "hostnameincertificate",
    "servercertificate",
    "user instance",
)
_YES, _NO = ("true", "yes", "1", "sspi"), ("false", "no", "0")
_ENCRYPT: dict[str, Encrypt] = {
    **dict.fromkeys(("true", "yes", "1", "mandatory"), "yes"),
    **dict.fromkeys(("false", "no", "0", "optional"), "no"),
    "strict": "strict",
}
_BRACES = r"\{(?:[^}]|\}\})*\}"
_QUOTES = r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\''
_ODBC_PART = re.compile(rf"\s*([^=;]+?)\s*=\s*({_BRACES}|[^;]*?)\s*(?:;|\Z)")
_ADO_PART = re.compile(rf"\s*([^=;]+?)\s*=\s*({_QUOTES}|(?![\"'{{])[^;]*?)\s*(?:;|\Z)")
_SQL_SERVER_DRIVER = re.compile(r"odbc driver (\d+) for sql server|sql server( native client [\d.]+)?|freetds", re.I)
_SQL_SERVER_PROVIDER = re.compile(r"(msoledbsql|sqloledb|sqlncli)\w*(\.\d+)?", re.I)
_ENCRYPTS_UNASKED = 18


class ConnectionStringError(ValueError):
    """A connection string that cannot be taken over exactly; never repeats a value of it."""


@dataclass(frozen=True, slots=True)
class SqlServerLogin:
    """What a connection string says.

    Attributes:
        instance: named instance, where no port is given; with one, SQL Server's clients ignore the instance.
        user: empty for the login of the account that the gateway runs as (`Integrated Security`).
        encrypt: empty where the string does not say.
    """

    host: str
    instance: str
    port: int | None
    database: str
    user: str
    password: str = field(repr=False)
    encrypt: Encrypt = ""
    trusts_any_certificate: bool = False


def is_connection_string(text: str) -> bool:
    """Whether the text is of keywords and values (ADO.NET, ODBC, libpq), so neither a URL, nor a path or name."""
    if re.match(r"[\w+:]+://", text):
        return False
    names = [part.partition("=")[0].strip().casefold() for part in text.split(";") if "=" in part]
    return bool(names) and (";" in text or any(name in _KEYWORDS or name in _UNTRANSLATABLE for name in names))


def parse_connection_string(text: str) -> SqlServerLogin:
    """What an ADO.NET or ODBC connection string of SQL Server says.

    Raises:
        ConnectionStringError: it is for something else, or cannot be taken over exactly.
    """
    given = _parts(text)
    encrypt = _choice(given, "encrypt", _ENCRYPT) or ""
    encrypt = _check_driver(given, encrypt)
    host, instance, port = _server(given.get("server", ""), given.get("port", ""))
    is_integrated = _choice(given, "integrated", {**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)}) or False
    user = "" if is_integrated else given.get("user", "")
    if not (user or is_integrated):
        _refuse("it names no login: write User ID and Password, or Integrated Security=SSPI")
    if not given.get("database"):
        _refuse("it names no database: write Initial Catalog (or Database), such as ZB")
    trusts = _choice(given, "trust", {**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)}) or False
    password = given.get("password", "") if user else ""
    return SqlServerLogin(host, instance, port, given["database"], user, password, encrypt, trusts)


def _refuse(why: str) -> NoReturn:
    raise ConnectionStringError(
        f"this connection string of keywords cannot be taken over: {why}; or write a URL, such as "
        "mssql+pytds://user:password@host/ZB"
    )


def _parts(text: str) -> dict[str, str]:
    # Braces quote in ODBC, quotation marks in ADO.NET; there the other is a character like any.
    is_odbc = re.search(r"(?:^|;)\s*driver\s*=", text, re.IGNORECASE) is not None
    pattern = _ODBC_PART if is_odbc else _ADO_PART
    found: dict[str, str] = {}
    position = 0
    while text[position:].strip(" ;\t"):
        match = pattern.match(text, position)
        if match is None:
            _refuse("a part has no `=`, or a value with `;`, braces or quotation marks is not quoted as it has to be")
        position = match.end()
        name = " ".join(match[1].split()).casefold()
        if name in _UNTRANSLATABLE:
            _refuse(f"{name} has no exact counterpart")
        if name not in _KEYWORDS:
            _refuse("it has a keyword that is not known here, or a value with `;` that is not quoted")
        meaning = _KEYWORDS[name]
        if meaning and meaning in found:
            _refuse(f"{meaning} is there twice")
        found[meaning] = _unquoted(match[2], "{" if is_odbc else "\"'")
    return found


def _unquoted(value: str, quotes: str) -> str:
    if not value or value[0] not in quotes:
        return value
    end = "}" if value[0] == "{" else value[0]
    return value[1:-1].replace(end * 2, end)


def _choice(given: dict[str, str], meaning: str, choices: dict[str, T]) -> T | None:
    text = given.get(meaning, "").casefold()
    if not text:
        return None
    if text not in choices:
        _refuse(f"{_SYNONYMS[meaning][0]} takes {', '.join(choices)}")
    return choices[text]


def _check_driver(given: dict[str, str], encrypt: Encrypt) -> Encrypt:
    driver, provider = given.get("driver", ""), given.get("provider", "")
    match = _SQL_SERVER_DRIVER.fullmatch(driver)
    if (driver and not match) or (provider and not _SQL_SERVER_PROVIDER.fullmatch(provider)):
        _refuse("its driver or provider is not one of SQL Server")
    if match and match[1] and int(match[1]) >= _ENCRYPTS_UNASKED:
        return encrypt or "yes"
    return encrypt


def _server(text: str, port_text: str) -> tuple[str, str, int | None]:
    protocol, separator, rest = text.partition(":")
    if separator and protocol.casefold() == "tcp":
        text = rest
    elif separator and protocol.casefold() in ("np", "lpc", "admin", "via"):
        _refuse("only tcp: is spoken to the server")
    if text.casefold().startswith("(localdb)") or text.startswith("\\\\"):
        _refuse("only TCP/IP is spoken to the server, neither LocalDB nor a named pipe")
    place, _, after_comma = text.partition(",")
    port_text = after_comma.strip() or port_text
    if port_text and not (port_text.isascii() and port_text.isdecimal() and 0 < int(port_text) < 65536):
        _refuse("the port is no number from 1 to 65535")
    host, _, instance = place.strip().partition("\\")
    if host.casefold() in (".", "(local)"):
        host = "localhost"
    if not re.fullmatch(r"[\w.:-]+", host) or re.fullmatch(r"[^:]+:\d*", host):
        _refuse("it names no server, or not as HOST, HOST,PORT or HOST\\INSTANCE")
    port = int(port_text) if port_text else None
    return host, "" if port else instance, port
