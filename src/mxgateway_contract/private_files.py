"""Files that only their owner may read: keys, peppers, profiles."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from mxgateway_contract.windows_rights import make_private, make_private_folder


def write_private(path: Path, data: bytes | str, *, exclusive: bool = False, mode: int = 0o600) -> None:
    """Writes a file, completely or not at all; its folder is made when there is none.

    Args:
        data: text is written as UTF-8.
        exclusive: do not replace a file that is there.
        mode: who may read it, nobody but its owner unless said otherwise.

    Raises:
        FileExistsError: `exclusive`, and it is there already.
        OSError: it cannot be written.
    """
    make_private_folder(path.parent)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            give_to_owner_of(path.parent, file.fileno())
            if not mode & 0o077:
                make_private(fresh)
            elif os.name == "posix":
                # Meant for others, too, whatever this process keeps from them otherwise.
                os.fchmod(file.fileno(), mode)
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        if exclusive:
            os.link(fresh, path)
        else:
            fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def give_to_owner_of(folder: Path, descriptor: int) -> None:
    """Gives an open file to whose folder it is in, when the superuser made it: that other could not use it else."""
    if os.name == "posix" and os.geteuid() == 0:
        owner = folder.stat()
        if owner.st_uid:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
