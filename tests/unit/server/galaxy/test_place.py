"""Which Galaxy a name means."""

from __future__ import annotations

from pathlib import Path

import pytest

from mxgateway_server.galaxy.place import find_galaxy
from mxgateway_simulator.places import SHIPPED


@pytest.mark.parametrize("name", [*SHIPPED, ""])
def test_a_file_of_that_name_in_the_working_directory_does_not_stand_in_for_a_shipped_galaxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / (name or "plant")).write_text("planted")
    place = find_galaxy(name, tmp_path / "state", builds=False)
    assert place.file == tmp_path / "state" / "galaxy" / f"{name or 'plant'}.db"
    by_path = find_galaxy(f"./{name or 'plant'}", tmp_path / "state", builds=False)
    assert by_path.file == tmp_path / (name or "plant")
