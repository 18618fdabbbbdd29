"""The state directory: one gateway at a time unless it is meant, and remedies that name whose it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mxgateway_contract.private_files import write_private
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.state import hold_state, why_not


def test_a_second_gateway_is_refused_with_what_can_be_done(tmp_path: Path) -> None:
    with hold_state(tmp_path, shared=False):
        for shared in (False, True):
            with (
                pytest.raises(ConfigurationError, match="allow_shared_state") as caught,
                hold_state(tmp_path, shared=shared),
            ):
                pass
            assert str(tmp_path) in str(caught.value)
            assert str(os.getpid()) in str(caught.value)
    with hold_state(tmp_path, shared=False):
        pass


def test_several_share_it_when_all_of_them_mean_it(tmp_path: Path) -> None:
    with (
        hold_state(tmp_path, shared=True),
        hold_state(tmp_path, shared=True),
        pytest.raises(ConfigurationError, match="allow_shared_state"),
        hold_state(tmp_path, shared=False),
    ):
        pass


def test_a_directory_that_may_not_be_used_is_told_with_whose_it_is(tmp_path: Path) -> None:
    text = why_not(PermissionError(13, "Permission denied"), tmp_path / "not" / "there")
    assert "Permission denied" in text
    assert f"{tmp_path} belongs to" in text
    assert why_not(OSError(28, "No space left on device"), tmp_path) == "No space left on device"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only the superuser has to tell others")
def test_anothers_directory_names_that_user(tmp_path: Path) -> None:
    os.chown(tmp_path, 54321, 54321)
    text = why_not(PermissionError(13, "Permission denied"), tmp_path)
    assert "user 54321" in text
    assert "you are root" in text
    write_private(tmp_path / "f", b"x")
    assert (tmp_path / "f").stat().st_uid == 54321
