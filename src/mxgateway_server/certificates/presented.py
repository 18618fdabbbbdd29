"""What the TLS endpoint presents, wherever it comes from, and what clients need to trust it."""

from __future__ import annotations

import datetime
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from mxgateway_server.certificates.authority import names_of, thumbprint


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """What the TLS endpoint presents.

    Attributes:
        certificate_chain: PEM, the endpoint's own first.
        private_key: PEM.
        ca_file: file that clients can trust: the authority's certificate, or the operator's chain.
        thumbprint: SHA-256 of the endpoint's certificate, as hexadecimal pairs.
        names: names and addresses that it is for.
        not_before: begin of its validity.
        not_after: end of its validity.
        ca_not_after: end of the validity of what clients trust; None when that is not the gateway's.
    """

    certificate_chain: bytes = field(repr=False)
    private_key: bytes = field(repr=False)
    ca_file: Path
    thumbprint: str
    names: tuple[str, ...]
    not_before: datetime.datetime
    not_after: datetime.datetime
    ca_not_after: datetime.datetime | None = None


class CertificateSource(Protocol):
    """Where the endpoint's certificate comes from."""

    is_automatic: bool

    def load(self, now: datetime.datetime) -> ServerCertificate:
        """The certificate to present now; blocks on the disk.

        Raises:
            ConfigurationError: there is none that could be presented; the text names setting and remedy.
        """
        ...


def describe(
    certificate: x509.Certificate,
    chain: bytes,
    key: bytes,
    ca_file: Path,
    *,
    ca_not_after: datetime.datetime | None = None,
) -> ServerCertificate:
    """What is told of a certificate and its key."""
    return ServerCertificate(
        certificate_chain=chain,
        private_key=key,
        ca_file=ca_file.absolute(),
        thumbprint=thumbprint(certificate),
        names=names_of(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        ca_not_after=ca_not_after,
    )


def public_bytes(key: object) -> bytes:
    """A public key in a form that can be compared."""
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


class HostNames:
    """The names under which this machine is reached: localhost, host name, full name, loopbacks, further ones.

    The full name is asked for again when the host name has changed, and not each time: a name server may be slow.
    """

    def __init__(self, additional: Iterable[str] = ()) -> None:
        self._additional = tuple(additional)
        self._host = ""
        self._full = ""

    def __call__(self) -> tuple[str, ...]:
        host = socket.gethostname()
        if host != self._host:
            self._host, self._full = host, socket.getfqdn()
        names = ["localhost", host, self._full, "127.0.0.1", "::1", *self._additional]
        return tuple(dict.fromkeys(name.strip().lower() for name in names if name.strip()))
