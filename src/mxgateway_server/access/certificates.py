"""Client certificates that keys are bound to: how a rule is written, and which certificate fits it. No files, no clock.

A rule is `sha256:` and the fingerprint of one certificate, or `subject:` and a name as RFC 4514 writes it, which fits
every certificate with this subject that the TLS endpoint takes.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes

MAX_RULE = 400
_SHA256, _SUBJECT = "sha256:", "subject:"
_DIGITS = re.compile(r"[0-9a-f]{64}\Z")


class Shown(NamedTuple):
    """What a client certificate is called in errors and records."""

    fingerprint: str
    subject: str


def parse_rule(text: str) -> str:
    """A rule as it is stored.

    Raises:
        ValueError: what is wrong with it, and how one is written.
    """
    kind, _, rest = text.strip().partition(":")
    rule = ""
    if kind.casefold() == "subject":
        try:
            rule = _SUBJECT + x509.Name.from_rfc4514_string(rest.strip()).rfc4514_string()
        except ValueError:
            rule = ""
    else:
        # Tools write fingerprints with colons, and with or without what they were made by.
        digits = re.sub(r"[:\s]", "", rest if kind.casefold() == "sha256" else text).casefold()
        if _DIGITS.match(digits):
            rule = _SHA256 + digits
    if rule in ("", _SUBJECT) or len(rule) > MAX_RULE:
        raise ValueError(
            "a certificate is named by its SHA-256 fingerprint (sha256: and 64 hexadecimal digits), or by its subject, "
            "such as subject:CN=line4-hmi,O=Plant"
        )
    return rule


def rule_of(pem: bytes) -> str:
    """The rule that fits this certificate only.

    Raises:
        ValueError: it is none.
    """
    return _SHA256 + _shown(pem).fingerprint


def fits(rule: str, pem: bytes) -> bool:
    """Whether the certificate that a connection showed, as PEM, is the one that the rule means."""
    shown = _shown(pem)
    return rule in (_SHA256 + shown.fingerprint, _SUBJECT + shown.subject)


def describe(pem: bytes) -> Shown:
    """What to call a certificate that a connection showed."""
    return _shown(pem)


@functools.lru_cache(1024)
def _shown(pem: bytes) -> Shown:
    certificate = x509.load_pem_x509_certificate(pem)
    return Shown(certificate.fingerprint(hashes.SHA256()).hex(), certificate.subject.rfc4514_string())
