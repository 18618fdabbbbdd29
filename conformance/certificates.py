"""Certificates of the cases: an authority, and what it did or did not sign."""

from __future__ import annotations

import datetime
import functools
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)


class Authority:
    """A certificate authority of its own key, or one that another signed."""

    def __init__(self, name: str, parent: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = parent or self
        now = datetime.datetime.now(datetime.UTC)
        builder = _builder(self.name, signer.name, self.key, now - _DAY, now + 30 * _DAY)
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        self.certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(signer.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def leaf(self, *names: x509.GeneralName, days: tuple[int, int] = (-1, 30)) -> tuple[bytes, bytes]:
        """A server's certificate and its key, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a gateway of the conformance suite")])
        certificate = (
            _builder(subject, self.name, key, now + days[0] * _DAY, now + days[1] * _DAY)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begin: datetime.datetime,
    end: datetime.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


class CertificateFiles:
    """The files, made when a case first wants one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @functools.cached_property
    def _authorities(self) -> tuple[Authority, Authority]:
        return Authority("conformance authority"), Authority("another authority")

    def arguments(self, kind: str) -> tuple[str, ...]:
        """Arguments of the scripted gateway for a kind of certificate; none for no TLS."""
        if not kind:
            return ()
        authority, other = self._authorities
        names = [x509.DNSName("localhost")]
        if kind == "leaf":
            chain, key = authority.leaf(*names)
        elif kind == "ip":
            chain, key = authority.leaf(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        elif kind == "wrong_name":
            chain, key = authority.leaf(x509.DNSName("gateway.example"))
        elif kind == "expired":
            chain, key = authority.leaf(*names, days=(-30, -2))
        elif kind == "other_ca":
            chain, key = other.leaf(*names)
        elif kind == "intermediate":
            between = Authority("between", authority)
            chain, key = between.leaf(*names)
            chain += between.pem
        else:
            raise ValueError(f"there is no certificate {kind!r}")
        for name, data in (("chain", chain), ("key", key)):
            (self._folder / f"{kind}-{name}.pem").write_bytes(data)
        return (
            *("--certificate", str(self._folder / f"{kind}-chain.pem")),
            *("--private-key", str(self._folder / f"{kind}-key.pem")),
        )

    def texts(self) -> dict[str, str]:
        """What stands for the files in a case."""
        files = {
            "$ca": b"",
            "$ca_other": b"",
            "$ca_both": b"",
            "$ca_empty": b"",
            "$ca_missing": None,
        }
        paths = {name: self._folder / f"{name.removeprefix('$')}.pem" for name in files}
        if not paths["$ca"].exists():
            authority, other = self._authorities
            paths["$ca"].write_bytes(authority.pem)
            paths["$ca_other"].write_bytes(other.pem)
            # As editors of Windows leave it, with another authority first.
            paths["$ca_both"].write_bytes((other.pem + b"\n" + authority.pem).replace(b"\n", b"\r\n"))
            paths["$ca_empty"].write_bytes(b"no certificate\n")
        return {name: str(path) for name, path in paths.items()}
