"""Something that is opened: awaited, or used with `async with` at once."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

OpenT = TypeVar("OpenT", bound=AbstractAsyncContextManager[Any])


class Opening(Coroutine[Any, Any, OpenT], Generic[OpenT]):
    """A call that opens something: `await` gives it, and `async with` opens and closes it.

    `async with await client.open_session() as session` and `async with client.open_session() as session` are the same.
    """

    def __init__(self, work: Coroutine[Any, Any, OpenT]) -> None:
        self._work = work
        self._opened: OpenT | None = None

    def __await__(self) -> Generator[Any, Any, OpenT]:
        return self._work.__await__()

    async def __aenter__(self) -> OpenT:
        opened = await self._work
        await opened.__aenter__()
        self._opened = opened
        return opened

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        assert self._opened is not None
        return await self._opened.__aexit__(kind, error, trace)

    # What asyncio asks of a coroutine, so that create_task takes it, too.

    def send(self, value: Any) -> Any:
        return self._work.send(value)

    def throw(self, *arguments: Any) -> Any:
        return self._work.throw(*arguments)

    def close(self) -> None:
        self._work.close()
