"""The commands of LMXProxyServer that work on one item, and the gateway's control commands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

from google.protobuf.duration_pb2 import Duration

from mxgateway.commands import MomentLike, checked, command, timestamp_value
from mxgateway.replies import payload
from mxgateway.results import Events
from mxgateway.values import MxPython, to_mx_value
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


class Invoker(Protocol):
    """What the command methods need of a session."""

    @property
    def max_bulk_items(self) -> int: ...

    async def invoke(
        self, command: pb.MxCommand, *, correlation_id: str = "", timeout: float | None = None
    ) -> pb.MxCommandReply: ...


class ItemCommands:
    """LMXProxyServer, method by method. Handles are those of MXAccess: positive, 0 is none.

    Each method raises MxAccessError when MXAccess fails the call, another MxGatewayError when the gateway does.
    """

    # ------------------------------------------------------------------------------------------ clients and items

    async def register(self: Invoker, client_name: str) -> int:
        """Registers a client with MXAccess and returns the server handle that all other calls need.

        Args:
            client_name: should be unique for each connection; the historian shows it as the node of a write.
        """
        reply = await self.invoke(command("register", checked(pb.RegisterCommand, client_name=client_name)))
        return payload(reply, "register", pb.RegisterReply).server_handle

    async def unregister(self: Invoker, server_handle: int) -> None:
        """Ends a registration. Un-advise and remove its items first."""
        await self.invoke(command("unregister", checked(pb.UnregisterCommand, server_handle=server_handle)))

    async def add_item(self: Invoker, server_handle: int, item_definition: str, *, client_handle: int = 0) -> int:
        """Adds an item and returns its handle.

        MXAccess takes any text here: whether the reference exists shows only after `advise`, by the status of its
        first OnDataChange.

        Args:
            server_handle: from `register`.
            item_definition: reference such as `TestMachine_001.TestChangingInt`; an array as `….Name[]`.
            client_handle: a number of your own, 1 to 2³² − 1, that each event of the item carries (capability
                `client-handles`); 0 for none.
        """
        request = checked(
            pb.AddItemCommand,
            server_handle=server_handle,
            item_definition=item_definition,
            client_handle=client_handle,
        )
        return payload(await self.invoke(command("add_item", request)), "add_item", pb.AddItemReply).item_handle

    async def add_item2(
        self: Invoker, server_handle: int, item_definition: str, item_context: str, *, client_handle: int = 0
    ) -> int:
        """Adds an item by a relative reference and returns its handle.

        Args:
            server_handle: from `register`.
            item_definition: reference that may start with Me, MyContainer, MyArea, …
            item_context: object that such a reference starts from.
            client_handle: as for `add_item`.
        """
        request = checked(
            pb.AddItem2Command,
            server_handle=server_handle,
            item_definition=item_definition,
            item_context=item_context,
            client_handle=client_handle,
        )
        return payload(await self.invoke(command("add_item2", request)), "add_item2", pb.AddItem2Reply).item_handle

    async def remove_item(self: Invoker, server_handle: int, item_handle: int) -> None:
        """Removes an item. Wait for its pending OnWriteComplete first, and un-advise it."""
        await self.invoke(
            command(
                "remove_item",
                checked(pb.RemoveItemCommand, server_handle=server_handle, item_handle=item_handle),
            )
        )

    # ------------------------------------------------------------------------------------------------ subscriptions

    async def advise(self: Invoker, server_handle: int, item_handle: int) -> None:
        """Subscribes to an item's changes on a user connection: the current value comes at once, as OnDataChange.

        The first value on a fresh session may take seconds in a plant (reference binding).
        """
        await self.invoke(
            command("advise", checked(pb.AdviseCommand, server_handle=server_handle, item_handle=item_handle))
        )

    async def advise_supervisory(self: Invoker, server_handle: int, item_handle: int) -> None:
        """Subscribes on a supervisory connection: no user needed, writes to secured attributes pass, and operator
        actions are not attributed to a person."""
        request = checked(pb.AdviseSupervisoryCommand, server_handle=server_handle, item_handle=item_handle)
        await self.invoke(command("advise_supervisory", request))

    async def unadvise(self: Invoker, server_handle: int, item_handle: int) -> None:
        """Ends a subscription (UnAdvise). Events that were under way may still arrive after it returned."""
        await self.invoke(
            command("un_advise", checked(pb.UnAdviseCommand, server_handle=server_handle, item_handle=item_handle))
        )

    async def add_buffered_item(
        self: Invoker, server_handle: int, item_definition: str, item_context: str, *, client_handle: int = 0
    ) -> int:
        """Adds an item whose values come in OnBufferedDataChange events, and returns its handle."""
        request = checked(
            pb.AddBufferedItemCommand,
            server_handle=server_handle,
            item_definition=item_definition,
            item_context=item_context,
            client_handle=client_handle,
        )
        reply = await self.invoke(command("add_buffered_item", request))
        return payload(reply, "add_buffered_item", pb.AddBufferedItemReply).item_handle

    async def set_buffered_update_interval(
        self: Invoker, server_handle: int, update_interval_milliseconds: int
    ) -> None:
        """Sets how often buffered items deliver, in milliseconds; MXAccess rounds up to a multiple of 100."""
        request = checked(
            pb.SetBufferedUpdateIntervalCommand,
            server_handle=server_handle,
            update_interval_milliseconds=update_interval_milliseconds,
        )
        await self.invoke(command("set_buffered_update_interval", request))

    async def suspend(self: Invoker, server_handle: int, item_handle: int) -> pb.MxStatusProxy:
        """Suspends an advised item and returns the call's status (pending); OperationComplete tells the outcome."""
        request = checked(pb.SuspendCommand, server_handle=server_handle, item_handle=item_handle)
        return payload(await self.invoke(command("suspend", request)), "suspend", pb.SuspendReply).status

    async def activate(self: Invoker, server_handle: int, item_handle: int) -> pb.MxStatusProxy:
        """Resumes a suspended item and returns the call's status; its current value is sent again."""
        request = checked(pb.ActivateCommand, server_handle=server_handle, item_handle=item_handle)
        return payload(await self.invoke(command("activate", request)), "activate", pb.ActivateReply).status

    # ------------------------------------------------------------------------------------------------------- writes

    async def write(self: Invoker, server_handle: int, item_handle: int, value: MxPython, user_id: int = 0) -> None:
        """Writes a value. Returns as soon as MXAccess took it: the outcome comes as OnWriteComplete.

        The item has to be advised and its first OnDataChange seen, else MXAccess answers E_INVALIDARG (0x80070057).
        A write is never repeated by the library.

        Args:
            server_handle: from `register`.
            item_handle: from `add_item`.
            value: see `to_mx_value`.
            user_id: from `authenticate_user`; 0 is no user.

        Raises:
            ValueError: NaN, infinity, or a value without a form in MXAccess.
            MxAccessError: MXAccess refused the call.
        """
        request = checked(
            pb.WriteCommand,
            server_handle=server_handle,
            item_handle=item_handle,
            value=to_mx_value(value),
            user_id=user_id,
        )
        await self.invoke(command("write", request))

    async def write2(
        self: Invoker, server_handle: int, item_handle: int, value: MxPython, timestamp: MomentLike, user_id: int = 0
    ) -> None:
        """Writes a value with a source time of its own (aware datetime); otherwise like `write`."""
        request = checked(
            pb.Write2Command,
            server_handle=server_handle,
            item_handle=item_handle,
            value=to_mx_value(value),
            timestamp_value=timestamp_value(timestamp),
            user_id=user_id,
        )
        await self.invoke(command("write2", request))

    async def write_secured(
        self: Invoker,
        server_handle: int,
        item_handle: int,
        current_user_id: int,
        verifier_user_id: int,
        value: MxPython,
    ) -> None:
        """Writes to a secured or verified attribute in the name of one or two authenticated users.

        Args:
            server_handle: from `register`.
            item_handle: from `add_item`.
            current_user_id: the operator, from `authenticate_user`.
            verifier_user_id: the verifier; the same id again for a secured write with one signature.
            value: see `to_mx_value`.
        """
        request = checked(
            pb.WriteSecuredCommand,
            server_handle=server_handle,
            item_handle=item_handle,
            current_user_id=current_user_id,
            verifier_user_id=verifier_user_id,
            value=to_mx_value(value),
        )
        await self.invoke(command("write_secured", request))

    async def write_secured2(
        self: Invoker,
        server_handle: int,
        item_handle: int,
        current_user_id: int,
        verifier_user_id: int,
        value: MxPython,
        timestamp: MomentLike,
    ) -> None:
        """`write_secured` with a source time of its own (aware datetime)."""
        request = checked(
            pb.WriteSecured2Command,
            server_handle=server_handle,
            item_handle=item_handle,
            current_user_id=current_user_id,
            verifier_user_id=verifier_user_id,
            value=to_mx_value(value),
            timestamp_value=timestamp_value(timestamp),
        )
        await self.invoke(command("write_secured2", request))

    # -------------------------------------------------------------------------------------------------------- users

    async def authenticate_user(self: Invoker, server_handle: int, verify_user: str, verify_user_password: str) -> int:
        """Checks a user's credentials and returns a user id for writes.

        With security off in the Galaxy, MXAccess returns an id for any name. The id belongs to this server handle.
        """
        request = checked(
            pb.AuthenticateUserCommand,
            server_handle=server_handle,
            verify_user=verify_user,
            verify_user_password=verify_user_password,
        )
        reply = await self.invoke(command("authenticate_user", request))
        return payload(reply, "authenticate_user", pb.AuthenticateUserReply).user_id

    async def archestra_user_to_id(self: Invoker, server_handle: int, user_id_guid: str) -> int:
        """The user id of an ArchestrA user by its GUID, without a password."""
        request = checked(pb.ArchestrAUserToIdCommand, server_handle=server_handle, user_id_guid=user_id_guid)
        reply = await self.invoke(command("archestra_user_to_id", request))
        return payload(reply, "archestra_user_to_id", pb.ArchestrAUserToIdReply).user_id

    # ------------------------------------------------------------------------------------------------------ control

    async def ping(self: Invoker, message: str = "") -> str:
        """Sends a text through gateway and worker and returns what came back."""
        return (await self.invoke(command("ping", checked(pb.PingCommand, message=message)))).diagnostic_message

    async def state(self: Invoker) -> pb.SessionState.ValueType:
        """The session's state as the gateway sees it, for example pb.SESSION_STATE_READY."""
        reply = await self.invoke(command("get_session_state", pb.GetSessionStateCommand()))
        return payload(reply, "get_session_state", pb.SessionStateReply).state

    async def worker_info(self: Invoker) -> pb.WorkerInfoReply:
        """Process id, version and backend of the session's worker."""
        reply = await self.invoke(command("get_worker_info", pb.GetWorkerInfoCommand()))
        return payload(reply, "get_worker_info", pb.WorkerInfoReply)

    async def drain_events(self: Invoker, max_events: int = 0) -> list[pb.MxEvent]:
        """Takes the events that wait for this session, at most `max_events`, 0 for all; for diagnosis, not for streams.

        Raises:
            ValueError: `max_events` is negative.
        """
        if max_events < 0:
            raise ValueError(f"max_events is {max_events}; 0 takes all that wait")
        reply = await self.invoke(command("drain_events", checked(pb.DrainEventsCommand, max_events=max_events)))
        return Events(payload(reply, "drain_events", pb.DrainEventsReply).events)

    async def shutdown_worker(self: Invoker, grace_period: timedelta = timedelta(seconds=10)) -> None:
        """Asks the worker to end in order; for diagnosis. `close` is the ordinary way. Needs the admin scope."""
        limit = Duration()
        limit.FromTimedelta(grace_period)
        await self.invoke(command("shutdown_worker", pb.ShutdownWorkerCommand(grace_period=limit)))

    async def inject_fault(self: Invoker, fault: str, parameters: Mapping[str, str] | None = None) -> None:
        """Makes the simulator misbehave as named, for tests; refused unless the gateway allows fault injection."""
        request = pb.InjectFaultCommand(fault=fault, parameters=parameters or {})
        await self.invoke(command("inject_fault", request))
