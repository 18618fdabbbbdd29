"""The authorities that may have signed the certificates of clients: a file that is read again whenever it changes."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mxgateway_server.certificates.authority import may_sign
from mxgateway_server.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ClientAuthorities:
    """Who vouches for clients.

    Attributes:
        pem: their certificates.
        ends: when the first of them ends.
        names: their subjects.
    """

    pem: bytes = field(repr=False)
    ends: datetime.datetime
    names: tuple[str, ...]


class ClientAuthoritiesFile:
    """`tls.client_ca_file`, or the file of the gateway's own authority.

    Args:
        path: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self, now: datetime.datetime) -> ClientAuthorities:
        """What the file holds; blocks on the disk.

        Raises:
            ConfigurationError: it is missing, holds no authority, or none that is valid at `now`.
        """
        setting = f"tls.client_ca_file {self.path}"
        try:
            found = x509.load_pem_x509_certificates(self.path.read_bytes())
        except OSError as error:
            raise ConfigurationError(
                f"{setting}: {error.strerror}; correct the path or its permissions, or set "
                'tls.client_certificates = "off"'
            ) from None
        except ValueError:
            raise ConfigurationError(f"{setting}: no PEM certificate; convert it to PEM") from None
        signers = [each for each in found if may_sign(each)]
        if not signers:
            raise ConfigurationError(
                f"{setting}: no authority's certificate; name the one that signs the clients', not a client's own"
            )
        valid = [each for each in signers if each.not_valid_before_utc <= now < each.not_valid_after_utc]
        if not valid:
            raise ConfigurationError(f"{setting}: not valid now; renew it, or compare this machine's clock")
        return ClientAuthorities(
            b"".join(each.public_bytes(Encoding.PEM) for each in valid),
            min(each.not_valid_after_utc for each in valid),
            tuple(each.subject.rfc4514_string() for each in valid),
        )
