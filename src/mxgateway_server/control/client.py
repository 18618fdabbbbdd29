"""Asks the gateway that runs on a state directory."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

from mxgateway_server.control.place import pid_of, short_name, sockets
from mxgateway_server.errors import ConfigurationError

ANSWER_SECONDS = 600.0


class NoGatewayError(ConfigurationError):
    """No gateway runs on the state directory, or it does not answer."""


def ask(state: Path, what: str, *, pid: int = 0, patience: float = ANSWER_SECONDS, **more: Any) -> Any:
    """The gateway's answer.

    Args:
        state: its state directory.
        what: what is asked.
        pid: which gateway, where several share the directory; 0 for the only one.
        patience: seconds that the answer may take.
        more: what goes with it.

    Raises:
        NoGatewayError: none runs there, or several do and none was named.
        ConfigurationError: it refused; the text says why.
    """
    if sys.platform == "win32":
        raise ConfigurationError("on Windows a running gateway is asked over HTTP: see the settings operations.*")
    found = [path for path in sockets(state) if pid in (0, pid_of(path))]
    open_ones = [(path, connection) for path in found if (connection := _connected(path, patience)) is not None]
    try:
        if not open_ones:
            raise NoGatewayError(f"no gateway runs on state_dir {state}; start one, or name its --state-dir")
        if len(open_ones) > 1:
            pids = ", ".join(str(pid_of(path)) for path, _ in open_ones)
            raise NoGatewayError(f"several gateways share state_dir {state}: name one with --pid, of {pids}")
        return _asked(open_ones[0][1], {"do": what, **more})
    finally:
        for _, connection in open_ones:
            connection.close()


def _connected(path: Path, seconds: float) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        with short_name(path) as name:
            connection.connect(name)
    except PermissionError:
        connection.close()
        raise ConfigurationError(
            f"{path} is for the gateway's own account and for root: run this as one of them"
        ) from None
    except OSError:
        # Left over by a gateway that was killed.
        connection.close()
        return None
    return connection


def _asked(connection: socket.socket, request: dict[str, Any]) -> Any:
    try:
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as reader:
            line = reader.readline()
    except OSError as error:
        raise NoGatewayError(f"the gateway did not answer: {error.strerror or error}") from None
    if not line:
        raise NoGatewayError("the gateway ended before it answered")
    answer = json.loads(line)
    if not answer.get("ok"):
        raise ConfigurationError(str(answer.get("error")))
    return answer.get("result")
