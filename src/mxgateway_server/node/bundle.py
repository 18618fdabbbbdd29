"""The diagnostics bundle: what helps somebody else to understand a gateway, and no secret of it.

Each part is redacted and then searched for whatever still looks like a secret: a part with a hit is left out, and the
manifest says so. What cannot be had is left out likewise.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import IO, Any

from mxgateway_contract.redaction import REDACTED, redact, sounds_secret
from mxgateway_server import __version__
from mxgateway_server.errors import ConfigurationError

MAX_PART_BYTES = 10 * 1024 * 1024
PREFIX = "MXGATEWAY"

_SUSPECT = (
    ("an API key", re.compile(r"mxgw_[A-Za-z0-9.-]+_[A-Za-z0-9_-]{20,}")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY")),
    ("a password in a URL", re.compile(r"://[^/\s:@\"']+:(?!\[redacted\]|\*)[^/\s@\"']+@")),
    ("a bearer token", re.compile(r"(?i)\bbearer\s+(?!\[)[A-Za-z0-9._~+/-]{12,}")),
    ("a JSON Web Token", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")),
)


@dataclass(slots=True)
class Bundle:
    """Parts by name, and what was left out, with the reason."""

    parts: dict[str, bytes] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, make: Callable[[], Any]) -> None:
        """Adds a part: text as it is, everything else as JSON. One that cannot be made is left out."""
        try:
            made = make()
        except Exception as error:  # noqa: BLE001 - the bundle is for when things are broken
            self.left_out[name] = redact(f"{type(error).__name__}: {error}")
            return
        if not isinstance(made, str):
            # Values are redacted, not the text of the whole: it has to stay JSON.
            text = json.dumps(_clean(made), indent=2, default=str)
        elif name.endswith(".jsonl"):
            text = made
        else:
            text = "\n".join(redact(line) for line in made.split("\n"))
        found = suspicion(text)
        if found:
            self.left_out[name] = f"it may hold {found}"
        else:
            self.parts[name] = text.encode("utf-8", "backslashreplace")[-MAX_PART_BYTES:]

    def packed(self) -> bytes:
        """The file's contents."""
        file = io.BytesIO()
        self._pack(file)
        return file.getvalue()

    def _pack(self, file: IO[bytes]) -> None:
        manifest = {
            "version": __version__,
            "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "files": [
                {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for name, data in sorted(self.parts.items())
            ],
            "leftOut": self.left_out,
        }
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("MANIFEST.json", json.dumps(manifest, indent=2))
            for name, data in sorted(self.parts.items()):
                archive.writestr(name, data)

    def write(self, target: Path) -> None:
        """Writes the file, for its owner only.

        Raises:
            ConfigurationError: it is there already, or cannot be written.
        """
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConfigurationError(f"{target} is there already; name a new file with --output") from None
        except OSError as error:
            raise ConfigurationError(f"{target}: {error.strerror}; name another with --output") from None
        with os.fdopen(descriptor, "wb") as file:
            self._pack(file)


def suspicion(text: str) -> str:
    """What of a secret the text seems to hold; empty for nothing."""
    return next((what for what, pattern in _SUSPECT if pattern.search(text)), "")


def _clean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            str(name): REDACTED if isinstance(each, str) and each and sounds_secret(str(name)) else _clean(each)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    return redact(value) if isinstance(value, str) else value


def without_names(status: Mapping[str, Any]) -> dict[str, Any]:
    """The picture without what clients and people called their things."""
    names: dict[str, str] = {}

    def renamed(value: Any, key: str = "") -> Any:
        if isinstance(value, Mapping):
            return {name: renamed(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [renamed(each, key) for each in value]
        if isinstance(value, str) and value and key in ("name", "ownerKeyId", "keyId", "peer"):
            return names.setdefault(f"{key}{value}", f"{_KINDS[key]}-{len(names) + 1}")
        return value

    # Names of checks and commands are the gateway's own.
    return {part: value if part in ("health", "traffic") else renamed(value, part) for part, value in status.items()}


_KINDS = {"name": "client", "ownerKeyId": "key", "keyId": "key", "peer": "peer"}


def running_parts(bundle: Bundle, found: Mapping[str, Any], *, include_names: bool) -> None:
    """Adds what a running gateway says of itself."""
    status = found["status"] if include_names else without_names(found["status"])
    bundle.add("status.json", lambda: status)
    bundle.add("health.json", lambda: found["status"]["health"])
    bundle.add("metrics.txt", lambda: found["metrics"])
    bundle.add("logs.jsonl", lambda: log_lines(found["logs"]))
    bundle.add("tasks.json", lambda: found["tasks"])
    bundle.add("threads.json", lambda: found["threads"])
    bundle.add("gc.json", lambda: found["gc"])


def system() -> dict[str, Any]:
    """The machine, as far as Python tells."""
    usage = shutil.disk_usage(Path.cwd())
    return {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "python": sys.version,
        "executable": sys.executable,
        "processors": os.cpu_count(),
        "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "diskFree": usage.free,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }


def packages() -> str:
    """What is installed, with versions."""
    return "\n".join(sorted({f"{each.metadata['Name']}=={each.version}" for each in distributions()}))


def variables(environment: Mapping[str, str]) -> str:
    """The gateway's own variables; of each that it is set, and nothing of what it says."""
    return "\n".join(sorted(f"{name}=(set)" for name in environment if name.startswith(PREFIX)))


def tail(path: Path, most: int = 2_000_000) -> str:
    """The end of a text file."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - most))
        return file.read().decode("utf-8", "replace")


def log_lines(records: Iterable[Mapping[str, Any]]) -> str:
    """Records of the log, one a line."""
    return "\n".join(json.dumps(_clean(record), default=str) for record in records)
