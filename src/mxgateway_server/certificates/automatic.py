"""The gateway's own certificates on disk: an authority that clients trust, and what it signs for the endpoint.

gateway-ca.pem      the authority's certificate: the one file that clients need
gateway-ca.key      its key
gateway-server.pem  what the endpoint presents, with its key; renewed by itself
gateway-ca.until-….pem  earlier certificates of the same authority: what they vouch for is still presented

A directory of an earlier version holds one self-signed pair, gateway.crt and gateway.key. It becomes the authority, so
that clients which trust gateway.crt go on.
"""

from __future__ import annotations

import datetime
import logging
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from mxgateway_contract.private_files import write_private
from mxgateway_contract.windows_rights import make_private_folder
from mxgateway_server.certificates.authority import (
    Authority,
    SigningKey,
    certificate_pem,
    is_signed_by,
    issue,
    issue_client,
    key_pem,
    make_authority,
    may_sign,
    new_key,
    thumbprint,
    why_renew,
    why_renew_authority,
)
from mxgateway_server.certificates.presented import ServerCertificate, describe, public_bytes
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

AUTHORITY_NAME = "gateway-ca.pem"
AUTHORITY_KEY_NAME = "gateway-ca.key"
SERVER_NAME = "gateway-server.pem"
EARLIER_NAME = "gateway.crt"
EARLIER_KEY_NAME = "gateway.key"

