"""Settings as they may be shown: without what is secret by the name or by the form of a value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mxgateway_contract.redaction import REDACTED, redact, sounds_secret
from mxgateway_server.config.settings import Settings

_URL = re.compile(r"(?P<kind>[\w+.-]+://)(?:(?P<user>[^:/@?#]*)(?P<password>:.*)?@)?(?P<rest>[^@]*)", re.DOTALL)
_SAFE_REST = re.compile(r"[\w.,:%\\/\[\]-]*\Z")
_KEYWORDS = re.compile(r"\s*[\w ]+=")


def shown(settings: Settings) -> dict[str, Any]:
    """All settings as data for JSON, secrets replaced."""
    tree = settings.model_dump(mode="json")
    return {name: _shown(name, value) for name, value in tree.items()}


def shown_text(name: str, text: str) -> str:
    """The value of a setting without what may be a password; `name` is its last name, or an option's."""
    # The name of a file or variable is no secret; what a setting holds itself is.
    if sounds_secret(name) and not name.endswith(("_file", "_variable")):
        return REDACTED
    if match := _URL.fullmatch(text):
        rest = match["rest"]
        place, separator, options = rest.partition("?")
        if not _SAFE_REST.match(place):
            return match["kind"] + REDACTED
        user = "" if match["user"] is None else match["user"] + (f":{REDACTED}@" if match["password"] else "@")
        return match["kind"] + user + place + separator + _options(options)
    if "://" in text or "@" in text or (_KEYWORDS.match(text) and (";" in text or redact(text) != text)):
        # Where a password ends in a URL or connection string that is wrong, nobody can say.
        return REDACTED
    return redact(text)


def _options(text: str) -> str:
    parts = [part.partition("=") for part in text.split("&")]
    return "&".join(
        f"{name}={REDACTED}" if sounds_secret(name) or name == "odbc_connect" else f"{name}{equals}{value}"
        for name, equals, value in parts
    )


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return shown_text(name, value)
    if isinstance(value, dict) and name == "environment":
        # Whatever their names: variables are how secrets are handed on.
        return dict.fromkeys(value, REDACTED)
    if isinstance(value, dict):
        return {inner: _shown(inner, each) for inner, each in value.items()}
    if isinstance(value, list):
        return _words(value)
    return value


def _words(words: Sequence[Any]) -> list[Any]:
    """A command line: `--password`, and the word behind it."""
    found: list[Any] = []
    for index, word in enumerate(words):
        before = words[index - 1] if index else ""
        is_value = isinstance(before, str) and before.startswith("-") and "=" not in before and sounds_secret(before)
        found.append(REDACTED if is_value else shown_text("", word) if isinstance(word, str) else word)
    return found
