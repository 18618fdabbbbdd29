"""Landlock: the Linux kernel's way to give up files and other processes, asked for by its bare system calls."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

WITHOUT = "this kernel has no Landlock, or it is switched off (Linux 5.13 has it, lsm=landlock switches it on)"

# The same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1
_NO_NEW_PRIVS = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FILE, _MAKE_REG = 1 << 5, 1 << 8
_TRUNCATE = 1 << 14
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | 1 << 15
# How many rights on files each version knows, from version 1 on.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP = 0b11  # to bind and to connect; from version 4 on
_SCOPES = 0b11  # abstract sockets and signals; from version 6 on

_READS = _READ_FILE | _READ_DIR
_WRITES = _READS | _WRITE_FILE | _REMOVE_FILE | _MAKE_REG | _TRUNCATE


class _RulesetAttribute(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """The version of Landlock that this kernel has; 0 for none."""
    return max(0, _call(_CREATE_RULESET, None, 0, _VERSION))


def restrict(reads: Iterable[Path], writes: Iterable[Path]) -> None:
    """Leaves this thread, and all that it starts, nothing of the file system but these; what is not there is left out.

    It can start no programs after that, and as far as the kernel knows how, neither use TCP nor signal other processes.

    Raises:
        OSError: the kernel refuses.
    """
    version = abi()
    files = (1 << _RIGHTS.get(version, _RIGHTS[5])) - 1
    network = _TCP if version >= 4 else 0
    scoped = _SCOPES if version >= 6 else 0
    attribute = _RulesetAttribute(files, network, scoped)
    size = 24 if scoped else 16 if network else 8
    ruleset = _checked(_call(_CREATE_RULESET, ctypes.byref(attribute), size, 0), "landlock_create_ruleset")
    try:
        for paths, rights in ((reads, _READS), (writes, _WRITES)):
            for path in paths:
                _allow(ruleset, path, rights & files)
        _checked(_libc().prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
        _checked(_call(_RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)  # type: ignore[attr-defined, unused-ignore]
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES):
            return
        raise
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        rule = _PathBeneath(rights, descriptor)
        _checked(_call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0), f"landlock_add_rule {path}")
    finally:
        os.close(descriptor)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    function = _libc().syscall
    function.restype = ctypes.c_long
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    return int(function(ctypes.c_long(number), *words))


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
