"""Certificates: the operator's, or a self-signed one that is made on first start and kept."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mxgateway_server.access.keys import write_private
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

CERTIFICATE_NAME = "gateway.crt"
KEY_NAME = "gateway.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCertificate:
    """What the TLS endpoint presents.

    Attributes:
        ca_file: file that clients can trust: the self-signed certificate, or the operator's chain.
        thumbprint: SHA-256 of the certificate, as hexadecimal pairs.
        was_made: whether it is new.
    """

    certificate_chain: bytes = field(repr=False)
    private_key: bytes = field(repr=False)
    ca_file: Path
    thumbprint: str
    names: tuple[str, ...]
    not_after: datetime.datetime
    was_made: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePlan:
    """Which certificate to present: the operator's when its file is named, else the kept self-signed one."""

    certificate_file: str = ""
    key_file: str = ""
    self_signed_directory: Path
    additional_names: tuple[str, ...] = ()
    validity_years: int = 10
    regenerate_if_expired: bool = True

    def obtain(self, now: datetime.datetime) -> ServerCertificate:
        """Loads the certificate, or makes it.

        Raises:
            ConfigurationError: see `load_certificate` and `self_signed`.
        """
        if self.certificate_file:
            return load_certificate(self.certificate_file, self.key_file, now)
        return self_signed(
            self.self_signed_directory,
            now,
            names=host_names(self.additional_names),
            validity_years=self.validity_years,
            regenerate_if_expired=self.regenerate_if_expired,
        )


def host_names(additional: Iterable[str] = ()) -> tuple[str, ...]:
    """The names under which this machine is reached: localhost, host name, full name, loopbacks, further ones."""
    names = ["localhost", socket.gethostname(), socket.getfqdn(), "127.0.0.1", "::1", *additional]
    return tuple(dict.fromkeys(name.strip().lower() for name in names if name.strip()))


def load_certificate(certificate_file: str, key_file: str, now: datetime.datetime) -> ServerCertificate:
    """The operator's certificate.

    Raises:
        ConfigurationError: a file is missing or unusable, they do not belong together, or the certificate has expired.
    """
    chain, key = _read("tls.certificate_file", certificate_file), _read("tls.key_file", key_file)
    try:
        certificate = x509.load_pem_x509_certificate(chain)
    except ValueError:
        raise ConfigurationError(
            f"tls.certificate_file {certificate_file}: not a PEM certificate; convert it to PEM"
        ) from None
    try:
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError):
        raise ConfigurationError(
            f"tls.key_file {key_file}: not an unencrypted PEM key; convert it, and keep the file private"
        ) from None
    if _public(private.public_key()) != _public(certificate.public_key()):
        raise ConfigurationError("tls.key_file does not belong to tls.certificate_file; set the matching pair")
    if certificate.not_valid_before_utc > now:
        raise ConfigurationError(
            f"tls.certificate_file {certificate_file}: not valid before "
            f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; wait until then, or set this machine's clock"
        )
    if os.name == "posix" and Path(key_file).expanduser().stat().st_mode & 0o007:
        logger.warning(
            "private_key_is_open", path=key_file, remedy="chmod o-rwx: every user of this machine can read it"
        )
    if certificate.not_valid_after_utc <= now:
        raise ConfigurationError(
            f"tls.certificate_file {certificate_file}: expired on {certificate.not_valid_after_utc:%Y-%m-%d}; renew it"
        )
    return _describe(certificate, chain, key, Path(certificate_file))


def self_signed(
    directory: Path,
    now: datetime.datetime,
    *,
    names: tuple[str, ...],
    validity_years: int = 10,
    regenerate_if_expired: bool = True,
) -> ServerCertificate:
    """The kept self-signed certificate; a new one if it is missing, expired, unreadable or lacks a name.

    Raises:
        ConfigurationError: the directory cannot be written, or the certificate has expired and may not be renewed.
    """
    certificate_path, key_path = directory / CERTIFICATE_NAME, directory / KEY_NAME
    kept = _kept(certificate_path, key_path)
    if kept is not None:
        if kept.not_after <= now and not regenerate_if_expired:
            raise ConfigurationError(
                f"the certificate {certificate_path} expired on {kept.not_after:%Y-%m-%d}; set "
                "tls.regenerate_if_expired or tls.certificate_file"
            )
        if kept.not_after > now and set(names) <= set(kept.names):
            return kept
    chain, key = _make(names, now, validity_years)
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The key first: a certificate without its key would be found broken and be made again.
        write_private(key_path, key)
        write_private(certificate_path, chain)
    except OSError as error:
        raise ConfigurationError(
            f"tls.self_signed_directory {directory}: {error.strerror}; choose a directory that the gateway may write"
        ) from None
    return _describe(x509.load_pem_x509_certificate(chain), chain, key, certificate_path, was_made=True)


def _kept(certificate_path: Path, key_path: Path) -> ServerCertificate | None:
    try:
        chain, key = certificate_path.read_bytes(), key_path.read_bytes()
        certificate = x509.load_pem_x509_certificate(chain)
        private = serialization.load_pem_private_key(key, None)
        if _public(private.public_key()) != _public(certificate.public_key()):
            return None
        if os.name == "posix" and key_path.stat().st_mode & 0o077:
            key_path.chmod(0o600)
        return _describe(certificate, chain, key, certificate_path)
    except (OSError, ValueError, TypeError):
        return None


def _make(names: tuple[str, ...], now: datetime.datetime, years: int) -> tuple[bytes, bytes]:
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "mxaccess-gateway self-signed"),
            x509.NameAttribute(NameOID.COMMON_NAME, socket.gethostname()[:64] or "localhost"),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * years))
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        # Its own issuer, so that clients that pin it find a complete chain; it can sign nothing below itself.
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(private, hashes.SHA256())
    )
    key = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key


def _name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        try:
            return x509.DNSName(name)
        except ValueError:
            raise ConfigurationError(
                f"tls.additional_dns_names: {name!r} is neither a DNS name nor an address; write it in ASCII"
            ) from None


def _describe(
    certificate: x509.Certificate, chain: bytes, key: bytes, path: Path, *, was_made: bool = False
) -> ServerCertificate:
    try:
        sans = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(str(name.value).lower() for name in sans)
    except x509.ExtensionNotFound:
        names = ()
    digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest().upper()
    thumbprint = ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))
    return ServerCertificate(
        certificate_chain=chain,
        private_key=key,
        ca_file=path.absolute(),
        thumbprint=thumbprint,
        names=names,
        not_after=certificate.not_valid_after_utc,
        was_made=was_made,
    )


def _public(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _read(setting: str, path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{setting} {path}: {error.strerror}; correct the path or its permissions") from None
