"""The rules that bind keys to client certificates."""

from __future__ import annotations

import datetime

import pytest

from mxgateway_server.access.certificates import describe, fits, parse_rule, rule_of
from mxgateway_server.certificates.authority import Authority, certificate_pem, issue_client, make_authority, new_key

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
DIGITS = "0123456789abcdef" * 4


def certificate(name: str) -> bytes:
    key = new_key()
    made, _ = issue_client(Authority(make_authority(key, NOW, 1), key), name, NOW, datetime.timedelta(days=1))
    return certificate_pem(made)


@pytest.mark.parametrize(
    "text",
    [
        DIGITS,
        DIGITS.upper(),
        f"sha256:{DIGITS}",
        f" SHA256:{DIGITS.upper()} ",
        ":".join(DIGITS[at : at + 2] for at in range(0, 64, 2)).upper(),
    ],
)
def test_a_fingerprint_is_one_however_tools_write_it(text: str) -> None:
    assert parse_rule(text) == f"sha256:{DIGITS}"


def test_a_subject_is_one_however_it_is_written() -> None:
    assert parse_rule("subject: CN=hmi,O=Plant\\, North") == parse_rule("Subject:CN=hmi,O=Plant\\, North")


@pytest.mark.parametrize("text", ["", "sha256:", "subject:", "subject:hmi", DIGITS[1:], f"md5:{DIGITS}", "x" * 500])
def test_what_is_no_rule_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"sha256: and 64 hexadecimal digits.*subject:CN="):
        parse_rule(text)


def test_a_rule_fits_its_certificate_and_no_other() -> None:
    mine, namesake, other = certificate("hmi"), certificate("hmi"), certificate("mes")
    assert [fits(rule_of(mine), each) for each in (mine, namesake, other)] == [True, False, False]
    subject = parse_rule("subject:CN=hmi")
    assert [fits(subject, each) for each in (mine, namesake, other)] == [True, True, False]
    assert describe(mine).subject == "CN=hmi"
    with pytest.raises(ValueError, match="PEM"):
        rule_of(b"no certificate")
