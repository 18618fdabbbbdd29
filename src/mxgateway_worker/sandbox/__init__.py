"""What a worker lays down before its backend starts: every file but those it needs, the network, starting programs.

On Linux, by the kernel's own means: Landlock for files, signals and other processes, a filter of system calls for the
network. What a kernel does not have is not laid down, and told. Elsewhere there is nothing of the kind here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

# What the interpreter and the C library look up while they run; no folder of settings is among it.
_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/opt/python",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/timezone",
    "/dev/null",
    "/dev/urandom",
)
_OWN_FOLDER, _BESIDE = "board", "galaxy"
_OWN_FILES = ("galaxy", "file")


@dataclass(frozen=True, slots=True)
class Laid:
    """What is in force, or could be: '' for each that is, else why it is not.

    Attributes:
        files: nothing is read or written but what the worker needs.
        programs: it starts no program.
        network: it opens no socket.
        processes: it neither looks into nor signals processes that are not its own.
    """

    files: str = ""
    programs: str = ""
    network: str = ""
    processes: str = ""

    @property
    def missing(self) -> dict[str, str]:
        """What is not in force → why."""
        return {part.name: why for part in fields(self) if (why := getattr(self, part.name))}


@dataclass(frozen=True, slots=True)
class Grants:
    """What a worker keeps.

    Attributes:
        reads: files and folders that it reads, with all below.
        writes: folders that it also writes.
    """

    reads: tuple[Path, ...]
    writes: tuple[Path, ...]

    def showing(self, secrets: Iterable[Path]) -> list[tuple[Path, Path]]:
        """Each secret file or folder that lies in what is granted, with the grant that shows it."""
        found = []
        for secret in map(_real, secrets):
            for grant in map(_real, (*self.writes, *self.reads)):
                if grant == secret or grant in secret.parents:
                    found.append((secret, grant))
                    break
        return found


def grants(options: Mapping[str, str]) -> Grants:
    """What a worker with these backend options needs of this machine.

    The folder of the board is written: its database keeps files beside it, and comes and goes by them. Without an own
    place the board stands beside the Galaxy.
    """
    board = options.get(_OWN_FOLDER) or options.get(_BESIDE)
    writes = (Path(board).expanduser().absolute().parent,) if board else ()
    own = [Path(options[name]).expanduser().absolute() for name in _OWN_FILES if name in options]
    # A Galaxy that is built anew is another file of the same name.
    reads = [path.parent if path.suffix == ".db" else path for path in own]
    return Grants(tuple(dict.fromkeys((*reads, *_interpreter(), *map(Path, _SYSTEM)))), writes)


def probe() -> Laid:
    """What this kernel could lay down; changes nothing."""
    if sys.platform != "linux":
        return _nothing("not on this system")
    from mxgateway_worker.sandbox import landlock, seccomp

    abi = landlock.abi()
    without = "" if abi else landlock.WITHOUT
    network = seccomp.problem()
    return Laid(files=without, programs=without, network=network, processes=without if abi else seccomp.problem())


def lay_down(granted: Grants) -> Laid:
    """Lays down all that this kernel can, for good and for this process; to be called before there are other threads.

    Raises:
        OSError: the kernel has it and refuses.
    """
    if sys.platform != "linux":
        return _nothing("not on this system")
    from mxgateway_worker.sandbox import landlock, seccomp

    found = probe()
    if not found.files:
        landlock.restrict(granted.reads, granted.writes)
    if not found.network:
        seccomp.restrict()
    return found


def _nothing(why: str) -> Laid:
    return Laid(files=why, programs=why, network=why, processes=why)


def _interpreter() -> list[Path]:
    """Where this Python finds its modules: packages are loaded when they are needed."""
    places = [*sys.path, sys.prefix, sys.base_prefix, sys.exec_prefix]
    import mxgateway_worker

    places += [str(Path(place).parent) for place in mxgateway_worker.__path__]
    return [Path(place) for place in places if place and os.path.isabs(place)]


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
