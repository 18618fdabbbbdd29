"""What a worker's start can do without: done before anything else is imported.

A session that finds no worker ready waits for one to start, and most of that is importing: on Windows each module costs
a millisecond for its files alone.
"""

from __future__ import annotations

import gc
import importlib
import sys
from _thread import allocate_lock
from types import ModuleType

_SELDOM_USED = (
    # Protobuf's implementation in Python, a tenth of all that a worker loads: imported also where it runs on the one in
    # C and needs nothing of it.
    "google.protobuf.internal.python_message",
    # What dataclasses asks for the signature of a class that has no docstring.
    "inspect",
    # What the COM backend writes currencies and decimals with.
    "decimal",
    # What protobuf reads the text of a time with; it brings locale along.
    "calendar",
)


def prepare() -> None:
    """To be called before anything of these is imported, and once only."""
    # Nothing of what is loaded now will ever be garbage.
    gc.disable()
    for name in _SELDOM_USED:
        put_off(name)


def done() -> None:
    """All is loaded: from now on garbage is looked for, among what comes."""
    gc.freeze()
    gc.enable()


def put_off(name: str) -> None:
    """Has a module loaded when something of it is asked for, not when it is imported."""
    stand_in = ModuleType(name)

    lock = allocate_lock()

    def load(attribute: str) -> object:
        with lock:
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
        return getattr(importlib.import_module(name), attribute)

    stand_in.__getattr__ = load  # type: ignore[method-assign]
    sys.modules[name] = stand_in
