"""API keys and the pepper: their form, their files, and what is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from tests.support.key_store import SECRET

from mxgateway_contract.private_files import write_private
from mxgateway_server.access.keys import parse_authorization
from mxgateway_server.access.peppers import load_pepper
from mxgateway_server.errors import ConfigurationError


@pytest.mark.parametrize("header", [f"Bearer mxgw_a-1.b_{SECRET}", f"bearer MXGW_a-1.b_{SECRET}"])
def test_a_key_is_read_from_its_header_without_regard_to_the_case_of_its_prefix(header: str) -> None:
    key = parse_authorization(header)
    assert key is not None
    assert (key.key_id, key.secret) == ("a-1.b", SECRET)
    assert SECRET not in repr(key)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Basic abc",
        f"mxgw_a_{SECRET}",
        f"Bearer other_a_{SECRET}",
        "Bearer mxgw_a",
        "Bearer mxgw__" + SECRET,
        "Bearer mxgw_a_short",
        f"Bearer mxgw_a/../b_{SECRET}",
        "Bearer mxgw_a_" + "s" * 500,
        f"Bearer mxgw_{'a' * 65}_{SECRET}",
        f"Bearer mxgw_a_{SECRET}é",
    ],
)
def test_headers_that_are_no_key_are_refused_before_the_store_is_asked(header: str) -> None:
    assert parse_authorization(header) is None


def test_the_pepper_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "pepper"
    first = load_pepper(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_pepper(path).hash("x") == first.hash("x")
    assert "Pepper(...)" in repr(first)


def test_a_damaged_pepper_is_refused_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pepper"
    path.write_text("short")
    with pytest.raises(ConfigurationError, match="pepper_file"):
        load_pepper(path)
    assert path.read_text() == "short"


def test_a_private_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_private(path, b"one")
    write_private(path, b"two")
    assert path.read_bytes() == b"two"
    with pytest.raises(FileExistsError):
        write_private(path, b"three", exclusive=True)
    assert os.listdir(tmp_path) == ["f"]
