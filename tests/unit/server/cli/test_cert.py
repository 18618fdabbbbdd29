"""`mxgateway cert`: what is presented, what clients trust, and a new one when it is asked for."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.support.certificates import earlier_pair

from mxgateway_server.cli.main import main

NOW = datetime.datetime.now(datetime.UTC)


def cert(state: Path, *arguments: str, answer: str | None = None) -> Result:
    command = ["cert", *arguments, "--state-dir", str(state)]
    return CliRunner().invoke(main, command, input=answer, env={"MXGATEWAY_CONFIG": None})


def found(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    value = json.loads(result.stdout)
    assert isinstance(value, dict)
    return value


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    result = cert(tmp_path, "show")
    assert (result.exit_code, "mxgateway serve" in result.output) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_what_is_shown_is_what_lies_there(tmp_path: Path) -> None:
    made = found(cert(tmp_path, "renew", "--json"))
    shown = found(cert(tmp_path, "show", "--json"))
    assert shown == made
    assert (shown["source"], shown["daysLeft"] > 300, shown["earlierAuthorities"]) == ("automatic", True, [])
    assert shown["authority"]["daysLeft"] > 3600
    text = cert(tmp_path, "show").output
    for word in (shown["sha256"], shown["caFile"], shown["authority"]["sha256"], "localhost"):
        assert word in text
    pem = cert(tmp_path, "show", "--pem").stdout
    assert pem == (tmp_path / "certs" / "gateway-ca.pem").read_text()


def test_renewed_the_authority_stays(tmp_path: Path) -> None:
    first = found(cert(tmp_path, "renew", "--json"))
    second = found(cert(tmp_path, "renew", "--json"))
    assert second["sha256"] != first["sha256"]
    assert second["authority"] == first["authority"]


@pytest.mark.parametrize(
    ("arguments", "answer", "begins"), [((), "n\n", False), ((), "y\n", True), (("--yes",), None, True)]
)
def test_a_new_authority_is_asked_for(
    tmp_path: Path, arguments: tuple[str, ...], answer: str | None, begins: bool
) -> None:
    first = found(cert(tmp_path, "renew", "--json"))
    result = cert(tmp_path, "renew", "--new-authority", *arguments, answer=answer)
    assert (result.exit_code == 0) is begins
    second = found(cert(tmp_path, "show", "--json"))
    assert (second["authority"] != first["authority"]) is begins


def test_files_of_ones_own_are_shown_and_not_renewed(tmp_path: Path) -> None:
    earlier_pair(tmp_path, NOW, days=100)
    config = tmp_path / "gateway.toml"
    files = f"certificate_file = '{tmp_path / 'gateway.crt'}'\nkey_file = '{tmp_path / 'gateway.key'}'\n"
    config.write_text(f"[tls]\n{files}", encoding="utf-8")
    shown = found(cert(tmp_path, "show", "--json", "--config", str(config)))
    assert (shown["source"], shown["daysLeft"], "authority" in shown) == ("files", 99, False)
    result = cert(tmp_path, "renew", "--config", str(config))
    assert (result.exit_code, "tls.certificate_file" in result.output) == (1, True)


def test_a_damaged_authority_is_told_with_the_remedy(tmp_path: Path) -> None:
    found(cert(tmp_path, "renew", "--json"))
    (tmp_path / "certs" / "gateway-ca.key").unlink()
    result = cert(tmp_path, "renew")
    assert (result.exit_code, "--new-authority" in result.output) == (1, True)
    assert len(result.output.splitlines()) == 1


def test_a_client_gets_a_certificate_of_the_gateways_own_authority(tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = cert(tmp_path, "client", "line4-hmi", "--out", str(out), "--days", "30", "--json")
    shown = found(made)
    certificate = x509.load_pem_x509_certificate((out / "line4-hmi.crt").read_bytes())
    authority = x509.load_pem_x509_certificate((tmp_path / "certs" / "gateway-ca.pem").read_bytes())
    certificate.verify_directly_issued_by(authority)
    assert certificate.subject.rfc4514_string() == "CN=line4-hmi"
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert 29 <= (certificate.not_valid_after_utc - NOW).days <= 30
    assert shown["rule"] == f"sha256:{certificate.fingerprint(hashes.SHA256()).hex()}"
    assert (out / "line4-hmi.key").stat().st_mode & 0o777 == 0o600
    # The setting that would ask clients for it is off.
    assert "No client is asked for one" in made.stderr
    again = cert(tmp_path, "client", "line4-hmi", "--out", str(out))
    assert (again.exit_code, "is there already" in again.stderr) == (1, True)
    assert cert(tmp_path, "client", "../x", "--out", str(out)).exit_code == 2
