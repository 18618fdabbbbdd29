"""The gateway's own authority: clients that trust its file once stay in, whatever happens to names and clocks."""

from __future__ import annotations

import datetime
import os
import stat
from pathlib import Path

import pytest
import structlog
from cryptography.x509.verification import VerificationError
from tests.support.certificates import earlier_pair, strict_context, verify_strictly

from mxgateway_server.certificates.automatic import AutomaticCertificate
from mxgateway_server.certificates.presented import HostNames, ServerCertificate
from mxgateway_server.errors import ConfigurationError

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
NAMES = ("localhost", "127.0.0.1", "::1", "gateway.example")


def automatic(directory: Path, *names: str, years: int = 10, renews: bool = True) -> AutomaticCertificate:
    return AutomaticCertificate(directory, lambda: names or NAMES, validity_years=years, renews=renews)


def accepts(made: ServerCertificate, ca_pem: bytes, at: datetime.datetime, name: str = "gateway.example") -> bool:
    """Whether a strict client that holds this authority's file accepts what is presented."""
    try:
        verify_strictly(made.certificate_chain, ca_pem, name, at)
    except VerificationError:
        return False
    return True


def test_it_is_made_once_private_and_with_every_name(tmp_path: Path) -> None:
    made = automatic(tmp_path / "certs").load(NOW)
    assert set(made.names) == set(NAMES)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "certs").iterdir()}
    assert modes == {"gateway-ca.key": 0o600, "gateway-ca.pem": 0o644, "gateway-server.pem": 0o600}
    assert automatic(tmp_path / "certs").load(NOW).thumbprint == made.thumbprint
    assert "PRIVATE" not in repr(made)
    assert b"PRIVATE" not in made.ca_file.read_bytes()


@pytest.mark.parametrize("name", ["localhost", "gateway.example"])
def test_a_strict_client_that_trusts_the_file_accepts_it(tmp_path: Path, name: str) -> None:
    made = automatic(tmp_path).load(NOW)
    assert accepts(made, made.ca_file.read_bytes(), NOW, name)
    assert not accepts(made, made.ca_file.read_bytes(), NOW, "another.example")
    assert strict_context(made.ca_file).get_ca_certs()


def test_a_client_whose_clock_is_days_behind_accepts_it(tmp_path: Path) -> None:
    made = automatic(tmp_path).load(NOW)
    assert accepts(made, made.ca_file.read_bytes(), NOW - 3 * DAY)


def test_a_new_name_gets_a_new_certificate_of_the_same_authority(tmp_path: Path) -> None:
    first = automatic(tmp_path).load(NOW)
    trusted = first.ca_file.read_bytes()
    second = automatic(tmp_path, *NAMES, "renamed.example").load(NOW)
    assert "renamed.example" in second.names
    assert accepts(second, trusted, NOW, "renamed.example")
    # A name less, as when a name server is away for a moment, changes nothing.
    assert automatic(tmp_path, "localhost").load(NOW).thumbprint == second.thumbprint


def test_it_is_renewed_before_its_end_and_year_after_year(tmp_path: Path) -> None:
    source, now = automatic(tmp_path), NOW
    trusted = source.load(now).ca_file.read_bytes()
    seen = set()
    while now < NOW + 7 * 365 * DAY:
        current = source.load(now)
        seen.add(current.thumbprint)
        assert current.not_after - now > 90 * DAY
        assert accepts(current, trusted, now)
        now += 30 * DAY
    assert len(seen) > 7


def test_the_authority_gets_a_successor_of_the_same_key_and_the_old_file_stays_good(tmp_path: Path) -> None:
    source = automatic(tmp_path)
    first = source.load(NOW)
    old = first.ca_file.read_bytes()
    later = NOW + 9 * 365 * DAY
    with structlog.testing.capture_logs() as lines:
        second = source.load(later)
    new = second.ca_file.read_bytes()
    assert new != old
    assert "certificate_authority_made" in [line["event"] for line in lines if line["log_level"] == "warning"]
    assert accepts(second, old, later)
    assert accepts(second, new, later)
    ((file, _),) = source.earlier_authorities()
    assert file.read_bytes() == old


@pytest.mark.parametrize("days", [11 * 365, -11 * 365, 400, -400])
def test_a_wrong_clock_shuts_nobody_out_once_it_is_right_again(tmp_path: Path, days: int) -> None:
    source = automatic(tmp_path)
    trusted = source.load(NOW).ca_file.read_bytes()
    source.load(NOW + days * DAY)
    again = source.load(NOW)
    assert accepts(again, trusted, NOW)
    assert accepts(again, again.ca_file.read_bytes(), NOW)


