"""Where what the gateway keeps lies. Apart from the rest of the wiring: commands that look after keys need no more."""

from __future__ import annotations

import os
from pathlib import Path

from mxgateway_server.access.peppers import PepperFile, PepperVariable
from mxgateway_server.config.settings import Settings


def in_state(settings: Settings, given: str, name: str) -> Path:
    """The file that a setting names, or the one of this name in the state directory."""
    return Path(given).expanduser() if given else settings.state_path / name


def key_store(settings: Settings) -> str:
    """SQLite file or URL of the key store."""
    return settings.authentication.database or str(settings.state_path / "keys.db")


def pepper_source(settings: Settings) -> PepperFile | PepperVariable:
    """Where the peppers that keys are hashed with come from."""
    authentication = settings.authentication
    if authentication.pepper_variable:
        return PepperVariable(authentication.pepper_variable, os.environ)
    return PepperFile(in_state(settings, authentication.pepper_file, "pepper"))
