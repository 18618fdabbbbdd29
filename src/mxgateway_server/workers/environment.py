"""Which variables of the gateway's environment a worker gets: what it needs, and nothing that could be a credential."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

# Closed: whatever is not here does not reach a worker. No variable of Python's is: one could make it load other code.
_POSIX = frozenset(("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH"))
# What LMXProxy and what it loads want to know of a node is written nowhere, so there all is handed on but this.
_PRIVATE = re.compile(
    r"MXGATEWAY_|.*(SECRET|PASSWORD|PASSWD|PASSPHRASE|PWD|TOKEN|CREDENTIAL|CONNECTION|API_?KEY|ACCESS_?KEY|PRIVATE|PEPPER)"
)


def worker_environment(
    given: Mapping[str, str],
    *,
    is_windows: bool,
    is_other_interpreter: bool = False,
    additional: Mapping[str, str] | None = None,
    withheld: Collection[str] = (),
) -> dict[str, str]:
    """The environment of a worker, its nonce left out.

    Args:
        given: the gateway's own.
        is_other_interpreter: the worker runs on another Python than the gateway, a 32-bit one perhaps: this one's paths
            would break it.
        additional: what the settings add (`worker.environment`).
        withheld: further names that no worker gets, in capitals.
    """
    chosen = {
        name: value
        for name, value in given.items()
        if _passes(name.upper(), is_windows=is_windows) and name.upper() not in withheld
    }
    if is_other_interpreter:
        chosen = {
            name: value
            for name, value in chosen.items()
            if not name.upper().startswith("PYTHON") or name.upper() == "PYTHONUTF8"
        }
    return {**chosen, **(additional or {})}


def _passes(name: str, *, is_windows: bool) -> bool:
    if is_windows:
        return not _PRIVATE.match(name)
    return name in _POSIX
