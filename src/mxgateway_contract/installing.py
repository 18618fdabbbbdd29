"""How to install what is missing: a command that works for the way in which this package itself was installed."""

from __future__ import annotations

import json
from importlib.metadata import Distribution, PackageNotFoundError
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

_NAME = "mxaccess-gateway"


def install_command(*extras: str) -> str:
    """The command line that adds these extras of the package, in double quotes, which every shell takes."""
    try:
        text = Distribution.from_name(_NAME).read_text("direct_url.json")
        origin = json.loads(text) if text else None
    except (PackageNotFoundError, OSError, ValueError):
        origin = None
    return command_for(origin, *extras)


def command_for(origin: Any, *extras: str) -> str:
    """As `install_command`, for a package that came from `origin`: its `direct_url.json`, None when there is none."""
    wanted = f"[{','.join(extras)}]"
    url = origin.get("url") if isinstance(origin, dict) else None
    if not isinstance(url, str) or not url.startswith("file:"):
        return f'pip install "{_NAME}{wanted}"'
    folder = origin.get("dir_info")
    if isinstance(folder, dict) and folder.get("editable"):
        return f'pip install -e "{url2pathname(urlsplit(url).path)}{wanted}"'
    return f'pip install "{_NAME}{wanted} @ {url}"'
