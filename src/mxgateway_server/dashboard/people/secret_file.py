"""A secret that lies in a file: read when it is needed, so that a new one needs no restart."""

from __future__ import annotations

from pathlib import Path

from mxgateway_server.errors import ConfigurationError

_MAX_BYTES = 4096


class SecretFile:
    """One file with one secret in it. It blocks on the disk.

    Args:
        setting: name of the setting that says the path.
        path: of the file.

    Raises:
        ConfigurationError: there is none in it.
    """

    def __init__(self, setting: str, path: str) -> None:
        self._setting = setting
        self._path = Path(path).expanduser()
        self.read()

    def read(self) -> str:
        """The secret of now, without the end of its line."""
        try:
            with self._path.open("rb") as file:
                found = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise ConfigurationError(
                f"{self._setting}: {self._path} cannot be read ({error.strerror}); write the secret into it, and let "
                "the gateway's account read it"
            ) from None
        try:
            text = found.decode("utf-8-sig").strip("\r\n")
        except UnicodeDecodeError:
            text = ""
        if not text or len(found) > _MAX_BYTES or not text.isprintable():
            raise ConfigurationError(
                f"{self._setting}: {self._path} holds no secret; write it there in one line, as UTF-8"
            )
        return text
