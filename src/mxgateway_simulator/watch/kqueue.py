"""kqueue: macOS and the BSDs."""

from __future__ import annotations

import os
import select
import sys
from pathlib import Path

if sys.platform != "win32" and sys.platform != "linux":

    class KqueueWait:
        """Waits until the board's log or the Galaxy is written.

        Raises:
            OSError: a file cannot be opened, or there are no more descriptors.
        """

        def __init__(self, board: Path, galaxy: Path) -> None:
            self._descriptors: list[int] = []
            self._queue = select.kqueue()
            try:
                for path in (f"{board}-wal", str(galaxy)):
                    self._descriptors.append(os.open(path, getattr(os, "O_EVTONLY", os.O_RDONLY)))
                notes = select.KQ_NOTE_WRITE | select.KQ_NOTE_EXTEND | select.KQ_NOTE_ATTRIB
                events = [
                    select.kevent(
                        descriptor, select.KQ_FILTER_VNODE, select.KQ_EV_ADD | select.KQ_EV_CLEAR, fflags=notes
                    )
                    for descriptor in self._descriptors
                ]
                self._end_read, self._end_write = os.pipe()
                self._descriptors += [self._end_read, self._end_write]
                events.append(select.kevent(self._end_read, select.KQ_FILTER_READ, select.KQ_EV_ADD))
                self._queue.control(events, 0)
            except BaseException:
                self.close()
                raise

        def wait(self) -> None:
            self._queue.control(None, 8)

        def end(self) -> None:
            os.write(self._end_write, b"\0")

        def close(self) -> None:
            self._queue.close()
            for descriptor in self._descriptors:
                os.close(descriptor)
            self._descriptors.clear()
