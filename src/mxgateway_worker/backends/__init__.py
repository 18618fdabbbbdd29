"""The backends that a worker can be started with, each loaded only when it is the chosen one."""

from __future__ import annotations

import importlib
from typing import cast

from mxgateway_protocol.backend import BackendFactory

BACKENDS = {
    "simulator": "mxgateway_simulator.backend:create_backend",
    "com": "mxgateway_worker.backends.com:create_backend",
    "replay": "mxgateway_worker.backends.replay:create_backend",
}
"""Name → `module:factory`."""

SIMULATED = frozenset({"simulator", "replay"})
"""Backends whose values are no plant's."""


def load_factory(name: str) -> BackendFactory:
    """The factory of a registered backend, or of a `module:factory` path.

    Raises:
        ImportError, AttributeError: there is none.
    """
    module, _, attribute = BACKENDS.get(name, name).partition(":")
    return cast(BackendFactory, getattr(importlib.import_module(module), attribute))