@pytest.mark.parametrize("days", [11 * 365, -11 * 365])
def test_an_authority_that_a_wrong_clock_began_is_mended(tmp_path: Path, days: int) -> None:
    source = automatic(tmp_path)
    source.load(NOW + days * DAY)
    made = source.load(NOW)
    assert accepts(made, made.ca_file.read_bytes(), NOW)


@pytest.mark.parametrize("damage", ["missing", "garbage", "truncated", "foreign"])
def test_a_damaged_certificate_is_issued_anew_by_the_same_authority(tmp_path: Path, damage: str) -> None:
    made = automatic(tmp_path / "mine").load(NOW)
    file = tmp_path / "mine" / "gateway-server.pem"
    if damage == "missing":
        file.unlink()
    elif damage == "garbage":
        file.write_bytes(b"\x00x")
    elif damage == "truncated":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        automatic(tmp_path / "other").load(NOW)
        file.write_bytes((tmp_path / "other" / "gateway-server.pem").read_bytes())
    again = automatic(tmp_path / "mine").load(NOW)
    assert again.thumbprint != made.thumbprint
    assert accepts(again, made.ca_file.read_bytes(), NOW)


@pytest.mark.parametrize(
    ("file", "content"),
    [("gateway-ca.key", None), ("gateway-ca.key", b"x"), ("gateway-ca.pem", b"x"), ("gateway-ca.key", "foreign")],
)
def test_a_damaged_authority_is_never_replaced(tmp_path: Path, file: str, content: bytes | str | None) -> None:
    directory = tmp_path / "mine"
    made = automatic(directory).load(NOW)
    path = directory / file
    if content is None:
        path.unlink()
    elif isinstance(content, str):
        automatic(tmp_path / "other").load(NOW)
        path.write_bytes((tmp_path / "other" / file).read_bytes())
    else:
        path.write_bytes(content)
    before = {each.name: each.read_bytes() for each in directory.iterdir()}
    source = automatic(directory)
    with structlog.testing.capture_logs() as lines:
        # What is still good is presented, and the log says what to do; once, not at each look.
        assert source.load(NOW).thumbprint == made.thumbprint
        source.load(NOW)
    assert [line["event"] for line in lines] == ["certificate_authority_unusable"]
    with pytest.raises(ConfigurationError, match="--new-authority"):
        automatic(directory).load(NOW + 400 * DAY)
    assert {each.name: each.read_bytes() for each in directory.iterdir()} == before


def test_an_authority_without_its_certificate_is_certified_under_its_name(tmp_path: Path) -> None:
    made = automatic(tmp_path).load(NOW)
    trusted = made.ca_file.read_bytes()
    made.ca_file.unlink()
    again = automatic(tmp_path).load(NOW)
    assert accepts(again, trusted, NOW)
    assert accepts(again, again.ca_file.read_bytes(), NOW)


# -------------------------------------------------------------------------------- a directory of an earlier version


def test_an_earlier_self_signed_pair_becomes_the_authority(tmp_path: Path) -> None:
    trusted = earlier_pair(tmp_path, NOW)
    key = (tmp_path / "gateway.key").read_bytes()
    with structlog.testing.capture_logs() as lines:
        made = automatic(tmp_path).load(NOW)
    assert "certificate_migrated" in [line["event"] for line in lines]
    assert accepts(made, trusted, NOW)
    assert made.ca_file.read_bytes() == trusted
    # Nothing of it is touched: clients are pointed to that file, and the way back stays open.
    assert ((tmp_path / "gateway.crt").read_bytes(), (tmp_path / "gateway.key").read_bytes()) == (trusted, key)
    with structlog.testing.capture_logs() as lines:
        assert automatic(tmp_path).load(NOW).thumbprint == made.thumbprint
    assert lines == []


def test_clients_of_a_migrated_gateway_stay_in_over_years_and_names(tmp_path: Path) -> None:
    trusted = earlier_pair(tmp_path, NOW)
    automatic(tmp_path).load(NOW)
    for years in range(1, 10):
        made = automatic(tmp_path, *NAMES, f"name{years}.example").load(NOW + years * 365 * DAY)
        assert accepts(made, trusted, NOW + years * 365 * DAY, f"name{years}.example")


