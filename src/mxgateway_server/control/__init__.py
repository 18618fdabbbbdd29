"""The gateway's own door for whoever runs it: a socket in the state directory, for its owner alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mxgateway_server.parts import Part


def control_doors(state: Path, actions: Mapping[str, Any]) -> list[Part]:
    """The door where the system has one: Windows knows no sockets of this kind."""
    if sys.platform == "win32":
        return []
    from mxgateway_server.control.server import ControlServer

    return [ControlServer(state, actions)]
