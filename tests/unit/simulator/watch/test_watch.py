"""Noticing at once what another process has changed, by each way that this system has."""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mxgateway_protocol.backend import Bell
from mxgateway_protocol.wakeup import Wakeup
from mxgateway_simulator import watch as watches
from mxgateway_simulator.plant.board import Board
from mxgateway_simulator.plant.entries import Switched
from mxgateway_simulator.watch import PeriodicWatch, Watch, open_watch
from mxgateway_simulator.watch.counter import SharedCounter
from mxgateway_worker.inbox import Doorbell, open_inbox

DEADLINE = 20.0

linux = pytest.mark.skipif(sys.platform != "linux", reason="inotify and futexes are Linux's")


class Place:
    """A board and a Galaxy file, and an executor's doorbell."""

    def __init__(self, folder: Path, doorbell: Doorbell) -> None:
        self.path = folder / "g.board.db"
        self.galaxy = folder / "g.db"
        self.galaxy.write_bytes(b"galaxy")
        self.own = Board(self.path, "g")
        self.other = Board(self.path, "g")
        self.doorbell = doorbell

    def open(self, bell: Bell | None = None) -> Watch:
        return open_watch(self.path, self.galaxy, bell or self.doorbell)

    def write(self) -> None:
        self.other.change(lambda edit: edit.put("scan", "o", Switched(True, time.monotonic_ns())))

    def until_rung(self, watch: Watch) -> bool:
        """Waits as an executor does."""
        end = time.monotonic() + DEADLINE
        while not watch.has_rung and time.monotonic() < end:
            self.doorbell.wait(end - time.monotonic())
        return watch.has_rung


@pytest.fixture
def pipe() -> Iterator[int]:
    read, write = os.pipe()
    yield read
    os.close(read)
    os.close(write)


@pytest.fixture(params=["descriptor", "thread"])
def place(tmp_path: Path, pipe: int, request: pytest.FixtureRequest) -> Iterator[Place]:
    """With a doorbell that can listen to a descriptor, and with one that cannot."""
    inbox = open_inbox(pipe, lambda _: True)
    place = Place(tmp_path, inbox.doorbell if request.param == "descriptor" else Wakeup())
    yield place
    place.own.close()
    place.other.close()
    if hasattr(inbox, "close"):
        inbox.close()


def test_a_change_by_another_rings_once(place: Place) -> None:
    """And again only after the next `arm`."""
    with closing(place.open()) as watch:
        for _ in range(3):
            watch.arm()
            assert not watch.has_rung
            place.write()
            assert place.until_rung(watch)


def test_what_changes_before_it_is_armed_rings_when_it_is(place: Place) -> None:
    """Nothing falls between looking and listening."""
    with closing(place.open()) as watch:
        watch.arm()
        place.write()
        assert place.until_rung(watch)
        place.own.poll()
        place.write()
        watch.arm()
        place.write()
        assert place.until_rung(watch)
        assert place.own.poll() == {("scan", "o")}


@linux
def test_a_change_of_the_galaxy_rings_too(tmp_path: Path, pipe: int) -> None:
    """As a deployment is one."""
    inbox = open_inbox(pipe, lambda _: True)
    place = Place(tmp_path, inbox.doorbell)
    with closing(place.open()) as watch:
        watch.arm()
        place.galaxy.write_bytes(b"other")
        assert place.until_rung(watch)
    place.own.close()
    place.other.close()
    inbox.close()  # type: ignore[attr-defined]


def test_closing_leaves_neither_thread_nor_descriptor(place: Place) -> None:
    """Also while it waits, and also when it was never armed."""
    threads = threading.active_count()
    place.open().close()
    armed = place.open()
    armed.arm()
    armed.close()
    assert threading.active_count() == threads


@linux
def test_one_process_too_many_for_inotify_waits_for_the_counter(
    tmp_path: Path, pipe: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fs.inotify.max_user_instances is 128 on most systems, and there are more sessions than that."""

    def refuse(*_: object) -> Watch:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("mxgateway_simulator.watch.inotify.InotifyWatch", refuse)
    inbox = open_inbox(pipe, lambda _: True)
    place = Place(tmp_path, inbox.doorbell)
    with closing(place.open()) as watch:
        assert type(watch).__name__ == "ThreadWatch"
        watch.arm()
        place.write()
        assert place.until_rung(watch)
    place.own.close()
    place.other.close()
    inbox.close()  # type: ignore[attr-defined]


def test_where_nobody_tells_it_is_looked_at_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 80 ms, so that what others write is still seen within 100 ms."""

    def refuse(*_: object) -> SharedCounter:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(watches, "SharedCounter", type("None_", (), {"beside": staticmethod(refuse)}))
    watch = open_watch(tmp_path / "b.db", tmp_path / "missing.db", Wakeup())
    assert isinstance(watch, PeriodicWatch)
    assert watch.period <= 0.08


def test_a_board_without_a_counter_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who cannot make the file beside it only tells nobody."""

    def refuse(path: Path) -> SharedCounter:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("mxgateway_simulator.plant.board.SharedCounter.beside", refuse)
    with closing(Board(tmp_path / "b.db", "g")) as one, closing(Board(tmp_path / "b.db", "g")) as other:
        one.change(lambda edit: edit.put("scan", "o", Switched(True, 1)))
        assert other.poll() == {("scan", "o")}


@linux
@pytest.mark.parametrize("act", ["change", "wake"])
def test_the_counter_ends_a_wait(tmp_path: Path, act: str) -> None:
    """In this process, or in another one: it is the file that they share."""
    with (
        closing(SharedCounter.beside(tmp_path / "b.db")) as one,
        closing(SharedCounter.beside(tmp_path / "b.db")) as two,
    ):
        seen, done = one.value, threading.Event()

        def wait() -> None:
            one.wait(seen)
            done.set()

        thread = threading.Thread(target=wait)
        thread.start()
        end = time.monotonic() + DEADLINE
        call: Callable[[], None] = getattr(two, act)
        while not done.wait(0.01) and time.monotonic() < end:
            call()
        thread.join(DEADLINE)
        assert done.is_set()
        assert one.value == two.value
        assert (one.value != seen) == (act == "change")
