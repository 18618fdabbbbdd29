"""ClientOptions, keys, redaction, correlation ids."""

from __future__ import annotations

import dataclasses
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from mxgateway import ClientOptions, GatewayClient, RetryPolicy, next_correlation_id
from mxgateway.auth import authorization_metadata
from mxgateway.channel_maker import channel_maker
from mxgateway.options import merge_options
from mxgateway_contract.redaction import REDACTED, redact
from mxgateway_server.certificates.authority import (
    Authority,
    certificate_pem,
    issue_client,
    key_pem,
    make_authority,
    new_key,
)

NOW = datetime.now(UTC)
SECRET = "mxgw_demo_A1b2C3d4secretTAIL"


@pytest.mark.parametrize("endpoint", ["localhost:5001", "10.0.0.1:1", "[::1]:65535", "gateway.example:5001"])
def test_endpoints(endpoint: str) -> None:
    """host:port is an endpoint, with brackets for IPv6."""
    assert ClientOptions(endpoint=endpoint).endpoint == endpoint


@pytest.mark.parametrize(
    "endpoint", ["", "localhost", ":5001", "localhost:", "localhost:0", "localhost:65536", "::1:5001", "https://h:1"]
)
def test_what_is_no_endpoint(endpoint: str) -> None:
    """Anything else is a ValueError that shows the right form."""
    with pytest.raises(ValueError, match="endpoint"):
        ClientOptions(endpoint=endpoint)


@pytest.mark.parametrize(
    "setting",
    [
        {"call_timeout": 0},
        {"call_timeout": -1},
        {"call_timeout": float("nan")},
        {"connect_timeout": float("inf")},
        {"stream_timeout": 0},
        {"shutdown_timeout": 0},
        {"keepalive_time": -5},
        {"max_message_bytes": 0},
        {"plaintext": True, "ca_file": "x.pem"},
        {"plaintext": True, "server_name_override": "x"},
        {"plaintext": True, "client_certificate_file": "x", "client_key_file": "x"},
        {"client_certificate_file": "x.crt"},
        {"client_key_file": "x.key"},
        {"ca_file": ""},
        {"server_name_override": ""},
        {"client_key_file": "", "client_certificate_file": "x.crt"},
    ],
)
def test_senseless_settings_are_refused(setting: dict[str, Any]) -> None:
    """A setting that makes no sense is a ValueError that names it."""
    with pytest.raises(ValueError, match=next(iter(setting))):
        ClientOptions(endpoint="localhost:1", **setting)


def test_defaults() -> None:
    """TLS, 30 s a call, 16 MiB messages, unbounded streams, no retry."""
    options = ClientOptions(endpoint="localhost:1")
    assert not options.plaintext
    assert options.call_timeout == 30
    assert options.stream_timeout is None
    assert options.max_message_bytes == 16 * 1024 * 1024
    assert options.retry is None


def test_options_are_frozen() -> None:
    """Options cannot be changed, only replaced."""
    options = ClientOptions(endpoint="localhost:1")
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.plaintext = True  # type: ignore[misc]
    assert dataclasses.replace(options, plaintext=True).plaintext


def test_key_is_in_no_text_of_the_options() -> None:
    """repr and str show no part of the key, not even its end."""
    options = ClientOptions(endpoint="localhost:1", api_key=SECRET)
    for part in (SECRET, "secret", "TAIL", "demo"):
        assert part not in repr(options) + str(options)


@pytest.mark.parametrize("key", ["", " mxgw_a_b", "mxgw_a_b\n", "mxgw_ä_b", "a\x00b"])
def test_key_that_cannot_travel_is_refused_without_being_shown(key: str) -> None:
    """A key that no header can carry is refused at once, in words that do not repeat it."""
    with pytest.raises(ValueError, match="api_key") as caught:
        ClientOptions(endpoint="localhost:1", api_key=key)
    assert "mxgw" not in str(caught.value)


@pytest.mark.parametrize("settings", [{"max_attempts": 0}, {"initial_delay": -1}, {"initial_delay": 2, "max_delay": 1}])
def test_senseless_retry_policies(settings: dict[str, Any]) -> None:
    """A retry policy that makes no sense is a ValueError."""
    with pytest.raises(ValueError):
        RetryPolicy(**settings)


