"""The connection to a gateway: channel, deadlines, key, retries, and gRPC's errors in this library's terms."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import Enum
from typing import Any, Generic, TypeVar
from weakref import WeakSet

import grpc
import grpc.aio
from google.protobuf.message import Message

from mxgateway import forks
from mxgateway.auth import authorization_metadata
from mxgateway.channel_maker import channel_maker
from mxgateway.errors import (
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewayResourceError,
    MxGatewayTimeoutError,
    MxGatewayTransportError,
)
from mxgateway.options import ClientOptions
from mxgateway.rpc_errors import map_rpc_error
from mxgateway_contract.constants import ENVELOPE_BYTES

ReplyT = TypeVar("ReplyT")
MessageT = TypeVar("MessageT")

_HEALTH_CHECK = "/grpc.health.v1.Health/Check"


def _no_clock() -> float:
    return 0.0


class ConnectionState(Enum):
    """Where the connection of a client stands."""

    IDLE = "idle"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"


_STATES = {
    grpc.ChannelConnectivity.IDLE: ConnectionState.IDLE,
    grpc.ChannelConnectivity.CONNECTING: ConnectionState.CONNECTING,
    grpc.ChannelConnectivity.READY: ConnectionState.CONNECTED,
    grpc.ChannelConnectivity.TRANSIENT_FAILURE: ConnectionState.RECONNECTING,
    grpc.ChannelConnectivity.SHUTDOWN: ConnectionState.CLOSED,
}


class Connection:
    """A channel with its options, made by its first use in the event loop that it belongs to from then on.

    With an injected stub it only adds deadlines, key and errors.
    """

    def __init__(
        self,
        options: ClientOptions,
        stub_type: Callable[[grpc.aio.Channel], Any],
        *,
        stub: Any = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.options = options
        self.is_closed = False
        self._stub_type = stub_type
        self._stub = stub
        self._make_channel = channel_maker(options) if stub is None else None
        self._channel: grpc.aio.Channel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # As gRPC would have it: else each call makes its own out of the pairs.
        self.metadata = grpc.aio.Metadata(*authorization_metadata(options.api_key))
        self._sleep = sleep
        self._jitter = jitter
        # The calls of server streams.
        self._streams: WeakSet[Any] = WeakSet()
        self._pauses: set[asyncio.Timeout] = set()

    @property
    def stub(self) -> Any:
        """The generated stub. Raises as `check_usable` does."""
        self.check_usable()
        return self._stub

    @property
    def channel(self) -> grpc.aio.Channel | None:
        """The channel; None with an injected stub. Raises as `check_usable` does."""
        self.check_usable()
        return self._channel

    def check_usable(self) -> None:
        """Refuses what would wait for ever, or end in the middle of gRPC.

        Raises:
            MxGatewayTransportError: this process was forked while the client was open, or another event loop runs than
                the one that the client belongs to.
        """
        forks.check()
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        if self._loop is not None:
            former = "has ended" if self._loop.is_closed() else "is another one than the one that runs now"
            raise MxGatewayTransportError(
                f"this client belongs to the event loop of its first call, which {former}; make one client for each "
                "asyncio.run, share one loop between tests and their fixture (pytest-asyncio: loop_scope='module' for "
                "both), or use mxgateway.sync, which has a loop of its own"
            )
        self._loop = loop
        if self._make_channel is not None and not self.is_closed:
            self._channel = self._make_channel()
            self._stub = self._stub_type(self._channel)
            forks.opened(self._channel)

    async def ready(self) -> None:
        """Waits until the gateway answers.

        Raises:
            MxGatewayConnectionError: it cannot be reached; the text says why.
            MxGatewayTimeoutError: it did not answer within `connect_timeout`.
        """
        channel, limit = self.channel, self.options.connect_timeout
        if channel is None or limit is None:
            return
        try:
            async with asyncio.timeout(limit):
                state = channel.get_state(try_to_connect=True)
                while state is not grpc.ChannelConnectivity.READY:
                    if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                        raise await self._cause(channel)
                    await channel.wait_for_state_change(state)
                    state = channel.get_state(try_to_connect=True)
        except TimeoutError as error:
            if isinstance(error, MxGatewayError):
                raise
            raise MxGatewayTimeoutError(
                f"{self.options.endpoint} did not answer within {limit:g} s; is this the gateway's address and port?",
                retryable=True,
            ) from error

    async def _cause(self, channel: grpc.aio.Channel) -> MxGatewayError:
        # The state alone does not say why; a call that fails at once does.
        try:
            probe: Any = channel.unary_unary(_HEALTH_CHECK)
            await probe(b"", timeout=self.options.connect_timeout, wait_for_ready=False)
        except grpc.RpcError as error:
            return map_rpc_error(
                error,
                f"cannot reach {self.options.endpoint}" + (" without TLS" if self.options.plaintext else ""),
                secrets=(self.options.api_key,),
                without_tls=self.options.plaintext,
            )
        return MxGatewayConnectionError(f"cannot reach {self.options.endpoint}")

    @property
    def state(self) -> ConnectionState:
        """The state now; CONNECTED for an injected stub."""
        if self.is_closed:
            return ConnectionState.CLOSED
        if self._channel is None:
            return ConnectionState.CONNECTED if self._make_channel is None else ConnectionState.IDLE
        if forks.is_spoiled():
            return ConnectionState.CLOSED
        return _STATES[self._channel.get_state()]

    async def states(self) -> AsyncIterator[ConnectionState]:
        """The state now and after each change, until the connection is closed."""
        while not self.is_closed and (channel := self.channel) is not None:
            before = channel.get_state()
            yield _STATES[before]
            try:
                await channel.wait_for_state_change(before)
            except grpc.aio.UsageError:
                # The channel was closed in the meantime.
                break
        yield self.state

    async def unary(
        self,
        method: Callable[..., Awaitable[ReplyT]],
        request: Any,
        what: str,
        *,
        timeout: float | None = None,
        correlation_id: str = "",
        idempotent: bool = False,
        sessions: bool = True,
    ) -> ReplyT:
        """One unary call. `timeout` in seconds, None for the options' call_timeout; it spans all attempts.

        Raises:
            MxGatewayError: the call failed. Cancelling the task cancels the call, and raises CancelledError as usual.
        """
        limit = self.options.call_timeout if timeout is None else timeout
        policy = self.options.retry if idempotent else None
        # What is tried only once needs no clock: its deadline is gRPC's matter.
        clock = _no_clock if policy is None else asyncio.get_running_loop().time
        end = None if limit is None else clock() + limit
        attempt = 1
        self.check_size(request, what, correlation_id)
        while True:
            self._check_open(what)
            try:
                return await method(
                    request, timeout=None if end is None else max(end - clock(), 0.001), metadata=self.metadata
                )
            except grpc.RpcError as error:
                mapped = map_rpc_error(
                    error, what, sessions=sessions, correlation_id=correlation_id, secrets=(self.options.api_key,)
                )
                if policy is None or not mapped.retryable or attempt >= policy.max_attempts:
                    raise mapped from error
                backoff = min(policy.initial_delay * 2 ** (attempt - 1), policy.max_delay)
                delay = max(backoff * self._jitter(), mapped.retry_after or 0.0)
                if end is not None and clock() + delay >= end:
                    raise mapped from error
            except asyncio.CancelledError:
                # gRPC cancels running calls when their channel is closed: an error of the call, not the caller's wish.
                task = asyncio.current_task()
                if self.is_closed and (task is None or not task.cancelling()):
                    raise MxGatewayTransportError(f"{what}: the client was closed during the call") from None
                raise
            await self._pause(delay)
            attempt += 1

    async def _pause(self, delay: float) -> None:
        """Waits between two attempts; closing ends that at once."""
        if self.is_closed:
            # Closed after the attempt had failed, and before this task came to know.
            return
        pause = asyncio.timeout(None)
        self._pauses.add(pause)
        try:
            async with pause:
                await self._sleep(delay)
        except TimeoutError:
            # The next attempt tells of the closing.
            pass
        finally:
            self._pauses.discard(pause)

    def stream(
        self,
        method: Callable[..., Any],
        request: Any,
        what: str,
        *,
        timeout: float | None = None,
        correlation_id: str = "",
        sessions: bool = True,
    ) -> ServerStream[Any]:
        """A server stream; it starts at once and ends with its iterator.

        Raises:
            MxGatewayTransportError: the client is closed.
        """
        self._check_open(what)
        limit = self.options.stream_timeout if timeout is None else timeout
        call = method(request, timeout=limit, metadata=self.metadata)
        self._streams.add(call)
        return ServerStream(call=call, what=what, connection=self, correlation_id=correlation_id, sessions=sessions)

    def map_error(self, error: grpc.RpcError, what: str, correlation_id: str, sessions: bool) -> MxGatewayError:
        return map_rpc_error(
            error, what, sessions=sessions, correlation_id=correlation_id, secrets=(self.options.api_key,)
        )

    def check_size(self, message: Message, what: str, correlation_id: str) -> int:
        """The size of a message in bytes.

        Raises:
            MxGatewayResourceError: it is above the limit. On a stream gRPC would end all that is under way with it.
        """
        size: int = message.ByteSize()
        limit = self.options.max_message_bytes
        if size > limit - ENVELOPE_BYTES:
            raise MxGatewayResourceError(
                f"{what}: {size} bytes and their envelope are above the limit of a message, {limit} "
                "(max_message_bytes, which the gateway has, too); nothing was sent",
                correlation_id=correlation_id,
                grpc_code=grpc.StatusCode.RESOURCE_EXHAUSTED,
                retryable=False,
            )
        return size

    def _check_open(self, what: str) -> None:
        if self.is_closed:
            raise MxGatewayTransportError(f"{what}: the client is closed")

    async def close(self) -> None:
        """Closes the channel and ends all calls on it. Idempotent."""
        if self.is_closed:
            return
        # Set before the first await, so that a concurrent close finds it done.
        self.is_closed = True
        channel, self._channel = self._channel, None
        if channel is None or forks.is_spoiled():
            return
        forks.closed(channel)
        # gRPC can close a channel only from its own loop; when that has ended, dropping the channel is all there is.
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            for pause in self._pauses:
                pause.reschedule(loop.time())
            # An older gRPC finds only calls that somebody waits for just then; others would never end.
            for call in list(self._streams):
                call.cancel()
            await channel.close(grace=None)


class ServerStream(Generic[MessageT]):
    """An async iterator over a server stream.

    Leaving the loop, `aclose()`, `cancel()`, dropping the object or cancelling the task that waits ends the gRPC
    stream. That never aborts a COM call in the worker.
    """

    def __init__(self, call: Any, what: str, connection: Connection, correlation_id: str, sessions: bool) -> None:
        self._call = call
        self._what = what
        self._connection = connection
        self._sessions = sessions
        self._iterator: AsyncIterator[MessageT] = call.__aiter__()
        self._is_finished = False
        self.correlation_id = correlation_id

    def __aiter__(self) -> ServerStream[MessageT]:
        return self

    async def __anext__(self) -> MessageT:
        if self._is_finished:
            raise StopAsyncIteration
        self._connection.check_usable()
        try:
            return await self._iterator.__anext__()
        except StopAsyncIteration:
            self._is_finished = True
            raise
        except grpc.RpcError as error:
            self._is_finished = True
            raise self._connection.map_error(error, self._what, self.correlation_id, self._sessions) from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            wanted = task is not None and task.cancelling() > 0
            ended = self._is_finished
            self.cancel()
            if wanted:
                raise
            if ended:
                # cancel() or aclose() of this stream by another task: the iteration just ends.
                raise StopAsyncIteration from None
            if self._connection.is_closed:
                raise MxGatewayTransportError(f"{self._what}: the client was closed during the stream") from None
            raise

    @property
    def finished(self) -> bool:
        """Whether the stream has ended, by whatever cause."""
        return self._is_finished

    async def opened(self) -> bool:
        """Waits until the gateway has accepted the call; False when it has refused it, which iterating tells."""
        await self._call.initial_metadata()
        return not self._call.done()

    def cancel(self) -> None:
        """Ends the stream at once. Idempotent; a stream that has ended stays as it ended."""
        self._is_finished = True
        self._call.cancel()

    async def aclose(self) -> None:
        """Ends the stream at once. Idempotent."""
        self.cancel()

    async def __aenter__(self) -> ServerStream[MessageT]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if not self._is_finished and not forks.is_spoiled():
            self._call.cancel()
