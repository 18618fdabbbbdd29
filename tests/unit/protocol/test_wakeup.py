"""Wake-ups are not lost, and do not pile up."""

import threading

from mxgateway_protocol.wakeup import Wakeup


def test_a_set_before_the_wait_ends_it_at_once_and_several_count_as_one() -> None:
    wakeup = Wakeup()
    wakeup.set()
    wakeup.set()
    wakeup.wait()
    wakeup.wait(0)
    wakeup.set()
    wakeup.wait()


def test_a_waiting_thread_sees_every_change_that_is_announced() -> None:
    """A counter that is raised and announced by several threads is seen at its end, whatever the timing."""
    wakeup, seen = Wakeup(), 0
    raised: list[int] = []

    def announce() -> None:
        for _ in range(2000):
            raised.append(1)
            wakeup.set()

    threads = [threading.Thread(target=announce) for _ in range(4)]
    for thread in threads:
        thread.start()
    while seen < 8000:
        wakeup.wait(20)
        assert len(raised) >= seen
        seen = len(raised)
    for thread in threads:
        thread.join()
