"""What the classes of `mxgateway.sync` have in common: each stands for one object of the asynchronous library."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar
from weakref import WeakValueDictionary

from mxgateway._sync.loop_thread import LOOP

T = TypeVar("T")
AsyncT = TypeVar("AsyncT")

# An asynchronous object has one face, as long as somebody holds it; so `node.children[0] is node.children[0]`.
_FACES: WeakValueDictionary[int, Any] = WeakValueDictionary()


class Facade(Generic[AsyncT]):
    """Runs the methods of an asynchronous object on the background thread and waits for their outcome."""

    _async: AsyncT

    @classmethod
    def _of(cls, asynchronous: AsyncT) -> Self:
        face: Self | None = _FACES.get(id(asynchronous))
        if face is None:
            face = cls.__new__(cls)
            face._async = asynchronous
            _FACES[id(asynchronous)] = face
        return face

    def _run(self, work: Callable[[], Awaitable[T]]) -> T:
        return LOOP.run(work)

    def _call(self, work: Callable[[], T]) -> T:
        return LOOP.call(work)

    def __repr__(self) -> str:
        return repr(self._async)


class _Closable(Protocol):
    async def close(self) -> None: ...


ClosableT = TypeVar("ClosableT", bound=_Closable)


class ConnectionFacade(Facade[ClosableT]):
    """A client: it keeps the background thread alive until it is closed."""

    def _open(self, make: Callable[[], Awaitable[ClosableT]]) -> None:
        # Leased before it is made, so that the object stays on the loop that it was made on.
        run = LOOP.acquire()
        try:
            self._async = LOOP.run(make)
            self._lease = LOOP.opened(self._async)
        finally:
            LOOP.release(run)

    def close(self) -> None:
        """Closes the connection and ends all calls on it. Idempotent.

        The background thread ends with the last client.
        """
        try:
            LOOP.run(self._async.close)
        finally:
            LOOP.closed(self._async, self._lease)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return LOOP.call(lambda: repr(self._async))

    def __del__(self) -> None:
        lease = self.__dict__.get("_lease")
        if lease is None or not LOOP.is_open(self._async):
            return
        client = self._async
        warnings.warn(f"unclosed {type(self).__name__}", ResourceWarning, source=self, stacklevel=1)

        async def abandon() -> None:
            try:
                await client.close()
            finally:
                LOOP.closed(client, lease)

        lease.start_soon(abandon)
