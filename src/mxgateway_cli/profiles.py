"""Profiles: where a gateway is and which key to use, kept in a file that only its owner can read."""

from __future__ import annotations

import json
import os
import stat
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import click

from mxgateway_contract.private_files import write_private

DEFAULT_PROFILE = "default"


@dataclass(frozen=True, slots=True)
class Profile:
    """One gateway.

    Attributes:
        endpoint: host:port.
        plaintext: True for no TLS.
        ca_file: PEM file to trust, or None.
        client_certificate_file: PEM file of this client's certificate, or None.
        client_key_file: PEM file of its key, or None.
        server_name_override: or None.
        api_key_env: environment variable that holds the key, or None.
        api_key_file: file that holds the key, or None.
    """

    endpoint: str
    plaintext: bool = False
    ca_file: str | None = None
    client_certificate_file: str | None = None
    client_key_file: str | None = None
    server_name_override: str | None = None
    api_key_env: str | None = None
    api_key_file: str | None = None


def profiles_file() -> Path:
    """Where profiles are kept: the user's configuration directory."""
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home()) / "mxgw-py" / "profiles.json"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mxgw-py" / "profiles.json"


def kept_key_file(name: str) -> Path:
    """Where login keeps the key of a profile that it asked for."""
    return profiles_file().parent / f"{name}.key"


def load(name_or_path: str | None) -> Profile | None:
    """The profile of a name, or of a profile file when the text is a path ending in `.json`.

    None asks for the default profile, and gives None when there is none.

    Raises:
        click.UsageError: no such profile, or a file that is unreadable or readable by others.
    """
    path, name = profiles_file(), name_or_path or DEFAULT_PROFILE
    if name_or_path and name_or_path.endswith(".json"):
        path, name = Path(name_or_path), DEFAULT_PROFILE
    profiles = _read(path)
    if name not in profiles:
        if name_or_path is None:
            return None
        raise click.UsageError(
            f"there is no profile {name!r} in {path}; mxgw-py login --profile {name} makes it"
            + (f" (there are: {', '.join(sorted(profiles))})" if profiles else "")
        )
    entry = profiles[name]
    known = {field.name for field in fields(Profile)}
    if not isinstance(entry, dict) or not entry.keys() <= known or "endpoint" not in entry:
        raise click.UsageError(f"profile {name!r} in {path} is damaged; write it anew with mxgw-py login")
    return Profile(**entry)


def names() -> list[str]:
    """The saved profiles, for completion; nothing when the file cannot be used."""
    try:
        return sorted(_read(profiles_file()))
    except click.UsageError:
        return []


def save(name: str, profile: Profile, path: Path | None = None) -> Path:
    """Writes a profile and returns the file, which only its owner can read."""
    path = path or profiles_file()
    profiles = _read(path)
    profiles[name] = _entry(profile)
    write_private(path, json.dumps(profiles, indent=2, sort_keys=True) + "\n")
    return path


def save_temporary(name: str, profile: Profile) -> str:
    """Saves a profile of a short life under this name, or the next free one, and returns the name; see `forget`.

    One whose certificate is not there any more was left by a program that was killed, and is replaced.

    Raises:
        click.UsageError, OSError: the file of the profiles cannot be used.
    """
    taken = _read(profiles_file())
    for number in range(1, 100):
        candidate = name if number == 1 else f"{name}-{number}"
        held = taken.get(candidate)
        ca_file = held.get("ca_file") if isinstance(held, dict) else None
        if held is None or (isinstance(ca_file, str) and not Path(ca_file).exists()):
            save(candidate, profile)
            return candidate
    raise click.UsageError(f"{profiles_file()} has 99 profiles named {name}; remove those that you do not need")


def forget(name: str, profile: Profile) -> None:
    """Removes a profile, unless another stands under its name by now; the file goes with its last one."""
    path = profiles_file()
    held = _read(path)
    if held.get(name) != _entry(profile):
        return
    del held[name]
    if held:
        write_private(path, json.dumps(held, indent=2, sort_keys=True) + "\n")
        return
    path.unlink()
    with suppress(OSError):
        # Ours, and empty, or not to be removed.
        path.parent.rmdir()


def read_key_file(path: Path) -> str:
    """The key in a file.

    Raises:
        click.UsageError: the file is unreadable, empty, or readable by others.
    """
    _check_private(path)
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"the key file {path} cannot be read: {error}") from error
    if not key:
        raise click.UsageError(f"the key file {path} is empty")
    return key


def _entry(profile: Profile) -> dict[str, Any]:
    return {key: value for key, value in asdict(profile).items() if value not in (None, False)}


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    _check_private(path)
    try:
        profiles = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.UsageError(f"the profile file {path} cannot be read: {error}") from error
    if not isinstance(profiles, dict):
        raise click.UsageError(f"the profile file {path} holds no profiles")
    return profiles


def _check_private(path: Path) -> None:
    # Windows keeps a user's configuration directory private by itself.
    if sys.platform != "win32" and path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise click.UsageError(f"{path} can be read by others; chmod 600 it, and think of its key as known")
