"""A directory asked for one person at a time, by threads of its own, and no longer than somebody waits for an answer.

A limit for each answer bounds nothing by itself: a directory that sends a byte now and then never exceeds it. So what
is too late is ended at its socket, and its thread comes back.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from mxgateway_server.dashboard.people.directories import Directory, DirectoryError
from mxgateway_server.dashboard.people.persons import Person
from mxgateway_server.dashboard.people.question import Question
from mxgateway_server.logs import get_logger

logger = get_logger(__name__)

MAX_AT_DIRECTORY = 4


class DirectoryDesk:
    """Asks a directory.

    Args:
        seconds: how long one asking may take as a whole, the waiting for its turn included.
    """

    def __init__(self, directory: Directory, seconds: float) -> None:
        self._directory = directory
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(MAX_AT_DIRECTORY, "directory")
        self._open: set[Question] = set()

    async def person(self, name: str, password: str) -> Person:
        """Who this is.

        Raises:
            DirectoryError: nobody, or the directory does not answer in time.
        """
        question = Question()
        self._open.add(question)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.get_running_loop().run_in_executor(
                    self._pool, self._directory.person, name, password, question
                )
        except TimeoutError:
            logger.warning("ldap_too_slow", seconds=self._seconds, asking=len(self._open))
            raise DirectoryError(
                "unreachable",
                "the directory does not answer as it should",
                "try again in a minute, or sign in with a key; the gateway's log has ldap_too_slow",
                cause=f"no answer within {self._seconds:g} s",
            ) from None
        finally:
            question.give_up()
            self._open.discard(question)

    def end(self) -> None:
        """Gives up whatever is asked, so that no thread keeps the process."""
        for question in self._open:
            question.give_up()
        self._pool.shutdown(wait=False, cancel_futures=True)
