"""The state directory as one file: consistent copies of its databases, and everything else as it is."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mxgateway_contract.windows_rights import make_private_folder
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.state import LOCK_NAME, RESTORING_NAME, is_held, require_whole

MANIFEST = "MANIFEST.json"
FORMAT = 1
_SQLITE = b"SQLite format 3\x00"
_LEFT_OUT = ("-wal", "-shm", "-journal", "-bell", ".sock", ".tmp")
_MAX_FILE = 8 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Archived:
    """What was written or read: files, and their bytes together."""

    files: int
    size: int


def back_up(state: Path, target: Path, version: str) -> Archived:
    """Writes the state directory into a new file that only its owner may read; the gateway may run meanwhile.

    Raises:
        ConfigurationError: there is nothing to save, or the target is there already or cannot be written.
    """
    if not state.is_dir():
        raise ConfigurationError(f"state_dir {state}: there is no such directory, so there is nothing to back up")
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigurationError(f"{target} is there already; name a new file") from None
    except OSError as error:
        raise ConfigurationError(f"{target}: {error.strerror}; choose a file that can be written") from None
    try:
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
            return _write(archive, state, version)
    except BaseException:
        # Half a backup must not be taken for one.
        target.unlink(missing_ok=True)
        raise


def _write(archive: tarfile.TarFile, state: Path, version: str) -> Archived:
    told: list[dict[str, object]] = []
    for path in _files(state):
        name = path.relative_to(state).as_posix()
        data = _database(path) if _is_database(path) else path.read_bytes()
        told.append({"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        _add(archive, name, data, path.stat().st_mode & 0o777)
    manifest = {"format": FORMAT, "version": version, "at": int(time.time()), "files": told}
    _add(archive, MANIFEST, json.dumps(manifest, indent=2).encode(), 0o600)
    return Archived(len(told), sum(int(str(each["size"])) for each in told))


def _files(state: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(state):
        # What runs now is no state.
        folders[:] = sorted(each for each in folders if not (Path(folder) == state and each == "run"))
        for name in sorted(names):
            path = Path(folder) / name
            if name != LOCK_NAME and not name.endswith(_LEFT_OUT) and path.is_file() and not path.is_symlink():
                yield path


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _database(path: Path) -> bytes:
    """A copy as of one moment, whoever writes it meanwhile."""
    source = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30.0)
    copy = sqlite3.connect(":memory:")
    with contextlib.closing(source), contextlib.closing(copy):
        source.backup(copy)
        return copy.serialize()


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(data), mode, int(time.time())
    archive.addfile(entry, io.BytesIO(data))


def restore(source: Path, state: Path) -> Archived:
    """Makes a state directory from a backup: as a whole, or one that no gateway takes.

    Raises:
        ConfigurationError: the directory is in use or not empty, or the file is no whole backup; then nothing is made.
    """
    require_whole(state)
    if is_held(state):
        raise ConfigurationError(f"state_dir {state} is in use by a running gateway; stop it first")
    if state.exists() and any(each.name not in (LOCK_NAME, ".gitignore") for each in state.iterdir()):
        raise ConfigurationError(f"state_dir {state} is not empty; move it aside, or restore into a new directory")
    found = _read(source)
    if not state.exists():
        make_private_folder(state)
    # Inside, since the directory may be a volume. While this folder is there no gateway starts.
    staged = state / RESTORING_NAME
    staged.mkdir(mode=0o700)
    for name, (data, mode) in found.items():
        path = staged / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # Never more open than it was, and never for all.
        path.chmod(mode & 0o750)
    for each in sorted(staged.iterdir()):
        each.replace(state / each.name)
    staged.rmdir()
    return Archived(len(found), sum(len(data) for data, _ in found.values()))


def _read(source: Path) -> dict[str, tuple[bytes, int]]:
    try:
        with tarfile.open(source, "r:gz") as archive:
            entries = {entry.name: entry for entry in archive}
            manifest = json.loads(_bytes(archive, entries.pop(MANIFEST)))
            if manifest["format"] != FORMAT:
                raise ConfigurationError(f"{source} is of format {manifest['format']}; a newer version wrote it")
            found = {}
            for told in manifest["files"]:
                name = str(told["name"])
                data = _bytes(archive, entries.pop(name))
                if not _is_inside(name) or hashlib.sha256(data).hexdigest() != told["sha256"]:
                    raise ConfigurationError(f"{source}: {name} is not as it was written; take another backup")
                found[name] = (data, archive.getmember(name).mode)
    except (OSError, tarfile.TarError, KeyError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "it is no whole backup of a state directory"
        raise ConfigurationError(f"{source}: {reason}; name a file that `mxgateway backup` wrote") from None
    return found


def _bytes(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(entry) if entry.isfile() and entry.size <= _MAX_FILE else None
    if file is None:
        raise ValueError(entry.name)
    return file.read()


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in name
