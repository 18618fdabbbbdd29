"""The state directory: keys, pepper, certificates, Galaxy files."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)


def prepare_state(path: Path) -> None:
    """Makes the state directory, for its owner only; one that others may enter is told of.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(
            f"state_dir {path}: {error.strerror}; choose a directory that the gateway may write"
        ) from None
    if os.name == "posix" and path.stat().st_mode & 0o077:
        logger.warning("state_directory_is_open", path=str(path), remedy="chmod 700: it holds keys and values")


def write_private(path: Path, data: bytes, *, exclusive: bool = False, mode: int = 0o600) -> None:
    """Writes a file, completely or not at all; only its owner may read it unless `mode` says otherwise.

    Raises:
        FileExistsError: `exclusive`, and it is there already.
        OSError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if exclusive:
            os.link(temporary, path)
        else:
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
