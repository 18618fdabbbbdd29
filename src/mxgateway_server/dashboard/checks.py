"""Whether a request may come in at all: the names it was sent to, where it comes from, its CSRF token. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

COOKIE_BYTES = 32
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        b"connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        b"require-trusted-types-for 'script'; trusted-types 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"permissions-policy",
        b"accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
        b"microphone=(), payment=(), usb=()",
    ),
)
"""Headers of every answer. Scripts and styles come from this gateway alone, and text never becomes a script."""


def cookie_name(gateway_id: str, *, is_https: bool) -> str:
    """Name of the login's cookie: cookies know no ports, so each gateway of a host has one of its own."""
    return f"{'__Host-' if is_https else ''}mxgw-{gateway_id[:8]}"


def csrf_token(token: str) -> str:
    """The CSRF token that belongs to a login's token, and does not tell it."""
    return hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()


def is_csrf_token(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), csrf_token(token).encode())


def host_of(header: str) -> str:
    """The name in a Host header, without port and brackets, in lower case; empty when it is none."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_known_host(header: str, known: Iterable[str]) -> bool:
    """Whether a request was sent to a name of ours: a page of a stranger's name that leads here must not get in."""
    host = host_of(header)
    return bool(host) and host in known


def is_same_origin(headers: Mapping[str, str], origin: str) -> bool:
    """Whether a page of ours sent a request that changes something.

    Args:
        headers: of the request, names in lower case.
        origin: ours, as `https://host:port`.
    """
    site, sent = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    if sent is not None:
        return sent == origin
    return site == "same-origin"


def is_local_path(path: str) -> bool:
    """Whether a path leads to a page of this dashboard and nowhere else."""
    return path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
