"""Requests of a call: taken only after its caller is known, no longer than they may be, counted before they are parsed.

On the wire a unary call is a stream of one message, and gRPC takes a body only when a handler asks for it. So every
method is served as one that takes a stream, and reads what it needs itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc.aio
from google.protobuf import descriptor_pool

from mxgateway_contract.field_counts import Shape, shape_of
from mxgateway_server.access.shares import LARGE_BODY, Share
from mxgateway_server.commands.bodies import count, parsed
from mxgateway_server.errors import InvalidRequestError, MessageLimitError
from mxgateway_server.rpc.errors import Context

MAX_STRANGER_SECONDS = 5.0
"""How long the request of a caller without a key may take to come in."""


class Method:
    """How the requests of one method are read.

    Args:
        name: full name of the method.
        deserializer: makes a message of bytes; None for a handler that reads the bytes itself, and counts them.
        max_bytes: longest request.

    Attributes:
        is_parsed: whether the handler gets messages, not bytes.
    """

    def __init__(self, name: str, deserializer: Callable[[bytes], Any] | None, max_bytes: int) -> None:
        self.name = name
        self.max_bytes = max_bytes
        self.is_parsed = deserializer is not None
        self._deserializer = deserializer
        self._shape = None if deserializer is None else _shape(name)

    async def parse(self, data: bytes) -> Any:
        """The message, or the bytes for a handler that wants them.

        Raises:
            InvalidRequestError: they are no message of this method, or too much is in it.
        """
        if self._deserializer is None:
            return data
        if len(data) > LARGE_BODY and self._shape is not None:
            await count(data, self._shape)
        return parsed(self._deserializer, data)


class Requests:
    """The requests of one call, each taken when it is asked for.

    Attributes:
        holds: whether a place of the caller's share is held by a large body; give it back when the call ends.
    """

    __slots__ = ("_context", "_method", "_share", "_timeout", "holds")

    def __init__(self, method: Method, context: Context, share: Share, timeout: float | None = None) -> None:
        self._method = method
        self._context = context
        self._share = share
        self._timeout = timeout
        self.holds = False

    async def one(self) -> Any:
        """The one request of a unary call; one that waits behind it is never read.

        Raises:
            InvalidRequestError: there is none, or it is no message of this method, or too much is in it.
            MessageLimitError: it is longer than requests of this method may be.
        """
        share = self._share
        if not share.enter_now():
            await share.enter()
        is_large = False
        try:
            if self._timeout is None:
                data = await self._context.read()
            else:
                data = await self._in_time()
            if data is grpc.aio.EOF:
                if self._context.cancelled():
                    raise asyncio.CancelledError
                raise InvalidRequestError("the call has no request")
            is_large = self.holds = share.seen(len(data))
        finally:
            if not is_large:
                share.leave()
        self._check_length(data)
        return await self._method.parse(data) if self._method.is_parsed else data

    def __aiter__(self) -> Requests:
        return self

    async def __anext__(self) -> Any:
        data = await self._context.read()
        if data is grpc.aio.EOF:
            raise StopAsyncIteration
        if len(data) > LARGE_BODY:
            self._share.seen(len(data))
        self._check_length(data)
        return await self._method.parse(data) if self._method.is_parsed else data

    def end(self) -> None:
        """The call is over."""
        if self.holds:
            self.holds = False
            self._share.leave()

    async def _in_time(self) -> Any:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._context.read()
        except TimeoutError:
            pass
        raise InvalidRequestError(f"the request did not come within {self._timeout:g} s")

    def _check_length(self, data: bytes) -> None:
        if len(data) > self._method.max_bytes:
            method = self._method.name.rpartition("/")[2]
            raise MessageLimitError(
                f"the request has {len(data)} bytes, and one of {method} may have {self._method.max_bytes}: send less "
                "at once, or raise protocol.max_request_bytes"
            )


def _shape(method: str) -> Shape | None:
    _, service, name = method.split("/")
    try:
        found = descriptor_pool.Default().FindServiceByName(service)
    except KeyError:
        return None
    return shape_of(found.methods_by_name[name].input_type)