_NONE = "there is none"
_REMEDY = "restore it from a backup, or run mxgateway cert renew --new-authority (every client then needs the new file)"


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the endpoint presents, as it lies on disk."""

    certificate: x509.Certificate
    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)


class AutomaticCertificate:
    """An authority and its endpoint's certificate, kept in one directory.

    Args:
        directory: where they lie; made when it is not there.
        names: gives the names that the endpoint is reached under.
        validity_years: life of the authority's certificate.
        renews: whether what ends is renewed by itself.
    """

    is_automatic = True

    def __init__(
        self, directory: Path, names: Callable[[], tuple[str, ...]], *, validity_years: int = 10, renews: bool = True
    ) -> None:
        self._directory = directory
        self._names = names
        self._years = validity_years
        self._renews = renews
        self._told = ""

    @property
    def ca_file(self) -> Path:
        """What clients trust."""
        return self._directory / AUTHORITY_NAME

    def load(self, now: datetime.datetime) -> ServerCertificate:
        """The kept certificate, or a new one where there is none or it is due.

        Raises:
            ConfigurationError: the directory cannot be used, or the authority's files are damaged and nothing valid is
                left to present. Damaged files stay as they are: a new authority would shut every client out.
        """
        kept = self._kept()
        try:
            authority = self._authority(now)
        except _DamagedError as damage:
            if kept is None or not _is_valid(kept.certificate, now):
                raise ConfigurationError(str(damage)) from None
            self._tell_once("certificate_authority_unusable", str(damage))
            return describe(kept.certificate, kept.chain, kept.key, self.ca_file)
        reason = _NONE if kept is None else why_renew(kept.certificate, authority.certificate, self._names(), now)
        if kept is not None and self._stays(kept, reason, now):
            return self._described(kept, authority)
        try:
            return self._described(self._issue(authority, now, reason), authority)
        except OSError as error:
            if kept is not None and _is_valid(kept.certificate, now):
                self._tell_once("certificate_not_renewed", f"{self._directory}: {error.strerror}")
                return self._described(kept, authority)
            raise self._unwritable(error) from None

    def renew(self, now: datetime.datetime, *, new_authority: bool = False) -> ServerCertificate:
        """A new certificate for the endpoint, asked for by the operator.

        Args:
            now: the moment that its life begins at.
            new_authority: from an authority with a new key: every client needs the new file then. The present files
                stay beside it.

        Raises:
            ConfigurationError: the directory cannot be used, or the authority's files are damaged.
        """
        try:
            if new_authority:
                make_private_folder(self._directory)
                self._put_aside()
                authority = self._begin(now)
            else:
                authority = self._authority(now)
            return self._described(self._issue(authority, now, "asked for"), authority)
        except _DamagedError as damage:
            raise ConfigurationError(str(damage)) from None
        except OSError as error:
            raise self._unwritable(error) from None

    def for_client(
        self, name: str, now: datetime.datetime, life: datetime.timedelta
    ) -> tuple[x509.Certificate, bytes, bytes]:
        """A certificate that a client of this name shows: itself, and it and its key as PEM. It is kept nowhere.

        Raises:
            ConfigurationError: the directory cannot be used, or the authority's files are damaged.
        """
        try:
            certificate, key = issue_client(self._authority(now), name, now, life)
        except _DamagedError as damage:
            raise ConfigurationError(str(damage)) from None
        except OSError as error:
            raise self._unwritable(error) from None
        return certificate, certificate_pem(certificate), key_pem(key)

    def kept(self) -> ServerCertificate | None:
        """What lies there, as it is; None when there is nothing to present yet."""
        kept, authority = self._kept(), self.authority_certificate()
        if kept is None:
            return None
        end = None if authority is None else authority.not_valid_after_utc
        return describe(kept.certificate, kept.chain, kept.key, self.ca_file, ca_not_after=end)

    def authority_certificate(self) -> x509.Certificate | None:
        """What clients trust; None when it is not there or cannot be read."""
        return _certificate(self.ca_file)

    def earlier_authorities(self) -> list[tuple[Path, x509.Certificate]]:
        """Files that clients may still hold, with their certificates."""
        files = sorted(self._directory.glob(f"{self.ca_file.stem}.until-*.pem"))
        return [(file, found) for file in files if (found := _certificate(file)) is not None]

    # ---------------------------------------------------------------------------------------------------- the authority

    def _authority(self, now: datetime.datetime) -> Authority:
        certificate, key = _certificate(self.ca_file), self._authority_key()
        key_file = self._directory / AUTHORITY_KEY_NAME
        if key is None:
            if key_file.exists():
                raise _DamagedError(f"{key_file} cannot be read, or is no key: {_REMEDY}")
            if self.ca_file.exists():
                raise _DamagedError(f"{key_file} is gone, so {self.ca_file} can sign nothing: {_REMEDY}")
            return self._begin_or_adopt(now)
        if certificate is None:
            if self.ca_file.exists():
                raise _DamagedError(f"{self.ca_file} cannot be read, or is no certificate: {_REMEDY}")
            return self._certify(key, now, self._issuer_name(key), "its file is gone")
        if public_bytes(certificate.public_key()) != public_bytes(key.public_key()) or not may_sign(certificate):
            raise _DamagedError(f"{self.ca_file} and {key_file} do not belong together, or may not sign: {_REMEDY}")
        reason = why_renew_authority(certificate, now)
        if not reason or not self._renews:
            return Authority(certificate, key)
        try:
            write_private(self._aside(certificate), certificate_pem(certificate), mode=0o644)
            return self._certify(key, now, certificate.subject, reason)
        except OSError as error:
            self._tell_once("certificate_not_renewed", f"{self._directory}: {error.strerror}")
            return Authority(certificate, key)

    def _authority_key(self) -> SigningKey | None:
        path = self._directory / AUTHORITY_KEY_NAME
        key = _key(path)
        if key is not None:
            _close(path)
        return key

    def _begin_or_adopt(self, now: datetime.datetime) -> Authority:
        try:
            make_private_folder(self._directory)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            adopted = self._adopt()
            return adopted if adopted is not None else self._begin(now)
        except FileExistsError:
            # Another process was first: its authority counts.
            return self._authority(now)
        except OSError as error:
            raise self._unwritable(error) from None

    def _adopt(self) -> Authority | None:
        """The self-signed pair of an earlier version, as authority."""
        file, key_file = self._directory / EARLIER_NAME, self._directory / EARLIER_KEY_NAME
        certificate, key = _certificate(file), _key(key_file)
        if certificate is None or key is None:
            return None
        if public_bytes(certificate.public_key()) != public_bytes(key.public_key()) or not may_sign(certificate):
            logger.warning("certificate_not_adopted", file=str(file), remedy=f"clients need {self.ca_file} from now on")
            return None
        _close(key_file)
        write_private(self._directory / AUTHORITY_KEY_NAME, key_pem(key), exclusive=True)
        write_private(self.ca_file, certificate_pem(certificate), exclusive=True, mode=0o644)
        logger.warning(
            "certificate_migrated",
            file=str(file),
            authority=str(self.ca_file),
            note=f"clients that trust {EARLIER_NAME} go on as they are; new ones get {AUTHORITY_NAME}",
        )
        return Authority(certificate, key)

    def _begin(self, now: datetime.datetime) -> Authority:
        key = new_key()
        # The key first: a certificate without its key could sign nothing, and would be in the way.
        write_private(self._directory / AUTHORITY_KEY_NAME, key_pem(key), exclusive=True)
        return self._certify(key, now, None, _NONE)

    def _certify(self, key: SigningKey, now: datetime.datetime, name: x509.Name | None, reason: str) -> Authority:
        certificate = make_authority(key, now, self._years, name)
        write_private(self.ca_file, certificate_pem(certificate), mode=0o644)
        logger.log(
            logging.INFO if reason == _NONE else logging.WARNING,
            "certificate_authority_made",
            file=str(self.ca_file),
            reason=reason,
            sha256=thumbprint(certificate),
            not_after=f"{certificate.not_valid_after_utc:%Y-%m-%d}",
        )
        return Authority(certificate, key)

    def _issuer_name(self, key: SigningKey) -> x509.Name | None:
        """The name that the authority had, as what it signed tells it."""
        kept = self._kept()
        if kept is None:
            return None
        candidate = make_authority(key, kept.certificate.not_valid_before_utc, 1, kept.certificate.issuer)
        return kept.certificate.issuer if is_signed_by(kept.certificate, candidate) else None

    def _put_aside(self) -> None:
        """Makes room for another authority; nothing is lost."""
        for name in (AUTHORITY_NAME, AUTHORITY_KEY_NAME, SERVER_NAME, EARLIER_NAME, EARLIER_KEY_NAME):
            path = self._directory / name
            if path.exists():
                path.replace(path.with_name(f"{path.name}.replaced-{secrets.token_hex(4)}"))

    def _aside(self, certificate: x509.Certificate) -> Path:
        end, number = certificate.not_valid_after_utc, f"{certificate.serial_number:x}"[:8]
        return self.ca_file.with_name(f"{self.ca_file.stem}.until-{end:%Y%m%d}-{number}.pem")

    # ----------------------------------------------------------------------------------------------------- the endpoint

    def _kept(self) -> _Kept | None:
        path = self._directory / SERVER_NAME
        certificate, key = _certificate(path), _key(path)
        if certificate is None or key is None:
            return None
        if public_bytes(certificate.public_key()) != public_bytes(key.public_key()):
            return None
        _close(path)
        return _Kept(certificate, certificate_pem(certificate), key_pem(key))

    def _stays(self, kept: _Kept, reason: str, now: datetime.datetime) -> bool:
        if not reason:
            return True
        if self._renews or not reason.startswith("it ends"):
            return False
        if kept.certificate.not_valid_after_utc > now:
            return True
        end = f"{kept.certificate.not_valid_after_utc:%Y-%m-%d}"
        raise ConfigurationError(
            f"the certificate {self._directory / SERVER_NAME} expired on {end}; "
            "set tls.regenerate_if_expired, or run mxgateway cert renew"
        )

    def _issue(self, authority: Authority, now: datetime.datetime, reason: str) -> _Kept:
        certificate, key = issue(authority, self._names(), now)
        kept = _Kept(certificate, certificate_pem(certificate), key_pem(key))
        write_private(self._directory / SERVER_NAME, kept.chain + kept.key)
        logger.info(
            "certificate_issued",
            reason=reason,
            file=str(self._directory / SERVER_NAME),
            not_after=f"{certificate.not_valid_after_utc:%Y-%m-%d}",
        )
        return kept

    def _described(self, kept: _Kept, authority: Authority) -> ServerCertificate:
        self._told = ""
        end = authority.certificate.not_valid_after_utc
        return describe(kept.certificate, kept.chain, kept.key, self.ca_file, ca_not_after=end)

    def _tell_once(self, event: str, problem: str) -> None:
        if problem != self._told:
            self._told = problem
            logger.warning(event, problem=problem)

    def _unwritable(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(
            f"tls.self_signed_directory {self._directory}: {error.strerror}; choose a directory that the gateway may "
            "write, with room on its disk"
        )


class _DamagedError(Exception):
    """The authority's files cannot be used; they are left as they are."""


def _is_valid(certificate: x509.Certificate, now: datetime.datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc


def _certificate(path: Path) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None


def _key(path: Path) -> SigningKey | None:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError):
        return None
    return key if isinstance(key, SigningKey) else None


def _close(path: Path) -> None:
    """Takes a key from the eyes of others, and says that it was open to them."""
    if os.name == "posix" and path.stat().st_mode & 0o077:
        path.chmod(0o600)
        logger.warning(
            "private_key_was_open",
            path=str(path),
            remedy="others could have copied it: mxgateway cert renew --new-authority begins anew",
        )
