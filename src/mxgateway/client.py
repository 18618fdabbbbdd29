"""The client of the gateway service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Unpack

from google.protobuf.duration_pb2 import Duration

from mxgateway.alarms import Alarms
from mxgateway.calls import Calls
from mxgateway.change_queue import OverflowPolicy
from mxgateway.channel import Connection, ConnectionState, ServerStream
from mxgateway.command_stream import CommandStream
from mxgateway.confirmed_write import WriteOutcome
from mxgateway.correlation import next_correlation_id
from mxgateway.errors import MxGatewayError
from mxgateway.kept_session import KeptSession
from mxgateway.opening import Opening
from mxgateway.options import ClientOptions, ClientSettings, merge_options
from mxgateway.readings import Readings
from mxgateway.replies import check_mxaccess, check_versions
from mxgateway.session import Session
from mxgateway.subscribed_items import checked_tags
from mxgateway.subscription import ChangeHandler, Subscription
from mxgateway.values import MxPython
from mxgateway_contract.commands import method_name
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.generated.mxaccess_gateway_pb2_grpc import MxAccessGatewayStub


class GatewayClient:
    """A connection to a gateway; sessions are opened on it.

    Use `async with GatewayClient.connect(...) as client:`. One client serves any number of sessions and tasks of
    one event loop.
    """

    def __init__(self, options: ClientOptions, *, stub: Any = None) -> None:
        """Makes a client without connecting; the first call does. `connect` is the usual way.

        Args:
            options: how to reach the gateway.
            stub: a stand-in for the generated MxAccessGatewayStub, for tests. Its methods have to take the keywords
                `timeout` and `metadata`.
        """
        self._connection = Connection(options, MxAccessGatewayStub, stub=stub)
        self._calls = Calls(self._connection)
        self._alarms = Alarms(self._calls)
        self._kept: KeptSession | None = None

    @classmethod
    def connect(
        cls, options: ClientOptions | None = None, *, stub: Any = None, **settings: Unpack[ClientSettings]
    ) -> Opening[GatewayClient]:
        """Connects to a gateway: await it, or use it with `async with`, which closes the client at the end.

        Args:
            options: all options as one object, or
            stub: as for the constructor.
            **settings: the fields of ClientOptions, for example
                `connect(endpoint="localhost:5001", api_key=key, ca_file="gateway-ca.pem")`.

        Raises:
            TypeError: both, or neither, of options and settings; a setting that ClientOptions does not have.
            ValueError: a setting that makes no sense.
            MxGatewayConnectionError: the gateway cannot be reached, or its certificate is not trusted.
            MxGatewayTimeoutError: no answer within `connect_timeout`.
        """
        return Opening(cls._connected(options, stub, settings))

    @classmethod
    async def _connected(cls, options: ClientOptions | None, stub: Any, settings: ClientSettings) -> GatewayClient:
        client = cls(merge_options(options, settings), stub=stub)
        try:
            await client._connection.ready()
        except BaseException:
            await client.close()
            raise
        return client

    @property
    def options(self) -> ClientOptions:
        """The options that this client was made with."""
        return self._connection.options

    @property
    def connection_state(self) -> ConnectionState:
        """Where the connection stands now."""
        return self._connection.state

    def connection_states(self) -> AsyncIterator[ConnectionState]:
        """The state now and after each change, until the client is closed."""
        return self._connection.states()

    def __repr__(self) -> str:
        return f"<GatewayClient {self.options.endpoint} {self.connection_state.value}>"

    # ----------------------------------------------------------------------------------------------------- sessions

    def open_session(
        self,
        *,
        client_session_name: str = "",
        requested_backend: str = "",
        command_timeout: timedelta | float | None = None,
        backend_options: Mapping[str, str] | None = None,
        backpressure_policy: pb.BackpressurePolicy.ValueType = pb.BACKPRESSURE_POLICY_UNSPECIFIED,
        keep_when_disconnected: bool = False,
        correlation_id: str = "",
    ) -> Opening[Session]:
        """Opens a session, that is a worker process of one's own: await it, or use it with `async with`.

        Args:
            client_session_name: a name for the gateway's logs and dashboard.
            requested_backend: empty for the gateway's default, else `simulator`, `com` or `replay`.
            command_timeout: limit of each command in the gateway; None for the gateway's default (30 s).
            backend_options: options of the backend, where the gateway allows them.
            backpressure_policy: what the gateway does when this session's events are not taken fast enough.
            keep_when_disconnected: True keeps the session while no connection of its client is there, until its lease
                is over or somebody closes it: for another process that attaches to it later.
            correlation_id: empty for a new one.

        Raises:
            MxGatewayProtocolError: gateway and client speak different versions of the contract.
            MxGatewayError: the session cannot be opened.
        """
        request = pb.OpenSessionRequest(
            requested_backend=requested_backend,
            client_session_name=client_session_name,
            client_correlation_id=correlation_id or next_correlation_id(),
            backend_options=backend_options or {},
            backpressure_policy=backpressure_policy,
            keep_when_disconnected=keep_when_disconnected,
        )
        if command_timeout is not None:
            limit = Duration()
            limit.FromTimedelta(
                command_timeout if isinstance(command_timeout, timedelta) else timedelta(seconds=command_timeout)
            )
            request.command_timeout.CopyFrom(limit)
        return Opening(self._opened_session(request))

    async def _opened_session(self, request: pb.OpenSessionRequest) -> Session:
        reply = await self._calls.open_session(request)
        try:
            check_versions(reply)
        except MxGatewayError as error:
            # The gateway has started a worker for us; without a Session nobody else would end it.
            try:
                await self._calls.close_session(pb.CloseSessionRequest(session_id=reply.session_id))
            except MxGatewayError as failure:
                error.add_note(f"closing the session failed too: {failure}")
            raise
        return Session(self._calls, reply, request.backpressure_policy)

    def attach_session(self, session_id: str, *, capabilities: tuple[str, ...] = ()) -> Session:
        """A Session object for a session that is open already, for example from another process of the same key.

        Nothing is sent. `capabilities` are those of the reply that opened it, where they are known.
        """
        return Session(self._calls, pb.OpenSessionReply(session_id=session_id, capabilities=capabilities))

    async def list_sessions(self, *, own_only: bool = False) -> list[pb.SessionSummary]:
        """The sessions of this key that are not closed, the oldest first; those of every key for an admin.

        `attach_session(summary.session_id).close()` closes one.

        Args:
            own_only: leaves the sessions of other keys out, for admins too.

        Raises:
            MxGatewayError: they cannot be listed; an older gateway has no such call.
        """
        return list((await self._calls.list_sessions(pb.ListSessionsRequest(own_only=own_only))).sessions)

    def subscribe(
        self,
        tags: Iterable[str],
        *,
        client_session_name: str = "",
        queue_size: int = 10_000,
        overflow: OverflowPolicy = OverflowPolicy.DROP_OLDEST,
        handler: ChangeHandler | None = None,
        supervisory: bool = False,
        reconnect: bool = True,
        patient: bool = False,
    ) -> Subscription:
        """Changes of some tags in a session of their own, which is opened anew when it is lost.

        So this subscription survives also a restart of the gateway and the end of its worker; values after that are
        marked `recovered`. Otherwise it is the one of `Session.subscribe`.

        Args:
            tags: references.
            client_session_name: a name for the gateway's logs and dashboard.
            queue_size: changes that may wait for the consumer; never less than twice the tags.
            overflow: what happens when more do.
            handler: called with each change, in place of iterating; may be a coroutine function.
            supervisory: AdviseSupervisory in place of Advise: no user is needed.
            reconnect: False ends the subscription with its error as soon as the stream breaks.
            patient: True waits for a gateway that cannot be reached yet, as after an interruption: `start` and
                `async with` do not wait for the first connection, and `last_interruption` tells what is in its way.

        Raises:
            TypeError: one string in place of a list, or something else than strings in it.
            ValueError: a queue without room.
        """
        return Subscription(
            lambda: self.open_session(client_session_name=client_session_name),
            tags,
            owns_sessions=True,
            queue_size=queue_size,
            overflow=overflow,
            handler=handler,
            supervisory=supervisory,
            reconnect=reconnect,
            patient=patient,
        )

    # ------------------------------------------------------------------------------------------------ calls by name

    async def read(self, tags: Iterable[str], *, timeout_ms: int = 0, timeout: float | None = None) -> Readings:
        """Reads tags once, in a session that this client keeps for it.

        The session is opened by the first call, and anew when it was lost, for example by a restart of the gateway. A
        read that failed for that, or because the gateway cannot be reached just now, is repeated.

        Args:
            tags: references, any number.
            timeout_ms: limit for each tag without a cached value, in milliseconds; 0 for the worker's default.
            timeout: seconds for all of it, repetitions included; None for the options' `call_timeout`.

        Raises:
            TypeError: one string in place of a list, or something else than strings in it.
            MxGatewayError: the read failed as a whole. A single tag that cannot be read says so in its `error`.
        """
        limit = self.options.call_timeout if timeout is None else timeout
        return await self._kept_session().read(checked_tags(tags), timeout_ms, limit)

    async def write(
        self,
        tag: str,
        value: MxPython | Callable[[pb.MxEvent], MxPython],
        *,
        supervisory: bool = False,
        timeout: float = 15.0,
    ) -> WriteOutcome:
        """Writes a tag and waits for its OnWriteComplete, in the session that `read` uses, too.

        The write is sent once. While nothing has been sent yet, a lost session is replaced and a gateway that cannot be
        reached is waited for. The tag stays advised afterwards, so that the next write of it is quick.

        Args:
            tag: reference to write to.
            value: what to write, see `to_mx_value`; or a function of the present value (as an OnDataChange).
            supervisory: AdviseSupervisory in place of Advise: secured attributes then take the write without a user.
                Secured writes in the name of people need a session: `Session.write_and_confirm`.
            timeout: seconds for all of it.

        Raises:
            MxAccessError: the reference does not exist, or MXAccess refused or failed the write.
            MxGatewayTimeoutError: not done in time. Whether the write was sent, and its outcome so unknown, is told.
            MxGatewayConnectionError: the gateway could not be reached in all that time; nothing was written.
            MxGatewayTransportError: session or connection were lost after the write was sent: its outcome is unknown.
            MxGatewayError: the gateway failed.
        """
        (name,) = checked_tags([tag])
        return await self._kept_session().write(name, value, timeout, supervisory=supervisory)

    def _kept_session(self) -> KeptSession:
        if self._kept is None:
            self._kept = KeptSession(lambda: self.open_session(client_session_name="read and write by name"))
        return self._kept

    # ---------------------------------------------------------------------------------------------------- raw calls

    async def open_session_raw(
        self, request: pb.OpenSessionRequest, *, timeout: float | None = None
    ) -> pb.OpenSessionReply:
        """OpenSession with the generated messages. Raises MxGatewayError; checks no version."""
        return await self._calls.open_session(request, timeout)

    async def close_session_raw(
        self, request: pb.CloseSessionRequest, *, timeout: float | None = None
    ) -> pb.CloseSessionReply:
        """CloseSession with the generated messages. Raises MxGatewayError."""
        return await self._calls.close_session(request, timeout)

    async def list_sessions_raw(
        self, request: pb.ListSessionsRequest, *, timeout: float | None = None
    ) -> pb.ListSessionsReply:
        """ListSessions with the generated messages; only where `list-sessions` is announced. Raises MxGatewayError."""
        return await self._calls.list_sessions(request, timeout)

    async def invoke(self, request: pb.MxCommandRequest, *, timeout: float | None = None) -> pb.MxCommandReply:
        """Runs a command and checks the reply in full. Raises MxGatewayError; MxAccessError for MXAccess."""
        reply = await self._calls.invoke(request, timeout)
        check_mxaccess(reply, method_name(request.command.kind))
        return reply

    async def invoke_raw(self, request: pb.MxCommandRequest, *, timeout: float | None = None) -> pb.MxCommandReply:
        """Runs a command; a failure of MXAccess stays in the reply. Raises MxGatewayError but never MxAccessError."""
        return await self._calls.invoke(request, timeout)

    def stream_events_raw(
        self, request: pb.StreamEventsRequest, *, timeout: float | None = None
    ) -> ServerStream[pb.MxEvent]:
        """StreamEvents with the generated messages: one event a message."""
        return self._calls.stream_events(request, timeout)

    def stream_event_batches_raw(
        self, request: pb.StreamEventsRequest, *, timeout: float | None = None
    ) -> ServerStream[pb.MxEventBatch]:
        """StreamEventBatches with the generated messages; only where `event-batches` is announced."""
        return self._calls.stream_event_batches(request, timeout)

    def command_stream(self, session_id: str) -> CommandStream:
        """A stream for one session's commands; `Session` uses it by itself where `command-stream` is announced."""
        return self._calls.command_stream(session_id)

    # ------------------------------------------------------------------------------------------------------- alarms

    @property
    def alarms(self) -> Alarms:
        """The plant's alarms: watch, list, acknowledge, shelve, look back, figures."""
        return self._alarms

    async def acknowledge_alarm(
        self, request: pb.AcknowledgeAlarmRequest, *, timeout: float | None = None
    ) -> pb.AcknowledgeAlarmReply:
        """Acknowledges one alarm (GUID or `Provider!Group.Tag`) through the gateway's alarm monitor.

        Raises:
            MxGatewayError: the gateway could not do it. What the alarm provider answered is in the reply.
        """
        return await self._calls.acknowledge_alarm(request, timeout)

    def query_active_alarms(
        self, request: pb.QueryActiveAlarmsRequest, *, timeout: float | None = None
    ) -> ServerStream[pb.ActiveAlarmSnapshot]:
        """The alarms that are active now."""
        return self._calls.query_active_alarms(request, timeout)

    def stream_alarms(
        self, request: pb.StreamAlarmsRequest, *, timeout: float | None = None
    ) -> ServerStream[pb.AlarmFeedMessage]:
        """The active alarms, a marker that they are complete, the provider's status, then each transition."""
        return self._calls.stream_alarms(request, timeout)

    # ------------------------------------------------------------------------------------------------------ closing

    async def close(self) -> None:
        """Closes the connection and ends all calls on it; the gateway ends sessions that are still open soon after.

        The session of `read` and `write` is closed first. Idempotent.
        """
        if self._kept is not None:
            await self._kept.close()
        await self._connection.close()

    async def __aenter__(self) -> GatewayClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
