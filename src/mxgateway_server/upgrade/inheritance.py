"""What one program of this process leaves to the next: the state in sealed memory, and the pipes of the workers.

Both are open descriptors; a variable of the environment says which. Pipes that are handed on and not taken over are
closed here, so that a worker whose state cannot be read sees the end of its input, and ends.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import sys
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from mxgateway_server.upgrade import VARIABLE
from mxgateway_server.upgrade.early_reading import EarlyReader
from mxgateway_server.upgrade.encoding import StateError, decode
from mxgateway_server.upgrade.legacy import NONE, Legacy
from mxgateway_server.upgrade.state import GatewayState

if sys.platform == "linux":
    import fcntl

    from mxgateway_server.upgrade.signals import numbers_in

MAX_STATE_BYTES = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What was left to this program.

    Attributes:
        state: the state; None when it cannot be used.
        problem: why not; empty when it can.
        workers: process ids of all workers that the program before had, kept ones and others.
        early: reads from the kept ones until they are taken over.
        signals: numbers of signals that came meanwhile, and that nobody has heard.
        lock: descriptor that keeps the state directory; NONE for none.
    """

    state: GatewayState | None
    problem: str
    workers: tuple[int, ...]
    early: EarlyReader | None = None
    signals: tuple[int, ...] = ()
    lock: int = NONE


_here: list[Inheritance] = []


def hold_inheritance(environment: MutableMapping[str, str]) -> None:
    """`take_inheritance`, for `held_inheritance` to give: the first thing that a new program does."""
    found = take_inheritance(environment)
    if found is not None:
        _here.append(found)


def held_inheritance() -> Inheritance | None:
    """What this program has taken and nobody has asked for yet."""
    return _here.pop() if _here else None


def take_inheritance(environment: MutableMapping[str, str]) -> Inheritance | None:
    """What the program before has left; None for a process that begins.

    To be called before anything else is opened. Takes the variable away, so that no child ever sees it.
    """
    told = environment.pop(VARIABLE, "")
    if not told:
        return None
    try:
        left = Legacy.read(told)
    except ValueError:
        return Inheritance(None, f"{VARIABLE} cannot be read", ())
    signals = numbers_in(left.signals) if sys.platform == "linux" and left.signals != NONE else ()
    if left.lock != NONE and not _keep(left.lock):
        left = replace(left, lock=NONE)
    try:
        state = decode(_read(left.memory), GatewayState)
        _require_pipes(state, left.pipes)
    except (StateError, OSError) as error:
        for pipe in left.pipes:
            _close(pipe)
        return Inheritance(None, str(error), left.workers, None, signals, left.lock)
    for pipe in left.pipes:
        os.set_inheritable(pipe, False)
    outputs = [fd for each in state.sessions for fd in (each.worker.stdout, each.worker.stderr)]
    return Inheritance(state, "", left.workers, EarlyReader(outputs), signals, left.lock)


def _keep(descriptor: int) -> bool:
    """Keeps a descriptor for this program alone; False when it is not open."""
    try:
        os.set_inheritable(descriptor, False)
    except OSError:
        return False
    return True


def _require_pipes(state: GatewayState, pipes: Sequence[int]) -> None:
    named = [fd for each in state.sessions for fd in each.worker.pipes]
    if sorted(named) != sorted(pipes):
        raise StateError("the state names other pipes than those that are handed on")


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)


if sys.platform == "linux":
    _SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    _NOEXEC_SEAL = 0x0008
    """Nothing in it can ever be run (Linux 6.3): where vm.memfd_noexec is 2 there is no other memory."""

    def seal(parts: Iterable[bytes]) -> int:
        """Puts these bytes into memory that nobody can change any more, and returns its descriptor.

        Raises:
            OSError: there is not enough memory, or none of this kind.
        """
        memory = _memory()
        try:
            for part in parts:
                view = memoryview(part)
                while view:
                    view = view[os.write(memory, view) :]
            fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
        except BaseException:
            os.close(memory)
            raise
        return memory

    def _memory() -> int:
        flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
        try:
            return os.memfd_create("mxgateway-upgrade", flags | _NOEXEC_SEAL)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return os.memfd_create("mxgateway-upgrade", flags)

    def _read(memory: int) -> memoryview:
        """What is in it, as it lies there: a copy could be too much."""
        try:
            try:
                seals = fcntl.fcntl(memory, fcntl.F_GET_SEALS)
            except OSError:
                raise StateError("the state is not in memory of its own") from None
            if seals & _SEALS != _SEALS:
                raise StateError("the state is not sealed")
            size = os.fstat(memory).st_size
            if not 0 < size <= MAX_STATE_BYTES:
                raise StateError(f"the state has {size} bytes")
            return memoryview(mmap.mmap(memory, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ))
        finally:
            _close(memory)

    def replace_program(command: Sequence[str], environment: Mapping[str, str], left: Legacy) -> NoReturn:
        """Goes on as another program, which gets what is left to it, and nothing else that is open.

        Args:
            command: the program, and its arguments.

        Raises:
            OSError: it cannot be begun; everything is as before.
        """
        for descriptor in left.descriptors:
            os.set_inheritable(descriptor, True)
        try:
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            os.execve(command[0], list(command), {**environment, VARIABLE: left.text})  # noqa: S606 - this same program
        finally:
            for descriptor in left.descriptors:
                os.set_inheritable(descriptor, False)
        raise AssertionError("execve returned")

else:

    def _read(memory: int) -> memoryview:
        raise StateError("only on Linux a gateway can take over what another program has left")
