"""The gateway's own certificate authority: what it signs, and when that is due. No files, no clock.

Clients trust the authority's certificate; what the endpoint presents is signed by it and lives a year. The authority's
key and name never change, so that whoever trusts an older certificate of it trusts what is signed today.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mxgateway_server.errors import ConfigurationError

LIFE = datetime.timedelta(days=365)
"""Life of what the endpoint presents."""
RENEW = datetime.timedelta(days=120)
"""What is left of it when it is renewed."""
RENEW_AUTHORITY = datetime.timedelta(days=730)
"""What is left of the authority's certificate when the next one is made: time to hand it to the clients."""
_BACK = datetime.timedelta(days=7)
_BACK_AUTHORITY = datetime.timedelta(days=30)
"""Certificates begin before they are made, for clients whose clock is behind."""

SigningKey = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate that may sign, and its key."""

    certificate: x509.Certificate
    key: SigningKey = field(repr=False)


def new_key() -> SigningKey:
    """A fresh key, on the curve that every TLS stack knows."""
    return ec.generate_private_key(ec.SECP256R1())


def make_authority(
    key: SigningKey, now: datetime.datetime, years: int, name: x509.Name | None = None
) -> x509.Certificate:
    """A certificate for the authority with this key.

    Args:
        key: the authority's.
        now: the moment that its life begins at.
        years: length of that life.
        name: of an earlier certificate of the same key; one that follows from the key when left out.
    """
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    name = name or x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "mxaccess-gateway"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"mxaccess-gateway authority {identifier.digest.hex()[:12]}"),
        ]
    )
    return (
        _builder(name, name, key, now - _BACK_AUTHORITY, now + datetime.timedelta(days=365 * years))
        # It signs endpoints only, no further authorities.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


def issue(authority: Authority, names: Iterable[str], now: datetime.datetime) -> tuple[x509.Certificate, SigningKey]:
    """A certificate for the endpoint under these names, with a key of its own.

    Raises:
        ConfigurationError: one of the names can stand in no certificate.
    """
    key = new_key()
    names = tuple(names)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    alternatives = x509.SubjectAlternativeName([_general_name(name) for name in names])
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    certificate = (
        _builder(subject, authority.certificate.subject, key, now - _BACK, now + LIFE)
        .add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(signer, critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return certificate, key


def issue_client(
    authority: Authority, name: str, now: datetime.datetime, life: datetime.timedelta
) -> tuple[x509.Certificate, SigningKey]:
    """A certificate that a client shows, with a key of its own.

    Args:
        authority: what signs it.
        name: its common name, 1 to 64 characters.
        now: the moment that its life begins at.
        life: how long it is; never beyond the authority's.
    """
    key = new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    ends = min(now + life, authority.certificate.not_valid_after_utc)
    certificate = (
        _builder(subject, authority.certificate.subject, key, now - _BACK, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        # For clients only: it could not stand in for the gateway.
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return certificate, key


def may_sign(certificate: x509.Certificate) -> bool:
    """Whether clients that trust this certificate trust what its key signs."""
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return constraints.ca and usage.key_cert_sign


def is_signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether this authority, by any of its certificates, signed it."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def why_renew(
    certificate: x509.Certificate, authority: x509.Certificate, names: Iterable[str], now: datetime.datetime
) -> str:
    """Why the endpoint's certificate is to be issued anew, in words for the log; '' when it is right."""
    if not is_signed_by(certificate, authority):
        return "it is not signed by the present authority"
    if certificate.not_valid_before_utc > now:
        return f"it is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}: it was made by a wrong clock"
    # Names that it has beyond these stay: a name server that is away for a moment must not change it.
    missing = sorted(set(names) - set(names_of(certificate)))
    if missing:
        return f"it is not for {', '.join(missing)}"
    if certificate.not_valid_after_utc - now < RENEW:
        return f"it ends on {certificate.not_valid_after_utc:%Y-%m-%d}"
    return ""


def why_renew_authority(certificate: x509.Certificate, now: datetime.datetime) -> str:
    """Why the authority needs a new certificate for its key, in words for the log; '' when it does not."""
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if begins > now:
        return f"it is not valid before {begins:%Y-%m-%d}: it was made by a wrong clock"
    if ends - now < min(RENEW_AUTHORITY, (ends - begins) / 3):
        return f"it ends on {ends:%Y-%m-%d}"
    return ""


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The names and addresses that a certificate is for, in small letters."""
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value).lower() for name in alternatives)


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate, as pairs of hexadecimal digits."""
    digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest().upper()
    return ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


def key_pem(key: SigningKey) -> bytes:
    """A key as unencrypted PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """A certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: SigningKey, begins: datetime.datetime, ends: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        try:
            return x509.DNSName(name)
        except ValueError:
            raise ConfigurationError(
                f"tls.additional_dns_names: {name!r} is neither a DNS name nor an address; write it in ASCII"
            ) from None
