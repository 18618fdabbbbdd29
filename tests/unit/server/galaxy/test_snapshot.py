"""The snapshot file."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.galaxy_answers import expanded_attributes, expanded_hierarchy
from tests.support.galaxy_rows import edge_database

from mxgateway_server.galaxy import SqlGalaxySource
from mxgateway_server.galaxy.data import GalaxyData
from mxgateway_server.galaxy.errors import SnapshotError
from mxgateway_server.galaxy.snapshot import _PROOF_BYTES, SnapshotFile, _proof, _sealed

KEYS = [b"k" * 32]


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> GalaxyData:
    return SqlGalaxySource(edge_database(tmp_path_factory.mktemp("snapshot") / "edge.db")).read_galaxy()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "galaxy-snapshot.jsonl.gz"


def test_round_trip(edge: GalaxyData, path: Path) -> None:
    """What is kept comes back whole: objects, attributes, deploy time; nothing else is left in the folder."""
    SnapshotFile(path, KEYS).save("g", edge)
    SnapshotFile(path, KEYS).save("g", edge)
    back = SnapshotFile(path, KEYS).load("g")
    assert back is not None
    assert back.deploy_time == edge.deploy_time
    assert expanded_hierarchy(back) == expanded_hierarchy(edge)
    assert expanded_attributes(back) == expanded_attributes(edge)
    assert back.attribute_texts == edge.attribute_texts != []
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_never_deployed(edge: GalaxyData, path: Path) -> None:
    """A Galaxy without deploy time is kept as such."""
    SnapshotFile(path, KEYS).save("g", replace(edge, deploy_time=None))
    back = SnapshotFile(path, KEYS).load("g")
    assert back is not None
    assert back.deploy_time is None


def test_absent(path: Path) -> None:
    """No file is no snapshot, and no error."""
    assert SnapshotFile(path, KEYS).load("g") is None


def test_foreign(edge: GalaxyData, path: Path) -> None:
    """Another Galaxy's snapshot is refused."""
    SnapshotFile(path, KEYS).save("other", edge)
    with pytest.raises(SnapshotError, match="another Galaxy"):
        SnapshotFile(path, KEYS).load("g")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_truncated(edge: GalaxyData, path: Path, share: float) -> None:
    """A file cut anywhere is refused."""
    SnapshotFile(path, KEYS).save("g", edge)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(SnapshotError):
        SnapshotFile(path, KEYS).load("g")


def _keep(path: Path, content: bytes, key: bytes = KEYS[0]) -> None:
    body = gzip.compress(content)
    path.write_bytes(body + _sealed(_proof(key, body)))


def test_changed(edge: GalaxyData, path: Path) -> None:
    """Limits of keys are judged by it: what another hand has changed or made is refused before it is parsed."""
    SnapshotFile(path, KEYS).save("g", edge)
    whole = path.read_bytes()
    other = gzip.decompress(whole).replace(b"Tank_001", b"Tonk_001")
    for changed in (
        gzip.compress(other),
        gzip.compress(other) + whole[-_PROOF_BYTES:],
        bytes([*whole[:100], whole[100] ^ 1, *whole[101:]]),
        whole[:-_PROOF_BYTES],
        b"",
    ):
        path.write_bytes(changed)
        with pytest.raises(SnapshotError, match="it was changed, or written by another gateway"):
            SnapshotFile(path, KEYS).load("g")
    _keep(path, b"[" * 100_000, key=b"of another gateway")
    with pytest.raises(SnapshotError, match="it was changed"):
        SnapshotFile(path, KEYS).load("g")


def test_an_older_key_still_proves_it(edge: GalaxyData, path: Path) -> None:
    """The pepper that the key comes from may have got a successor."""
    SnapshotFile(path, KEYS).save("g", edge)
    assert SnapshotFile(path, [b"newer", *KEYS]).load("g") is not None


def test_it_is_its_owners_alone_and_no_planted_file_is_written_through(edge: GalaxyData, path: Path) -> None:
    path.parent.mkdir()
    victim = path.with_name("victim")
    victim.write_text("mine")
    path.symlink_to(victim)
    for name in (f".{path.name}.{os.getpid()}", f"{path.name}.new"):
        path.with_name(name).symlink_to(victim)
    before = os.umask(0)
    try:
        SnapshotFile(path, KEYS).save("g", edge)
    finally:
        os.umask(before)
    assert victim.read_text() == "mine"
    assert not path.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"{}\n", "no Galaxy snapshot"),
        (b"[1]\n", "no Galaxy snapshot"),
        (b"nonsense\n", "corrupt"),
        (b"\xff\xfe\n", "corrupt"),
        (b'{"format":"mxaccess-gateway galaxy snapshot","version":99}\n', "version"),
        (b'{"format":"mxaccess-gateway galaxy snapshot","version":2,"galaxy":"g"}\n', "version is 2, not 3"),
        (b'{"format":"mxaccess-gateway galaxy snapshot","version":3,"galaxy":"g"}\n', "corrupt"),
        (b"[" * 100_000 + b"\n", "corrupt"),
    ],
)
def test_rubbish(path: Path, content: bytes, what: str) -> None:
    """Rubbish and other formats are refused with the reason, never with another exception."""
    path.parent.mkdir()
    _keep(path, content)
    with pytest.raises(SnapshotError, match=what):
        SnapshotFile(path, KEYS).load("g")


def test_not_gzip(path: Path) -> None:
    """A file that is no gzip is refused."""
    path.parent.mkdir()
    path.write_bytes(b"hello" + _sealed(_proof(KEYS[0], b"hello")))
    with pytest.raises(SnapshotError, match="cannot be read"):
        SnapshotFile(path, KEYS).load("g")


def test_failed_save_keeps_the_old_one(edge: GalaxyData, path: Path) -> None:
    """A save that fails half-way leaves the old snapshot and no temporary file."""
    SnapshotFile(path, KEYS).save("g", edge)
    with pytest.raises(TypeError):
        SnapshotFile(path, KEYS).save("g", replace(edge, shapes=[(object(),)]))  # type: ignore[list-item]
    assert SnapshotFile(path, KEYS).load("g") is not None
    assert [one.name for one in path.parent.iterdir()] == [path.name]
