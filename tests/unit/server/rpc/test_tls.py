"""Certificates: made, kept, checked, and told of."""

from __future__ import annotations

import datetime
import os
import ssl
import stat
from pathlib import Path

import pytest
import structlog

from mxgateway_server.errors import ConfigurationError
from mxgateway_server.rpc.tls import host_names, load_certificate, self_signed

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
NAMES = ("localhost", "127.0.0.1", "::1", "gateway.example")


def test_a_certificate_is_made_once_private_and_with_every_name(tmp_path: Path) -> None:
    made = self_signed(tmp_path / "certs", NOW, names=NAMES)
    assert made.was_made
    assert set(made.names) == set(NAMES)
    for file in (tmp_path / "certs").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = self_signed(tmp_path / "certs", NOW, names=NAMES)
    assert (again.was_made, again.thumbprint) == (False, made.thumbprint)
    assert "PRIVATE" not in repr(again)


def test_a_client_can_trust_the_certificate_file(tmp_path: Path) -> None:
    made = self_signed(tmp_path, NOW, names=NAMES)
    context = ssl.create_default_context(cafile=str(made.ca_file))
    assert context.get_ca_certs()


@pytest.mark.parametrize("damage", ["expired", "missing_key", "garbage", "other_key", "new_name"])
def test_a_certificate_that_cannot_serve_is_made_anew(tmp_path: Path, damage: str) -> None:
    made = self_signed(tmp_path, NOW, names=NAMES, validity_years=1)
    now, names = NOW, NAMES
    if damage == "expired":
        now = NOW + datetime.timedelta(days=366)
    elif damage == "missing_key":
        (tmp_path / "gateway.key").unlink()
    elif damage == "garbage":
        (tmp_path / "gateway.crt").write_bytes(b"x")
    elif damage == "other_key":
        other = self_signed(tmp_path / "other", NOW, names=NAMES)
        (tmp_path / "gateway.key").write_bytes(other.private_key)
    else:
        names = (*NAMES, "new.example")
    again = self_signed(tmp_path, now, names=names)
    assert again.was_made
    assert again.thumbprint != made.thumbprint


def test_an_expired_certificate_is_refused_when_it_may_not_be_renewed(tmp_path: Path) -> None:
    self_signed(tmp_path, NOW, names=NAMES, validity_years=1)
    with pytest.raises(ConfigurationError, match="regenerate_if_expired"):
        self_signed(tmp_path, NOW + datetime.timedelta(days=366), names=NAMES, regenerate_if_expired=False)


def test_a_directory_that_cannot_be_written_is_told_by_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="self_signed_directory"):
        self_signed(tmp_path / "file", NOW, names=NAMES)


def test_the_operators_certificate_is_checked(tmp_path: Path) -> None:
    made = self_signed(tmp_path, NOW, names=NAMES, validity_years=1)
    certificate, key = str(tmp_path / "gateway.crt"), str(tmp_path / "gateway.key")
    assert load_certificate(certificate, key, NOW).thumbprint == made.thumbprint
    other = self_signed(tmp_path / "other", NOW, names=NAMES)
    with pytest.raises(ConfigurationError, match="does not belong"):
        load_certificate(certificate, str(other.ca_file.with_name("gateway.key")), NOW)
    with pytest.raises(ConfigurationError, match="expired"):
        load_certificate(certificate, key, NOW + datetime.timedelta(days=366))
    with pytest.raises(ConfigurationError, match="not valid before"):
        load_certificate(certificate, key, NOW - datetime.timedelta(days=2))
    with pytest.raises(ConfigurationError, match=r"tls\.certificate_file"):
        load_certificate(str(tmp_path / "nothing"), key, NOW)
    with pytest.raises(ConfigurationError, match="PEM"):
        load_certificate(key, key, NOW)
    with pytest.raises(ConfigurationError, match=r"tls\.key_file"):
        load_certificate(certificate, certificate, NOW)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_an_operators_key_that_everybody_can_read_is_told_of(tmp_path: Path) -> None:
    self_signed(tmp_path, NOW, names=NAMES)
    certificate, key = tmp_path / "gateway.crt", tmp_path / "gateway.key"
    for mode, expected in ((0o600, []), (0o640, []), (0o644, ["private_key_is_open"])):
        key.chmod(mode)
        with structlog.testing.capture_logs() as lines:
            load_certificate(str(certificate), str(key), NOW)
        assert [line["event"] for line in lines] == expected


def test_the_machines_names_come_once_each() -> None:
    names = host_names(("Gateway.Example", "localhost"))
    assert names[0] == "localhost"
    assert {"127.0.0.1", "::1", "gateway.example"} <= set(names)
    assert len(names) == len(set(names))
