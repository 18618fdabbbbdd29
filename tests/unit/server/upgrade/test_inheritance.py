"""What a program leaves to the next: taken over once, and closed as a whole when it cannot be used."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from mxgateway_server.upgrade.encoding import encode
from mxgateway_server.upgrade.inheritance import VARIABLE, take_inheritance
from mxgateway_server.upgrade.legacy import NONE, Legacy
from mxgateway_server.upgrade.state import GatewayState

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sealed memory is Linux's")

STATE = GatewayState(version="1", begun_ns=2, upgrades=1, actor="")


def sealed(state: GatewayState = STATE) -> int:
    from mxgateway_server.upgrade.inheritance import seal

    return seal(encode(state))


def told(memory: int, pipes: list[int], workers: list[int], **more: int) -> dict[str, str]:
    left = Legacy(memory=memory, pipes=tuple(pipes), workers=tuple(workers), **more)
    return {VARIABLE: left.text, "PATH": "/bin"}


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        if is_open(end):
            os.close(end)


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_a_process_that_begins_has_none() -> None:
    assert take_inheritance({"PATH": "/bin"}) is None


def test_the_state_is_taken_over_once_and_no_child_hears_of_it() -> None:
    memory = sealed()
    environment = told(memory, [], [11, 12])
    found = take_inheritance(environment)
    assert found is not None
    assert found.early is not None
    assert found.early.stop() == {}
    assert (found.state, found.problem, found.workers) == (STATE, "", (11, 12))
    assert environment == {"PATH": "/bin"}
    assert not is_open(memory)


def test_nobody_can_change_it_on_its_way() -> None:
    memory = sealed()
    with pytest.raises(PermissionError):
        os.write(memory, b"x")
    with pytest.raises(PermissionError):
        os.ftruncate(memory, 1)
    os.close(memory)


def test_what_is_not_sealed_is_refused(pipe: tuple[int, int]) -> None:
    memory = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(memory, b"".join(encode(STATE)))
    found = take_inheritance(told(memory, [*pipe], [11]))
    assert found is not None
    assert (found.state, found.problem, found.workers) == (None, "the state is not sealed", (11,))
    assert not any(map(is_open, (memory, *pipe))), "a worker whose state is lost must see the end of its input"


@pytest.mark.parametrize("kind", ["cut", "other pipes", "no memory", "closed"])
def test_every_pipe_is_closed_when_the_state_cannot_be_used(kind: str, pipe: tuple[int, int]) -> None:
    from mxgateway_server.upgrade.inheritance import seal

    pipes = list(pipe)
    if kind == "cut":
        memory = seal([b"".join(encode(STATE))[:-1]])
    elif kind == "no memory":
        memory = os.open(os.devnull, os.O_RDONLY)
    else:
        memory = sealed()
    if kind == "closed":
        os.close(memory)
    found = take_inheritance(told(memory, pipes, [11]))
    assert found is not None
    assert found.state is None
    assert found.problem
    assert not any(map(is_open, (memory, *pipe)))


def test_signals_that_nobody_has_heard_are_handed_on_each_once(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(reader, False)
    os.write(writer, bytes([signal.SIGTERM, signal.SIGHUP, signal.SIGTERM]))
    found = take_inheritance(told(sealed(), [], [], signals=reader))
    assert found is not None
    assert found.early is not None
    found.early.stop()
    assert found.signals == (signal.SIGTERM, signal.SIGHUP)
    assert not is_open(reader)


def test_what_keeps_the_state_directory_is_kept_also_when_the_state_is_lost(pipe: tuple[int, int]) -> None:
    lock, _ = pipe
    os.set_inheritable(lock, True)
    found = take_inheritance(told(os.open(os.devnull, os.O_RDONLY), [], [], lock=lock))
    assert found is not None
    assert (found.state, found.lock) == (None, lock)
    assert not os.get_inheritable(lock), "no worker may keep it"
    found = take_inheritance(told(os.open(os.devnull, os.O_RDONLY), [], [], lock=10**6))
    assert found is not None
    assert found.lock == NONE


def test_memory_is_had_where_nothing_of_it_may_be_run_and_where_that_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = os.memfd_create
    asked: list[int] = []

    def refuses(name: str, flags: int) -> int:
        asked.append(flags)
        if flags & 8:
            raise OSError(errno.EINVAL, "Invalid argument")
        return made(name, flags)

    monkeypatch.setattr(os, "memfd_create", refuses)
    os.close(sealed())
    assert len(asked) == 2


@pytest.mark.parametrize("text", ["7", "{}", "nonsense", '{"state": 1, "pipes": [], "workers": "x"}'])
def test_a_variable_that_cannot_be_read_is_told_of(text: str) -> None:
    found = take_inheritance({VARIABLE: text})
    assert found is not None
    assert found.problem == f"{VARIABLE} cannot be read"
