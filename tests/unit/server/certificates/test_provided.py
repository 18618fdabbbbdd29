"""The operator's certificate: checked before it is presented, with the setting and the remedy in the text."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
import structlog
from tests.support.certificates import earlier_pair

from mxgateway_server.certificates.provided import ProvidedCertificate
from mxgateway_server.errors import ConfigurationError

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def test_the_operators_certificate_is_checked(tmp_path: Path) -> None:
    earlier_pair(tmp_path, NOW, days=365)
    certificate, key = str(tmp_path / "gateway.crt"), str(tmp_path / "gateway.key")
    assert ProvidedCertificate(certificate, key).load(NOW).names == ("localhost",)
    earlier_pair(tmp_path / "other", NOW)
    with pytest.raises(ConfigurationError, match="does not belong"):
        ProvidedCertificate(certificate, str(tmp_path / "other" / "gateway.key")).load(NOW)
    with pytest.raises(ConfigurationError, match="expired"):
        ProvidedCertificate(certificate, key).load(NOW + 366 * DAY)
    with pytest.raises(ConfigurationError, match="not valid before"):
        ProvidedCertificate(certificate, key).load(NOW - 2 * DAY)
    with pytest.raises(ConfigurationError, match=r"tls\.certificate_file"):
        ProvidedCertificate(str(tmp_path / "nothing"), key).load(NOW)
    with pytest.raises(ConfigurationError, match="PEM"):
        ProvidedCertificate(key, key).load(NOW)
    with pytest.raises(ConfigurationError, match=r"tls\.key_file"):
        ProvidedCertificate(certificate, certificate).load(NOW)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_key_that_everybody_can_read_is_told_of_once(tmp_path: Path) -> None:
    earlier_pair(tmp_path, NOW)
    certificate, key = tmp_path / "gateway.crt", tmp_path / "gateway.key"
    for mode, expected in ((0o600, []), (0o640, []), (0o644, ["private_key_is_open"])):
        key.chmod(mode)
        source = ProvidedCertificate(str(certificate), str(key))
        with structlog.testing.capture_logs() as lines:
            source.load(NOW)
            source.load(NOW)
        assert [line["event"] for line in lines] == expected
