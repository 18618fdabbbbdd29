"""The state directory: keys, pepper, certificates, Galaxy files."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from mxgateway_contract.private_files import give_to_owner_of
from mxgateway_contract.windows_rights import closing_line, make_private_folder, other_writers, others
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

LOCK_NAME = "gateway.lock"
RESTORING_NAME = ".restoring"
"""A folder that is there while a backup is put back, and after that was broken off."""


def prepare_state(path: Path) -> None:
    """Makes the state directory, for its owner only; one that others may enter is told of.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        make_state_folder(path)
    except OSError as error:
        raise ConfigurationError(
            f"state_dir {path}: {why_not(error, path)}; choose a directory that the gateway may write"
        ) from None
    require_closed(path)
    require_whole(path)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        logger.warning("state_directory_is_open", path=str(path), remedy="chmod 700: it holds keys and values")
    elif sys.platform == "win32":
        readers = _on_windows(others, path)
        if readers:
            logger.warning(
                "state_directory_is_open",
                path=str(path),
                readers=readers,
                remedy=f"{closing_line(str(path))}: it holds keys and values",
            )


def make_state_folder(path: Path) -> None:
    """Makes a folder for keys and certificates, if it is not there, for its owner only.

    A new one tells git to take nothing of it: it may lie in somebody's clone.

    Raises:
        OSError: it cannot be made.
    """
    if path.exists():
        return
    make_private_folder(path)
    (path / ".gitignore").write_text("*\n", encoding="ascii")
    own_new_file(path / ".gitignore")


def require_closed(path: Path) -> None:
    """Refuses a state directory that others may write in: they could put files of theirs in the place of its own.

    Raises:
        ConfigurationError: with what to say to close it.
    """
    if os.name == "posix" and path.exists() and path.stat().st_mode & 0o022:
        raise ConfigurationError(f"state_dir {path}: others may write in it, and it holds keys; say chmod 700 {path}")
    if sys.platform == "win32" and path.exists() and (writers := _on_windows(other_writers, path)):
        raise ConfigurationError(
            f"state_dir {path}: {', '.join(writers)} may write in it, and it holds keys; say {closing_line(str(path))}"
        )


def require_whole(path: Path) -> None:
    """Refuses a state directory that a backup was put back into, but not to the end.

    Raises:
        ConfigurationError: with what to do about it.
    """
    if (path / RESTORING_NAME).exists():
        raise ConfigurationError(
            f"state_dir {path}: putting back a backup was broken off, and a part of it is no state; remove what is in "
            "the directory, and run mxgateway restore again"
        )


def require_private(setting: str, path: Path) -> None:
    """Refuses a secret file that all may read, or more than its owner may write; that its group may read is told.

    Raises:
        ConfigurationError: names the setting, and what to say to close it.
    """
    if sys.platform == "win32":
        _require_private_on_windows(setting, path)
        return
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # whoever opens it says why it cannot be
    if mode & 0o027:
        raise ConfigurationError(
            f"{setting} {path}: others than its owner may read or write it (mode {mode & 0o777:04o}); say chmod 600 "
            f"{path}, and ask who has had it meanwhile"
        )
    if mode & 0o040:
        logger.warning("secret_file_is_open_to_its_group", path=str(path), remedy="chmod 600")


def _on_windows(ask: Callable[[str], list[str]], path: Path) -> list[str]:
    """Accounts that have a right; none where Windows does not tell, which is told."""
    try:
        return ask(str(path))
    except OSError as error:
        logger.warning("access_list_cannot_be_read", path=str(path), reason=error.strerror or str(error))
        return []


def _require_private_on_windows(setting: str, path: Path) -> None:
    if path.exists() and (readers := _on_windows(others, path)):
        raise ConfigurationError(
            f"{setting} {path}: {', '.join(readers)} may read it; say {closing_line(str(path), is_folder=False)}, and "
            "ask who has had it meanwhile"
        )


def why_not(error: OSError, path: Path) -> str:
    """Why a file or folder cannot be used; with whose it is and who asks, when it is the other's."""
    text = error.strerror or type(error).__name__
    return f"{text}: {whose(path)}" if error.errno in (errno.EACCES, errno.EPERM) else text


def whose(path: Path) -> str:
    """Whose a file or its folder is, and who asks."""
    if sys.platform == "win32":
        return "let the gateway's account use it"
    import pwd

    def name(uid: int) -> str:
        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return f"user {uid}"

    there = next((place for place in (path, *path.parents) if os.access(place, os.F_OK)), path.anchor or ".")
    owner, me = name(Path(there).stat().st_uid), name(os.geteuid())
    if owner == me:
        return f"{there} belongs to {owner}, as you do: look at its permissions"
    return f"{there} belongs to {owner} and you are {me}: run this as {owner} (sudo -u {owner} …), or give it to {me}"


def own_new_file(path: Path) -> None:
    """Gives a file that was just made to whose folder it is in."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        give_to_owner_of(path.parent, descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def hold_state(path: Path, *, shared: bool, held: int = -1) -> Iterator[int]:
    """Keeps the state directory for this gateway while it runs, or for all those that share it on purpose.

    Args:
        held: what another program of this process has kept it with, and left; below 0 for none.

    Returns:
        The descriptor that keeps it.

    Raises:
        ConfigurationError: another gateway holds it.
    """
    file = path / LOCK_NAME
    try:
        descriptor = _of_before(held, file)
        if descriptor < 0:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(f"state_dir {path}: {LOCK_NAME}: {why_not(error, file)}") from None
    try:
        give_to_owner_of(path, descriptor)
        if not _lock(descriptor, shared):
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() if os.name == "posix" else ""
            raise ConfigurationError(
                f"state_dir {path} is in use by another gateway{f' (process {holder})' if holder else ''}; stop that "
                "one, give this one a state_dir of its own, or, when several are meant to share keys, audit and "
                "certificates, set allow_shared_state = true for each of them"
            )
        if not shared and os.name == "posix":
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _of_before(held: int, file: Path) -> int:
    """The descriptor when it is of this very file; one of another is closed."""
    if held < 0:
        return -1
    with contextlib.suppress(OSError):
        if os.path.samestat(os.fstat(held), os.stat(file)):
            return held
    with contextlib.suppress(OSError):
        os.close(held)
    return -1


def is_held(path: Path) -> bool:
    """Whether a gateway runs on this state directory at the moment; the directory need not be there."""
    try:
        descriptor = os.open(path / LOCK_NAME, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _lock(descriptor, shared=False)
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int, shared: bool) -> bool:
        if shared:
            return True
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int, shared: bool) -> bool:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                # A file system without locks: nothing can be said, so nothing is refused.
                logger.warning("state_directory_cannot_be_locked", error=error)
                return True
            return False
        return True
