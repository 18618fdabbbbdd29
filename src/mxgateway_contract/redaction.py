"""Keeps secrets out of texts: errors, logs, replies, printed settings. Every program here uses this one set of rules.

What is taken out: texts that are named to `redact`, whatever has the shape of an API key, what follows `Bearer`, the
value of any name that sounds secret, and passwords in URLs. No part of a secret is kept, not even its last characters.
All rules run in time that grows with the text alone, since strangers may have written it.
"""

from __future__ import annotations

import re

REDACTED = "[redacted]"

_SOUNDS_SECRET = re.compile(
    r"nonce|secret|passw(?:or)?d|passphrase|pwd(?![a-z])|token|credential|api[-_ ]?key|authorization|pepper"
    r"|private[-_ ]?key",
    re.IGNORECASE,
)
# Keys are `mxgw_<id>_<secret>`; whatever begins like one is taken for one.
_KEY_SHAPED = re.compile(r"mxgw_[A-Za-z0-9_\-.~+/=]+")
_BEARER = re.compile(r"(bearer\s+)[^\s\"',;]+", re.IGNORECASE)
# A name and what stands between it and its value; in a URL's query that may be percent-encoded.
_NAME = re.compile(r"(?<![\w.-])([\w.-]++)(?:\\*[\"'])?\s*+(?:[=:]|%3D|%3A)\s*+", re.IGNORECASE)
_VALUE = re.compile(
    r"""(?: \\+"(?:(?!\\+")[^\n]){0,4096}+ (?:\\+")?      # quoted inside a quoted text
          | "(?:[^"\\]|\\.|""){0,4096}+ "
          | '(?:[^'\\]|\\.|''){0,4096}+ '
          | \{(?:[^}]|}}){0,4096}+ }                       # as ODBC quotes what holds a semicolon
        ) [^\s,;}\])]*+
        | (?:bearer\s++)? \S++""",
    re.IGNORECASE | re.VERBOSE,
)
# In a connection string blanks belong to the value; where the sentence around it goes on nobody can tell.
_TO_SEMICOLON = re.compile(r"[^;\n]{0,4096}+")
_BEFORE_KEYWORD = re.compile(r"(?:\A|;)\s{0,16}+\Z")
_KEYWORD = re.compile(
    r"(?:nonce|secret|passw(?:or)?d|pwd|token|credential|authorization|pepper)\s*+=\s*+", re.IGNORECASE
)
# Messages show how such a URL is written, by the word itself.
_URL_PASSWORD = re.compile(r"(://[^/\s:@]{0,256}+:)(?!password@[\w.]{1,64}+/\w{1,64}+(?!\S{0,512}@))\S{0,512}@")


def sounds_secret(name: str) -> bool:
    """Whether the value under this name is nobody else's business: `password`, `api_key`, `x-auth-token`."""
    return _SOUNDS_SECRET.search(name) is not None


def redact(text: str, *secrets: str | None) -> str:
    """The text without the given secrets, and without anything that looks like one; see the module."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, REDACTED)
    text = _KEY_SHAPED.sub(REDACTED, text)
    if "://" in text and "@" in text:
        text = _URL_PASSWORD.sub(rf"\1{REDACTED}@", text)
    if _SOUNDS_SECRET.search(text):
        text = _without_named_values(text)
    return _BEARER.sub(rf"\1{REDACTED}", text)


def _without_named_values(text: str) -> str:
    parts: list[str] = []
    kept = position = 0
    while name := _NAME.search(text, position):
        position = name.end()
        if not sounds_secret(name[1]):
            continue
        value = _VALUE.match(text, position)
        end = max(value.end() if value else position, _end_of_keyword(text, name.start()))
        if end > position:
            parts += (text[kept:position], REDACTED)
            kept = position = end
    parts.append(text[kept:])
    return "".join(parts)


def _end_of_keyword(text: str, start: int) -> int:
    """Where the value ends of a name that stands where a connection string has its keywords; 0 elsewhere."""
    if not _BEFORE_KEYWORD.search(text, max(0, start - 17), start):
        return 0
    name = _KEYWORD.match(text, start)
    value = _TO_SEMICOLON.match(text, name.end()) if name else None
    return value.end() if value else 0
