"""`mxgateway init`: from nothing to a gateway that could start, and never over what is there."""

from __future__ import annotations

import re
import stat
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mxgateway_server.cli.main import main
from mxgateway_server.config.commented import commented_toml
from mxgateway_server.config.settings import Settings, setting_names
from mxgateway_server.config.sources import load


def init(folder: Path, *arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(main, ["init", str(folder), "--state-dir", str(folder / "state"), *arguments], typed)


def _values(tree: dict[str, Any]) -> Iterator[Any]:
    for value in tree.values():
        if isinstance(value, dict) and all(isinstance(each, dict) for each in value.values()):
            yield from _values(value)
        else:
            yield value


def test_the_file_has_every_setting_and_says_what_the_defaults_say() -> None:
    text = commented_toml({})
    assert not list(_values(tomllib.loads(text)))
    everything = re.sub(r"^#(?=[a-z_]+ = )", "", text, flags=re.MULTILINE)
    found = tomllib.loads(everything)
    assert Settings.model_validate(found) == Settings()
    for name in setting_names():
        assert f"{name.rpartition('.')[2]} = " in text


def test_chosen_values_are_read_as_they_were_chosen(tmp_path: Path) -> None:
    odd = 'C:\\a "b"\x7f\n'
    (tmp_path / "g.toml").write_text(commented_toml({"listen": "[::1]:7", "worker.working_directory": odd}), "utf-8")
    settings = load(tmp_path / "g.toml")
    assert (settings.listen, settings.worker.working_directory) == ("[::1]:7", odd)


def test_it_makes_settings_state_and_a_key_that_is_shown_once(tmp_path: Path) -> None:
    done = init(tmp_path, "--yes", "--listen", "localhost:6001", "--backend", "simulator")
    assert done.exit_code == 0, done.output
    settings = load(tmp_path / "gateway.toml")
    assert (settings.listen, settings.state_path) == ("localhost:6001", tmp_path / "state")
    assert len(re.findall(r"mxgw_admin_\S+", done.stdout)) == 1
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / "gateway.toml").stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    again = init(tmp_path, "--yes")
    assert (again.exit_code, "there already" in again.stderr) == (1, True)


def test_a_key_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    assert init(tmp_path, "--yes").exit_code == 0
    (tmp_path / "gateway.toml").unlink()
    done = init(tmp_path, "--yes")
    assert done.exit_code == 0, done.output
    assert "mxgw_admin_" not in done.stdout
    assert "already" in done.stdout


def test_it_asks_for_what_is_not_given(tmp_path: Path) -> None:
    done = init(tmp_path, typed="localhost:6002\nsimulator\n\nline4\nreader\n")
    assert done.exit_code == 0, done.output
    assert load(tmp_path / "gateway.toml").listen == "localhost:6002"
    assert "mxgw_line4_" in done.stdout
    assert "SIMULATED" in done.stdout


@pytest.mark.parametrize("wrong", ["nowhere", "host:99999"])
def test_a_wrong_answer_makes_nothing(tmp_path: Path, wrong: str) -> None:
    done = init(tmp_path / "new", "--yes", "--listen", wrong)
    assert done.exit_code == 1
    assert "listen" in done.stderr
    assert not (tmp_path / "new").exists()
