"""What is secret is refused when others may read or write it: told at the start, with what to say to close it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import structlog

from mxgateway_server.access.database import Database
from mxgateway_server.access.peppers import PepperFile
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.state import hold_state, is_held, prepare_state, require_private

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")

REFUSED = [mode for mode in range(0o600, 0o700) if mode & 0o027]


@pytest.mark.parametrize("mode", REFUSED, ids=oct)
def test_a_secret_that_others_may_read_or_write_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "pepper"
    file.touch()
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"authentication.pepper_file {file}.*chmod 600 {file}"):
        require_private("authentication.pepper_file", file)


@pytest.mark.parametrize(("mode", "told"), [(0o400, 0), (0o600, 0), (0o440, 1), (0o640, 1)])
def test_what_only_its_owner_may_read_passes_and_a_group_is_told_of(tmp_path: Path, mode: int, told: int) -> None:
    file = tmp_path / "pepper"
    file.touch()
    file.chmod(mode)
    with structlog.testing.capture_logs() as lines:
        require_private("authentication.pepper_file", file)
    assert [line["event"] for line in lines] == ["secret_file_is_open_to_its_group"] * told


def test_what_is_not_there_is_no_concern(tmp_path: Path) -> None:
    require_private("authentication.pepper_file", tmp_path / "none")


def test_pepper_and_key_store_are_looked_at_through_a_link_too(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"x")
    elsewhere.chmod(0o644)
    link = tmp_path / "link"
    link.symlink_to(elsewhere)
    for path in (elsewhere, link):
        with pytest.raises(ConfigurationError, match=r"authentication\.pepper_file .*others than its owner may read"):
            PepperFile(path).load()
        with pytest.raises(ConfigurationError, match=r"authentication\.database .*others than its owner may read"):
            Database.connect(str(path))


def test_a_link_that_leads_to_nothing_does_not_choose_where_the_keys_go(tmp_path: Path) -> None:
    (tmp_path / "keys.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(ConfigurationError, match=r"authentication\.database .*a link to a file that is not there"):
        Database.connect(str(tmp_path / "keys.db"))
    (tmp_path / "pepper").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match=r"authentication\.pepper_file .*vanished|link"):
        PepperFile(tmp_path / "pepper").make()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("elsewhere")]


@pytest.mark.parametrize("mode", [0o770, 0o777, 0o720, 0o702])
def test_a_state_directory_that_others_may_write_in_is_refused(tmp_path: Path, mode: int) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"state_dir {state}: others may write in it.*chmod 700"):
        prepare_state(state)


def test_a_state_directory_without_a_lock_is_held_by_nobody(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    assert not is_held(tmp_path / "none")


def test_what_another_program_kept_it_with_keeps_it_on_without_a_gap(tmp_path: Path) -> None:
    with hold_state(tmp_path, shared=False) as descriptor:
        left = os.dup(descriptor)
    assert is_held(tmp_path), "a program that becomes another one does not let go"
    with hold_state(tmp_path, shared=False, held=left) as descriptor:
        assert descriptor == left
        assert is_held(tmp_path)
    assert not is_held(tmp_path)


@pytest.mark.parametrize("kind", ["of another directory", "closed"])
def test_what_keeps_something_else_is_let_go_of(tmp_path: Path, kind: str) -> None:
    (other := tmp_path / "other").mkdir()
    (here := tmp_path / "here").mkdir()
    with hold_state(other, shared=False) as descriptor:
        left = os.dup(descriptor)
    if kind == "closed":
        os.close(left)
    with hold_state(here, shared=False, held=left):
        assert is_held(here)
        assert not is_held(other)
