"""Forks wait until gRPC's threads have gone, and tell when they do not go."""

from __future__ import annotations

from mxgateway.forks import Quiet


class Threads:
    """Threads that end one by one as time passes, but for those that stay; it is their clock as well."""

    def __init__(self, ends: list[float]) -> None:
        self.ends = ends
        self.now = 0.0
        self.looks = 0

    def __call__(self) -> list[float]:
        self.looks += 1
        return [end for end in self.ends if end > self.now]

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def quiet(self) -> Quiet:
        return Quiet(self, lambda: self.now, self.pause)


def test_without_a_channel_nobody_waits() -> None:
    """A program that never made a client pays nothing for its forks."""
    threads = Threads([1e9])
    assert threads.quiet().reached()
    assert threads.looks == 0


def test_the_last_thread_is_awaited() -> None:
    """The fork comes as soon as the slowest has ended, and the next one does not look again."""
    threads = Threads([0.0105, 0.2])
    quiet = threads.quiet()
    quiet.disturbed()
    assert quiet.reached()
    assert 0.2 <= threads.now < 0.202
    looks = threads.looks
    assert quiet.reached()
    assert threads.looks == looks


def test_threads_that_stay_spoil_the_child() -> None:
    """Another library's open channel: told after two seconds, from then on at once."""
    threads = Threads([1e9])
    quiet = threads.quiet()
    quiet.disturbed()
    assert not quiet.reached()
    first = threads.now
    assert 2.0 <= first < 2.01
    assert not quiet.reached()
    assert threads.now == first
    threads.ends = []
    assert quiet.reached()


def test_a_new_channel_begins_anew() -> None:
    """After another client was opened and closed its threads are awaited as the first ones were."""
    threads = Threads([1e9])
    quiet = threads.quiet()
    quiet.disturbed()
    assert not quiet.reached()
    threads.ends = [threads.now + 0.1]
    quiet.disturbed()
    assert quiet.reached()
