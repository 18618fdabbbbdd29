"""A session: one worker process of one's own, and everything it can do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from types import TracebackType
from typing import Any

from mxgateway.calls import Calls
from mxgateway.change_queue import OverflowPolicy
from mxgateway.command_stream import CommandStream
from mxgateway.commands import IDEMPOTENT_KINDS
from mxgateway.confirmed_write import WriteOutcome, write_and_confirm
from mxgateway.correlation import next_correlation_id
from mxgateway.errors import MxGatewayError
from mxgateway.events import EventStream
from mxgateway.readings import Readings, reading_of
from mxgateway.replies import check_mxaccess, check_protocol
from mxgateway.session_bulk import BulkCommands
from mxgateway.subscribed_items import checked_tags
from mxgateway.subscription import ChangeHandler, Subscription
from mxgateway.values import MxPython
from mxgateway_contract import constants
from mxgateway_contract.commands import method_name
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


class Session(BulkCommands):
    """One session of a gateway. Made by `GatewayClient.open_session`; close it, or use it with `async with`.

    The methods are those of LMXProxyServer. Cancelling a task that waits in one of them cancels the wait and, as far
    as the command is still queued, the command; a COM call that already runs is never aborted.
    """

    def __init__(
        self,
        calls: Calls,
        reply: pb.OpenSessionReply,
        backpressure_policy: pb.BackpressurePolicy.ValueType = pb.BACKPRESSURE_POLICY_UNSPECIFIED,
    ) -> None:
        self._calls = calls
        self._reply = reply
        self._backpressure_policy = backpressure_policy
        self._close_task: asyncio.Future[pb.CloseSessionReply] | None = None
        self._subscriptions: set[Subscription] = set()
        self._reader_handle: int | None = None
        self._registering = asyncio.Lock()
        streams = constants.CAPABILITY_COMMAND_STREAM in reply.capabilities
        self._commands = calls.command_stream(reply.session_id) if streams else None

    @property
    def session_id(self) -> str:
        """The gateway's name of this session: `session-` and 32 hexadecimal digits."""
        return self._reply.session_id

    @property
    def raw(self) -> pb.OpenSessionReply:
        """The reply that opened the session; only the id is set in a session made by `attach_session`."""
        return self._reply

    @property
    def capabilities(self) -> frozenset[str]:
        """What the gateway announced when the session opened, for example `event-batches`."""
        return frozenset(self._reply.capabilities)

    @property
    def max_bulk_items(self) -> int:
        """Entries that one bulk command may have: what the gateway told, or MAX_BULK_ITEMS where it told nothing."""
        return self._reply.limits.max_bulk_items or constants.MAX_BULK_ITEMS

    @property
    def is_simulated(self) -> bool:
        """Whether the values are a simulator's, not a plant's. Not known, so False, in one of `attach_session`."""
        return self._reply.is_simulated

    @property
    def backpressure_policy(self) -> pb.BackpressurePolicy.ValueType:
        """The policy that `open_session` asked for; unspecified is the gateway's default, or not known here."""
        return self._backpressure_policy

    @property
    def closed(self) -> bool:
        """Whether `close` was called on this object."""
        return self._close_task is not None

    def __repr__(self) -> str:
        return f"<Session {self.session_id} {'closed' if self.closed else 'open'}>"

    async def invoke(
        self, command: pb.MxCommand, *, correlation_id: str = "", timeout: float | None = None
    ) -> pb.MxCommandReply:
        """Runs a command and checks the reply in full.

        Args:
            command: the generated command.
            correlation_id: empty for a new one.
            timeout: deadline in seconds; None for the options' `call_timeout`.

        Raises:
            MxGatewayError: the gateway could not run it.
            MxAccessError: MXAccess failed it.
        """
        reply = await self._answer(command, correlation_id, timeout)
        check_mxaccess(reply, method_name(command.kind))
        return reply

    async def invoke_raw(
        self, command: pb.MxCommand, *, correlation_id: str = "", timeout: float | None = None
    ) -> pb.MxCommandReply:
        """Runs a command and leaves a failure of MXAccess in the reply: look at `protocol_status`, `hresult` and
        `statuses` yourself.

        Raises:
            MxGatewayError: the gateway could not run it. Never MxAccessError.
        """
        return await self._answer(command, correlation_id, timeout)

    def _answer(
        self, command: pb.MxCommand, correlation_id: str, timeout: float | None
    ) -> Coroutine[Any, Any, pb.MxCommandReply]:
        # Not async itself: each coroutine between caller and gRPC is run through once more when the reply is there.
        correlation_id = correlation_id or next_correlation_id()
        stream = self._commands
        if stream is not None:
            self._calls.check_usable()
            retried = self._calls.options.retry is not None and command.kind in IDEMPOTENT_KINDS
            if not retried and stream.takes(correlation_id):
                return self._streamed(stream, command, correlation_id, timeout)
        request = pb.MxCommandRequest(
            session_id=self._reply.session_id, client_correlation_id=correlation_id, command=command
        )
        return self._calls.invoke(request, timeout)

    async def _streamed(
        self, stream: CommandStream, command: pb.MxCommand, correlation_id: str, timeout: float | None
    ) -> pb.MxCommandReply:
        limit = self._calls.options.call_timeout if timeout is None else timeout
        reply = await stream.invoke(command, correlation_id, limit)
        check_protocol(reply, method_name(command.kind), correlation_id)
        return reply

    def stream_events(
        self,
        after_worker_sequence: int = 0,
        *,
        backpressure_policy: pb.BackpressurePolicy.ValueType = pb.BACKPRESSURE_POLICY_UNSPECIFIED,
        timeout: float | None = None,
        from_beginning: bool = False,
        recover_gaps: bool = False,
    ) -> EventStream:
        """The session's events, one by one, without end. The call is under way when this returns.

        Uses batches on the wire when the gateway announced them; what is yielded is the same.

        Args:
            after_worker_sequence: 0 for a fresh stream; else the worker_sequence of the last event that you have: the
                stream goes on after it, or begins with an event whose `replay_gap` is set when that is too long ago.
            backpressure_policy: what the gateway does when this stream is not read fast enough.
            timeout: deadline of the stream in seconds; None for the options' `stream_timeout`.
            from_beginning: begins with the session's first event (or with an event whose `replay_gap` is set), even
                when another stream had it. For going on after a stream that broke before its first event arrived;
                a fresh stream without it gets what no stream has been given yet.
            recover_gaps: after an event whose `replay_gap` is set comes the last change of each advised item, with the
                `origin` RECOVERED. Where the gateway has not announced `recovered-values` it does nothing.

        Raises:
            ValueError: `after_worker_sequence` is negative, or given together with `from_beginning`.
        """
        if after_worker_sequence < 0:
            raise ValueError(f"after_worker_sequence is {after_worker_sequence}; 0 is the start")
        if after_worker_sequence and from_beginning:
            raise ValueError("give either after_worker_sequence or from_beginning")
        request = pb.StreamEventsRequest(
            session_id=self.session_id,
            after_worker_sequence=after_worker_sequence,
            backpressure_policy=backpressure_policy,
            from_beginning=from_beginning,
            recover_gaps=recover_gaps,
        )
        if constants.CAPABILITY_EVENT_BATCHES in self.capabilities:
            return EventStream(self._calls.stream_event_batches(request, timeout), batched=True)
        return EventStream(self._calls.stream_events(request, timeout), batched=False)

    def subscribe(
        self,
        tags: Iterable[str],
        *,
        queue_size: int = 10_000,
        overflow: OverflowPolicy = OverflowPolicy.DROP_OLDEST,
        handler: ChangeHandler | None = None,
        supervisory: bool = False,
        reconnect: bool = True,
    ) -> Subscription:
        """Changes of some tags, over interruptions of the connection. Use it with `async with`, or just iterate.

        It takes a stream of events of its own, and lives at most as long as this session.

        Args:
            tags: references.
            queue_size: changes that may wait for the consumer; never less than twice the tags.
            overflow: what happens when more do.
            handler: called with each change, in place of iterating; may be a coroutine function.
            supervisory: AdviseSupervisory in place of Advise.
            reconnect: False ends the subscription with its error as soon as the stream breaks.

        Raises:
            TypeError: one string in place of a list, or something else than strings in it.
            ValueError: a queue without room.
        """

        async def this_session() -> Session:
            return self

        subscription = Subscription(
            this_session,
            tags,
            owns_sessions=False,
            queue_size=queue_size,
            overflow=overflow,
            handler=handler,
            supervisory=supervisory,
            reconnect=reconnect,
            on_closed=self._subscriptions.discard,
        )
        self._subscriptions.add(subscription)
        return subscription

    async def write_and_confirm(
        self,
        tag: str,
        value: MxPython | Callable[[pb.MxEvent], MxPython],
        *,
        server_handle: int | None = None,
        user_id: int = 0,
        verifier_id: int | None = None,
        supervisory: bool = False,
        timeout: float = 15.0,
    ) -> WriteOutcome:
        """Writes a tag by name and waits for the outcome: adds, advises, writes once the type is known, waits for
        OnWriteComplete, and removes the item again.

        Opens an event stream of its own.

        Args:
            tag: reference to write to.
            value: what to write, see `to_mx_value`; or a function of the first OnDataChange that returns it, for a
                value whose type depends on the tag's.
            server_handle: from `register`; None registers, and unregisters at the end.
            user_id: from `authenticate_user` with this `server_handle`; 0 is no user.
            verifier_id: makes it a secured write (WriteSecured), for attributes that ask for signatures: the verifier's
                id from `authenticate_user`, or `user_id` again where one signature is enough.
            supervisory: AdviseSupervisory in place of Advise: secured attributes then take the write without a user.
            timeout: seconds for all of it.

        Raises:
            MxAccessError: the reference does not exist, or MXAccess refused or failed the write; `raw_reply` is the
                event or reply that says so.
            MxGatewayTimeoutError: no value, or no completion, in time. After the write was sent its outcome is
                unknown.
            MxGatewayError: the gateway failed.
        """
        return await write_and_confirm(
            self,
            tag,
            value,
            server_handle=server_handle,
            user_id=user_id,
            verifier_id=verifier_id,
            supervisory=supervisory,
            timeout=timeout,
        )

    async def read(self, tags: Iterable[str], *, timeout_ms: int = 0) -> Readings:
        """Reads any number of tags once, by name.

        A tag that cannot be read does not stop the others: its `error` says why.

        Args:
            tags: references.
            timeout_ms: limit for each tag without a cached value, in milliseconds; 0 for the worker's default.

        Raises:
            TypeError: one string in place of a list, or something else than strings in it.
            MxGatewayError: the read failed as a whole.
        """
        wanted = checked_tags(tags)
        async with self._registering:
            if self._reader_handle is None:
                self._reader_handle = await self.register("read")
        readings = Readings()
        for start in range(0, len(wanted), self.max_bulk_items):
            chunk = wanted[start : start + self.max_bulk_items]
            results = await self.read_bulk(self._reader_handle, chunk, timeout_ms=timeout_ms)
            readings.extend(map(reading_of, chunk, results))
        return readings

    async def read_dataframe(self, tags: Iterable[str], *, timeout_ms: int = 0) -> Any:
        """Reads any number of tags once, as a pandas.DataFrame with a row for each, found by its tag.

        Columns are value, quality, good and time as `to_dataframe` has them, and error: a tag that cannot be read has
        no value, `good` is False, and `error` says why. `frame.loc["Tank_1.Level", "value"]` is one value.

        Args:
            tags: references.
            timeout_ms: limit for each tag without a cached value, in milliseconds; 0 for the worker's default.

        Raises:
            ModuleNotFoundError: pandas is not installed; the text has the command that installs it.
            MxGatewayError: the read failed as a whole.
        """
        from mxgateway.frames import to_dataframe

        wanted = list(tags)
        handle = await self.register("read_dataframe")
        results: list[pb.BulkReadResult] = []
        for start in range(0, len(wanted), self.max_bulk_items):
            chunk = wanted[start : start + self.max_bulk_items]
            results.extend(await self.read_bulk(handle, chunk, timeout_ms=timeout_ms))
        await self.unregister(handle)
        # In this order a terminal that is too narrow leaves the time out, and not the value.
        frame = to_dataframe(results).set_index("tag")[["value", "quality", "good", "time"]]
        frame["error"] = [result.error_message for result in results]
        return frame

    async def close(self) -> pb.CloseSessionReply:
        """Ends the session and its worker. Idempotent: later and concurrent calls get the first reply again.

        Takes at most the options' `shutdown_timeout`.

        Raises:
            MxGatewayError: the gateway could not be asked; the session ends with its lease then.
        """
        self._calls.check_usable()
        if self._close_task is not None:
            return await asyncio.shield(self._close_task)
        # Set before the first await, so that concurrent closes send one request.
        outcome: asyncio.Future[pb.CloseSessionReply] = asyncio.get_running_loop().create_future()
        self._close_task = outcome
        try:
            for subscription in tuple(self._subscriptions):
                await subscription.aclose()
            if self._commands is not None:
                await self._commands.close()
            reply = await self._calls.close_session(
                pb.CloseSessionRequest(session_id=self.session_id, client_correlation_id=next_correlation_id()),
                timeout=self._calls.options.shutdown_timeout,
            )
        except BaseException as error:
            # A close that failed may be tried again; those who waited for it learn why.
            self._close_task = None
            if isinstance(error, MxGatewayError):
                outcome.set_exception(error)
                outcome.exception()
            else:
                outcome.cancel()
            raise
        outcome.set_result(reply)
        return reply

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.close()
        except MxGatewayError as failure:
            if error is None:
                raise
            # What went wrong first is what the caller has to see.
            error.add_note(f"closing the session failed too: {failure}")
