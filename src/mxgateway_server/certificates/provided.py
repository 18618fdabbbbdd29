"""The operator's certificate: two files that are read again whenever they change."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from mxgateway_server.certificates.presented import ServerCertificate, describe, public_bytes
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)


class ProvidedCertificate:
    """`tls.certificate_file` and `tls.key_file`."""

    is_automatic = False

    def __init__(self, certificate_file: str, key_file: str) -> None:
        self._certificate_file = certificate_file
        self._key_file = key_file
        self._told_of_mode = False

    def load(self, now: datetime.datetime) -> ServerCertificate:
        """What the files hold.

        Raises:
            ConfigurationError: a file is missing or unusable, they do not belong together, or the certificate is not
                valid at `now`.
        """
        chain = _read("tls.certificate_file", self._certificate_file)
        key = _read("tls.key_file", self._key_file)
        file = self._certificate_file
        try:
            certificate = x509.load_pem_x509_certificate(chain)
        except ValueError:
            raise ConfigurationError(f"tls.certificate_file {file}: not a PEM certificate; convert it to PEM") from None
        try:
            private = serialization.load_pem_private_key(key, None)
        except (ValueError, TypeError):
            raise ConfigurationError(
                f"tls.key_file {self._key_file}: not an unencrypted PEM key; convert it, and keep the file private"
            ) from None
        if public_bytes(private.public_key()) != public_bytes(certificate.public_key()):
            raise ConfigurationError("tls.key_file does not belong to tls.certificate_file; set the matching pair")
        self._check_mode()
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if begins > now:
            raise ConfigurationError(
                f"tls.certificate_file {file}: not valid before {begins:%Y-%m-%d %H:%M} UTC; wait until then, or set "
                "this machine's clock"
            )
        if ends <= now:
            raise ConfigurationError(f"tls.certificate_file {file}: expired on {ends:%Y-%m-%d}; renew it")
        return describe(certificate, chain, key, Path(file))

    def _check_mode(self) -> None:
        if os.name != "posix":
            return
        is_open = bool(Path(self._key_file).expanduser().stat().st_mode & 0o007)
        if is_open and not self._told_of_mode:
            logger.warning(
                "private_key_is_open",
                path=self._key_file,
                remedy="chmod o-rwx: every user of this machine can read it",
            )
        self._told_of_mode = is_open


def _read(setting: str, path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{setting} {path}: {error.strerror}; correct the path or its permissions") from None
