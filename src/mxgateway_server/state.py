"""The state directory: keys, pepper, certificates, Galaxy files."""

from __future__ import annotations

import os
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