@pytest.mark.parametrize("left", ["crt", "key", "foreign"])
def test_half_an_earlier_pair_stays_and_an_authority_begins(tmp_path: Path, left: str) -> None:
    earlier_pair(tmp_path, NOW)
    if left == "crt":
        (tmp_path / "gateway.key").unlink()
    elif left == "key":
        (tmp_path / "gateway.crt").unlink()
    else:
        earlier_pair(tmp_path / "other", NOW)
        (tmp_path / "gateway.key").write_bytes((tmp_path / "other" / "gateway.key").read_bytes())
    before = {each.name: each.read_bytes() for each in tmp_path.glob("gateway.*")}
    made = automatic(tmp_path).load(NOW)
    assert accepts(made, made.ca_file.read_bytes(), NOW)
    assert {each.name: each.read_bytes() for each in tmp_path.glob("gateway.*")} == before


# ------------------------------------------------------------------------------------------------ renewed by hand


def test_renewed_by_hand_it_is_another_certificate_that_clients_accept(tmp_path: Path) -> None:
    source = automatic(tmp_path)
    made = source.load(NOW)
    again = source.renew(NOW)
    assert again.thumbprint != made.thumbprint
    assert accepts(again, made.ca_file.read_bytes(), NOW)
    assert automatic(tmp_path).load(NOW).thumbprint == again.thumbprint


@pytest.mark.parametrize("damage", ["none", "key", "migrated"])
def test_a_new_authority_keeps_the_old_files_beside_it(tmp_path: Path, damage: str) -> None:
    if damage == "migrated":
        earlier_pair(tmp_path, NOW)
    source = automatic(tmp_path)
    made = source.load(NOW)
    trusted = made.ca_file.read_bytes()
    if damage == "key":
        (tmp_path / "gateway-ca.key").write_bytes(b"x")
    again = source.renew(NOW, new_authority=True)
    assert not accepts(again, trusted, NOW)
    assert accepts(again, again.ca_file.read_bytes(), NOW)
    assert trusted in [file.read_bytes() for file in tmp_path.glob("gateway-ca.pem.replaced-*")]
    assert automatic(tmp_path).load(NOW).thumbprint == again.thumbprint


def test_what_may_not_be_renewed_is_served_to_its_end_and_then_refused(tmp_path: Path) -> None:
    made = automatic(tmp_path).load(NOW)
    fixed = automatic(tmp_path, renews=False)
    assert fixed.load(NOW + 300 * DAY).thumbprint == made.thumbprint
    with pytest.raises(ConfigurationError, match="regenerate_if_expired"):
        fixed.load(NOW + 400 * DAY)


# ------------------------------------------------------------------------------------------------------------- the disk


def test_a_directory_that_cannot_be_written_is_told_by_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="self_signed_directory"):
        automatic(tmp_path / "file").load(NOW)


def test_what_is_still_good_is_presented_when_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = automatic(tmp_path).load(NOW)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mxgateway_server.certificates.automatic.write_private", full)
    with structlog.testing.capture_logs() as lines:
        assert automatic(tmp_path).load(NOW + 300 * DAY).thumbprint == made.thumbprint
    assert [line["event"] for line in lines] == ["certificate_not_renewed"]
    with pytest.raises(ConfigurationError, match="No space left"):
        automatic(tmp_path).load(NOW + 400 * DAY)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("file", ["gateway-ca.key", "gateway-server.pem"])
def test_a_key_that_others_could_read_is_closed_and_told_of(tmp_path: Path, file: str) -> None:
    automatic(tmp_path).load(NOW)
    (tmp_path / file).chmod(0o644)
    with structlog.testing.capture_logs() as lines:
        automatic(tmp_path).load(NOW)
    assert [(line["event"], line["log_level"]) for line in lines] == [("private_key_was_open", "warning")]
    assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o600


def test_a_name_that_stands_in_no_certificate_is_told_by_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="additional_dns_names"):
        automatic(tmp_path, "größe.example").load(NOW)


def test_the_machines_names_come_once_each() -> None:
    names = HostNames(("Gateway.Example", "localhost"))()
    assert names[0] == "localhost"
    assert {"127.0.0.1", "::1", "gateway.example"} <= set(names)
    assert len(names) == len(set(names))


def test_a_renamed_machine_is_seen_without_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    host = "old"
    asked: list[str] = []
    monkeypatch.setattr("socket.gethostname", lambda: host)
    monkeypatch.setattr("socket.getfqdn", lambda: asked.append(host) or f"{host}.plant.example")  # type: ignore[func-returns-value]
    names = HostNames()
    assert "old.plant.example" in names()
    assert names() == names()
    host = "new"
    assert {"new", "new.plant.example"} <= set(names())
    assert asked == ["old", "new"]