def test_metadata() -> None:
    """The key travels as `authorization: Bearer <key>`; without a key nothing does."""
    assert authorization_metadata("k") == (("authorization", "Bearer k"),)
    assert authorization_metadata(None) == ()


@pytest.mark.parametrize(
    "text",
    [
        f"key {SECRET} refused",
        f"key:{SECRET}",
        f'"{SECRET}"',
        f"'{SECRET}',",
        f"({SECRET});",
        f"authorization: Bearer {SECRET}",
        f"a={SECRET}&b={SECRET}",
    ],
)
def test_key_shapes_are_redacted_next_to_anything(text: str) -> None:
    """Anything of a key's shape is removed, whatever stands next to it."""
    cleaned = redact(text)
    assert REDACTED in cleaned
    assert "secret" not in cleaned
    assert "TAIL" not in cleaned


def test_literal_secrets_are_redacted() -> None:
    """A secret without a key's shape is removed when it is named; the rest of the text stays."""
    assert redact("the pass-word, twice: pass-word", "pass-word", None) == f"the {REDACTED}, twice: {REDACTED}"
    assert redact("nothing here") == "nothing here"


def test_correlation_ids_are_unique_over_threads() -> None:
    """100,000 ids of several threads are all different and none is empty."""
    found: list[list[str]] = [[] for _ in range(4)]

    def make(into: list[str]) -> None:
        into.extend(next_correlation_id() for _ in range(25_000))

    threads = [threading.Thread(target=make, args=(each,)) for each in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [identifier for each in found for identifier in each]
    assert len(set(ids)) == 100_000
    assert all(ids)


async def test_an_endpoint_by_position_is_told_how() -> None:
    """`connect("host:port")` is a natural mistake: the text says what connect takes."""
    with pytest.raises(TypeError, match="endpoint='host:port' by keyword"):
        await GatewayClient.connect("localhost:5001")  # type: ignore[arg-type]


@pytest.fixture
def client_files(tmp_path: Path) -> tuple[Path, Path, Path, Path]:
    """A certificate, the key of another, its own with a pass phrase, and an empty file."""
    key = new_key()
    signer = Authority(make_authority(key, NOW, 1), key)
    pairs = [issue_client(signer, name, NOW, timedelta(days=1)) for name in ("a", "b")]
    certificate, of_other, secret, empty = (tmp_path / name for name in ("a.crt", "b.key", "a-locked.key", "empty"))
    certificate.write_bytes(certificate_pem(pairs[0][0]))
    of_other.write_bytes(key_pem(pairs[1][1]))
    locked = BestAvailableEncryption(b"x")
    secret.write_bytes(pairs[0][1].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    empty.touch()
    return certificate, of_other, secret, empty


def test_a_certificate_that_no_handshake_could_use_is_refused_by_name(
    tmp_path: Path, client_files: tuple[Path, Path, Path, Path]
) -> None:
    """Key and certificate that do not belong together would look like a gateway that is not there."""
    certificate, of_other, secret, empty = client_files
    for files, error, words in (
        ((certificate, of_other), ValueError, "does not belong to"),
        ((certificate, secret), ValueError, "pass phrase"),
        ((certificate, empty), ValueError, "client_key_file .* holds no PEM private key"),
        ((empty, of_other), ValueError, "client_certificate_file .* holds no PEM certificate"),
        ((certificate, tmp_path / "none"), FileNotFoundError, "client_key_file cannot be read"),
    ):
        with pytest.raises(error, match=words):
            channel_maker(
                ClientOptions(
                    endpoint="localhost:1",
                    ca_file=certificate,
                    client_certificate_file=files[0],
                    client_key_file=files[1],
                )
            )


async def test_a_missing_ca_file_is_named(tmp_path: Path) -> None:
    """The error is the system's, and names the setting."""
    with pytest.raises(FileNotFoundError, match=r"ca_file cannot be read.*nothing\.pem"):
        await GatewayClient.connect(endpoint="localhost:1", ca_file=str(tmp_path / "nothing.pem"))


@pytest.mark.parametrize(
    ("name", "words"), [("cafile", "no option cafile; did you mean ca_file?"), ("zzz", "no option zzz")]
)
def test_a_misspelt_option_is_named(name: str, words: str) -> None:
    """By the name that was given, whatever class holds the options."""
    settings: Any = {"endpoint": "localhost:1", name: "x"}
    with pytest.raises(TypeError, match=re.escape(words)):
        merge_options(None, settings)
