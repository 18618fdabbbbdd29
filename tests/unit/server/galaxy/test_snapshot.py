"""The snapshot file."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.galaxy_answers import expanded_attributes, expanded_hierarchy
from tests.support.galaxy_rows import edge_database

from mxgateway_server.galaxy import SqlGalaxySource
from mxgateway_server.galaxy.data import GalaxyData
from mxgateway_server.galaxy.errors import SnapshotError
from mxgateway_server.galaxy.snapshot import SnapshotFile


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> GalaxyData:
    return SqlGalaxySource(edge_database(tmp_path_factory.mktemp("snapshot") / "edge.db")).read_galaxy()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "galaxy-snapshot.jsonl.gz"


def test_round_trip(edge: GalaxyData, path: Path) -> None:
    """What is kept comes back whole: objects, attributes, deploy time; nothing else is left in the folder."""
    SnapshotFile(path).save("g", edge)
    SnapshotFile(path).save("g", edge)
    back = SnapshotFile(path).load("g")
    assert back is not None
    assert back.deploy_time == edge.deploy_time
    assert expanded_hierarchy(back) == expanded_hierarchy(edge)
    assert expanded_attributes(back) == expanded_attributes(edge)
    assert back.attribute_texts == edge.attribute_texts != []
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_never_deployed(edge: GalaxyData, path: Path) -> None:
    """A Galaxy without deploy time is kept as such."""
    SnapshotFile(path).save("g", replace(edge, deploy_time=None))
    back = SnapshotFile(path).load("g")
    assert back is not None
    assert back.deploy_time is None


def test_absent(path: Path) -> None:
    """No file is no snapshot, and no error."""
    assert SnapshotFile(path).load("g") is None


def test_foreign(edge: GalaxyData, path: Path) -> None:
    """Another Galaxy's snapshot is refused."""
    SnapshotFile(path).save("other", edge)
    with pytest.raises(SnapshotError, match="another Galaxy"):
        SnapshotFile(path).load("g")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_truncated(edge: GalaxyData, path: Path, share: float) -> None:
    """A file cut anywhere is refused."""
    SnapshotFile(path).save("g", edge)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SnapshotError):
        SnapshotFile(path).load("g")


def _lines(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines(keepends=True)


def _keep(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(gzip.compress(b"".join(lines)))


def test_changed(edge: GalaxyData, path: Path) -> None:
    """A record that was changed, and a file that ends between two records, are refused."""
    SnapshotFile(path).save("g", edge)
    lines = _lines(path)
    _keep(path, [line.replace(b"Tank_001", b"Tonk_001") for line in lines])
    with pytest.raises(SnapshotError, match="checksum"):
        SnapshotFile(path).load("g")
    _keep(path, lines[:-5])
    with pytest.raises(SnapshotError, match="truncated"):
        SnapshotFile(path).load("g")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"{}\n", "no Galaxy snapshot"),
        (b"[1]\n", "no Galaxy snapshot"),
        (b"nonsense\n", "corrupt"),
        (b"\xff\xfe\n", "corrupt"),
        (b'{"format":"mxaccess-gateway galaxy snapshot","version":99}\n', "version"),
        (b'{"format":"mxaccess-gateway galaxy snapshot","version":1,"galaxy":"g"}\n', "version is 1, not 2"),
        (b'{"format":"mxaccess-gateway galaxy snapshot","version":2,"galaxy":"g"}\n', "corrupt"),
    ],
)
def test_rubbish(path: Path, content: bytes, what: str) -> None:
    """Rubbish and other formats are refused with the reason, never with another exception."""
    path.parent.mkdir()
    path.write_bytes(gzip.compress(content))
    with pytest.raises(SnapshotError, match=what):
        SnapshotFile(path).load("g")


def test_not_gzip(path: Path) -> None:
    """A file that is no gzip is refused."""
    path.parent.mkdir()
    path.write_bytes(b"hello")
    with pytest.raises(SnapshotError, match="cannot be read"):
        SnapshotFile(path).load("g")


def test_failed_save_keeps_the_old_one(edge: GalaxyData, path: Path) -> None:
    """A save that fails half-way leaves the old snapshot and no temporary file."""
    SnapshotFile(path).save("g", edge)
    with pytest.raises(TypeError):
        SnapshotFile(path).save("g", replace(edge, shapes=[(object(),)]))  # type: ignore[list-item]
    assert SnapshotFile(path).load("g") is not None
    assert [one.name for one in path.parent.iterdir()] == [path.name]
