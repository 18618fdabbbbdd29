"""The whole table of who may do what: each RPC and kind × each sort of key, unary and on the command stream.

What is expected stands in `tests.support.access_table`, not in the gateway's own catalogue. One gateway serves all.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from tests.support.access_table import KINDS, METHODS, NO_SESSION, RPCS, SESSION_RPCS, command_of, request_of
from tests.support.gateway import ALL_SCOPES, LiveGateway, bearer, create_key, fake_settings, live_gateway, open_store
from tests.support.waiting import eventually

from mxgateway.generated import galaxy_repository_pb2 as gpb
from mxgateway.generated import galaxy_repository_pb2_grpc as gpb_grpc
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.commands import COMMANDS
from mxgateway_contract.varints import varint
from mxgateway_server.access.constraints import FREE, Constraints
from mxgateway_server.access.scopes import COMMAND_SCOPES, RPC_SCOPES, scopes_of_rpc
from mxgateway_server.access.shares import LARGE_BODY

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.shares_processes, pytest.mark.timeout(120)]

STRANGER, DENIED, FOREIGN, ENTRY = "UNAUTHENTICATED", "PERMISSION_DENIED", "SESSION_OWNER_MISMATCH", "entry refused"
REFUSALS = (STRANGER, DENIED, FOREIGN, ENTRY)
Metadata = tuple[tuple[str, str], ...]
TAGS = ("DosingPump_1.Note", "Classes.Tune", "Classes.SecuredWrite")
"""One that every limited key may touch, one that none may, one that wants a signature."""


@dataclass(slots=True)
class Table:
    """A gateway with a session, and a way to ask it for one row."""

    gateway: LiveGateway
    session: str = ""
    handles: dict[str, int] = field(default_factory=dict)
    answers: set[str] = field(default_factory=set)
    """What strangers were told."""

    async def key(self, key_id: str, scopes: Iterable[str] = ALL_SCOPES, limits: Constraints = FREE) -> Metadata:
        raw = await create_key(self.gateway.settings, key_id, list(scopes), limits)
        # After many failures of strangers a new key is looked for at the next turn, not at once.
        await self.gateway.perform("check-keys")
        return bearer(raw)

    async def rpc(self, method: str, request: Any, metadata: Metadata) -> str:
        """How a call begins: `passes`, or who is refused what."""
        found = METHODS[method]
        sort = f"{'stream' if found.client_streaming else 'unary'}_{'stream' if found.server_streaming else 'unary'}"
        multi = getattr(self.gateway.channel, sort)(
            method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=GetMessageClass(found.output_type).FromString,
        )
        call = multi(iter([request]) if found.client_streaming else request, metadata=metadata)
        try:
            if found.server_streaming:
                await call.read()
                call.cancel()
            else:
                await call
        except grpc.aio.AioRpcError as error:
            return self._refusal(await refused_unheard(multi, metadata) if is_own_doing(error) else error)
        return "passes"

    def _refusal(self, error: grpc.aio.AioRpcError) -> str:
        reason = "none"
        status = rpc_status.from_call(error)
        if status is not None:
            info = error_details_pb2.ErrorInfo()
            assert status.details[0].Unpack(info)
            reason = info.reason
        if error.code() == grpc.StatusCode.UNAUTHENTICATED:
            self.answers.add(f"{reason}: {error.details()}")
        if reason in REFUSALS:
            return reason
        assert error.code() not in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
        # What is broken passes nothing.
        assert error.code() not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN), error.details()
        return "passes"

    async def unary(self, kind: str, tag: str, metadata: Metadata, session: str = "") -> str:
        """One command by Invoke."""
        made = command_of(kind, tag, self.handles[tag])
        request = pb.MxCommandRequest(session_id=session or self.session, command=made)
        try:
            reply = await self.gateway.stub.Invoke(request, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return self._refusal(error)
        return of_reply(reply)

    async def streamed(self, tag: str, metadata: Metadata, session: str = "") -> dict[str, str]:
        """Every kind by one command stream."""
        call = self.gateway.stub.InvokeStream(metadata=metadata)
        commands = [
            pb.MxStreamCommand(correlation_id=kind, command=command_of(kind, tag, self.handles[tag])) for kind in KINDS
        ]
        found: dict[str, str] = {}
        try:
            await call.write(pb.MxCommandBatch(session_id=session or self.session, commands=commands))
            while len(found) < len(KINDS):
                found |= {reply.correlation_id: of_reply(reply) for reply in (await call.read()).replies}
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            if not isinstance(error, grpc.aio.AioRpcError) or is_own_doing(error):
                error = await refused_unheard(self.gateway.stub.InvokeStream, metadata)
            return dict.fromkeys(KINDS, self._refusal(error))
        await call.done_writing()
        await call.code()
        return found

    async def kinds(self, tag: str, metadata: Metadata, session: str = "") -> dict[str, tuple[str, str]]:
        """Every kind → what it comes to unary and streamed."""
        unary = await asyncio.gather(*(self.unary(kind, tag, metadata, session) for kind in KINDS))
        streamed = await self.streamed(tag, metadata, session)
        return {kind: (alone, streamed[kind]) for kind, alone in zip(KINDS, unary, strict=True)}


def is_own_doing(error: grpc.aio.AioRpcError) -> bool:
    """Whether the client's gRPC hides the gateway's answer: it was about to write when the call had ended already."""
    return error.code() == grpc.StatusCode.INTERNAL and error.details() == "Internal error from Core"


async def refused_unheard(stream: Any, metadata: Metadata) -> grpc.aio.AioRpcError:
    """How a stream ends that says nothing: whoever was refused before he could write is refused again."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream(metadata=metadata).read()
    return caught.value


def of_reply(reply: pb.MxCommandReply) -> str:
    if reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_PERMISSION_DENIED:
        return DENIED
    arm = reply.WhichOneof("payload")
    results = getattr(getattr(reply, arm), "results", ()) if arm else ()
    return ENTRY if any(not each.was_successful and "API key" in each.error_message for each in results) else "passes"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def table(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Table]:
    settings = fake_settings(
        tmp_path_factory.mktemp("state"),
        galaxy__connection_string="secured",
        protocol__reflection=True,
        allow_fault_injection=True,
        authentication__throttle_seconds=0,
        sessions__max_event_subscribers_per_session=1000,
    )
    async with live_gateway(settings) as gateway:
        await gateway.gateway.parts.galaxy.settled()
        made = Table(gateway, await gateway.open())
        for tag in TAGS:
            reply = await gateway.invoke(made.session, "ADD_ITEM", server_handle=1, item_definition=tag)
            made.handles[tag] = reply.add_item.item_handle
        await gateway.ping(made.session, "emit 1")
        yield made


def wrong(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """The rows that are not as they should be."""
    assert found.keys() == expected.keys()
    return {name: (found[name], expected[name]) for name in expected if found[name] != expected[name]}


def both(expected: dict[str, str]) -> dict[str, tuple[str, str]]:
    return {kind: (outcome, outcome) for kind, outcome in expected.items()}


async def test_nothing_is_unlisted() -> None:
    assert METHODS.keys() == RPCS.keys()
    assert {method: scopes_of_rpc(method) for method in METHODS} == RPCS
    # Methods that somebody else's tools ask for, and that this gateway does not serve.
    assert RPC_SCOPES.keys() - METHODS.keys() == {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"}
    kinds = {name.removeprefix("MX_COMMAND_KIND_") for name, number in pb.MxCommandKind.items() if number}
    assert kinds == KINDS.keys()
    assert {facts.name: COMMAND_SCOPES[number] for number, facts in COMMANDS.items()} == {
        name: {kind.scope} for name, kind in KINDS.items()
    }


async def strangers(table: Table) -> dict[str, Metadata]:
    """Every way to have no valid key."""
    second = 1_000_000_000
    settings = table.gateway.settings
    found: dict[str, Metadata] = {
        "no key": (),
        "empty": (("authorization", ""),),
        "another scheme": (("authorization", "Basic dGVzdGVyOnRlc3Rlcg=="),),
        "no scheme": (("authorization", table.gateway.key),),
        "no secret": bearer("mxgw_tester"),
        "cut off": bearer(table.gateway.key[:-1]),
        "too long": bearer(f"{table.gateway.key}{'x' * 400}"),
        "wrong secret": bearer(f"mxgw_tester_{'x' * 43}"),
        "unknown id": bearer(table.gateway.key.replace("tester", "nobody")),
        "expired": bearer(await create_key(settings, "expired", ALL_SCOPES, expires_ns=second)),
        "not yet valid": bearer(await create_key(settings, "early", ALL_SCOPES, not_before_ns=4_000_000_000 * second)),
        **{name: await table.key(name) for name in ("revoked", "rotated", "deleted")},
    }
    store = await open_store(settings)
    try:
        await store.revoke("revoked")
        await store.rotate("rotated")
        await store.revoke("deleted")
        await store.delete("deleted")
    finally:
        await store.close()
    return found


async def test_strangers_get_one_answer_wherever_they_knock(table: Table) -> None:
    table.answers.clear()
    for name, metadata in (await strangers(table)).items():
        for method, needed in RPCS.items():
            expected = STRANGER if needed else "passes"
            assert await table.rpc(method, request_of(method, table.session), metadata) == expected, (name, method)
        refused = dict.fromkeys(KINDS, STRANGER)
        assert not wrong(await table.kinds(TAGS[0], metadata), both(refused)), name
    (answer,) = table.answers
    assert "key" in answer


def scoped_keys() -> Iterable[tuple[str, list[str]]]:
    """Each scope missing, and each alone beside admin, which opens the sessions of others and nothing else."""
    for scope in ALL_SCOPES:
        name = scope.replace(":", "-")
        yield f"without-{name}", [each for each in ALL_SCOPES if each != scope]
        yield f"only-{name}", sorted({scope, "admin"})


async def test_each_scope_opens_what_it_says_and_nothing_else(table: Table) -> None:
    for name, scopes in scoped_keys():
        metadata, session = await table.key(name, scopes), table.session
        if "admin" not in scopes:
            session = (await table.gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=metadata)).session_id
            for tag, handle in table.handles.items():
                request = pb.MxCommandRequest(session_id=session, command=command_of("ADD_ITEM", tag))
                assert (await table.gateway.stub.Invoke(request, metadata=metadata)).add_item.item_handle == handle
            ping = pb.MxCommandRequest(session_id=session, command=pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING))
            ping.command.ping.message = "emit 1"
            await table.gateway.stub.Invoke(ping, metadata=metadata)
        for method, needed in RPCS.items():
            # To close it is the last thing that is done with a session.
            request = request_of(method, NO_SESSION if method.endswith("CloseSession") else session)
            expected = "passes" if not needed or needed & set(scopes) else DENIED
            if method.endswith(("Invoke", "InvokeStream")) and "invoke:read" not in scopes:
                # It passes the RPC, and its Ping does not pass by itself.
                expected = "passes" if method.endswith("Stream") and needed & set(scopes) else DENIED
            assert await table.rpc(method, request, metadata) == expected, (name, method)
        rows = {each: "passes" if kind.scope in scopes else DENIED for each, kind in KINDS.items()}
        assert not wrong(await table.kinds(TAGS[0], metadata, session), both(rows)), name


async def test_what_wants_a_signature_is_not_written_without_its_scope_by_whoever_has_supervisory_connections(
    table: Table,
) -> None:
    metadata = await table.key("no-signature", [scope for scope in ALL_SCOPES if scope != "invoke:secure"])
    plain_writes = {"write": DENIED, "writes": ENTRY}
    for tag, refused in ((TAGS[0], {}), (TAGS[2], plain_writes)):
        rows = {
            name: DENIED if kind.scope == "invoke:secure" else refused.get(kind.reach, "passes")
            for name, kind in KINDS.items()
        }
        assert not wrong(await table.kinds(tag, metadata), both(rows)), tag


LIMITS = {
    "read_subtrees": Constraints(read_subtrees=("*DosingPump_1",)),
    "read_tag_globs": Constraints(read_tag_globs=("DosingPump_1.*",)),
    "write_subtrees": Constraints(write_subtrees=("*DosingPump_1",)),
    "write_tag_globs": Constraints(write_tag_globs=("DosingPump_1.*",)),
    "max_write_classification": Constraints(max_write_classification=1),
    "browse_subtrees": Constraints(browse_subtrees=("*DosingPump_1",)),
    "read_only": Constraints(read_only=True),
    # What a key sees of the alarms; no command of a session shows any.
    "alarm_areas": Constraints(alarm_areas=("Nowhere",)),
    "alarm_min_priority": Constraints(alarm_min_priority=1),
}


def limited(limit: str, kind: str, tag: str) -> str:
    """What a limit makes of a kind on a tag."""
    facts = KINDS[kind]
    if limit == "read_only":
        return DENIED if facts.changes else "passes"
    reach = {"read": ("name", "names"), "write": ("write", "writes"), "max": ("write", "writes")}
    if tag == TAGS[0] or facts.reach not in reach.get(limit.partition("_")[0], ()):
        return "passes"
    return ENTRY if facts.reach.endswith("s") else DENIED


async def test_each_limit_holds_for_each_kind_that_it_concerns(table: Table) -> None:
    assert LIMITS.keys() == set(Constraints.__dataclass_fields__)
    for (limit, constraints), tag in itertools.product(LIMITS.items(), TAGS[:2]):
        metadata = await table.key(f"{limit.replace('_', '-')}-{TAGS.index(tag)}", ALL_SCOPES, constraints)
        rows = {kind: limited(limit, kind, tag) for kind in KINDS}
        assert not wrong(await table.kinds(tag, metadata), both(rows)), (limit, tag)


@pytest.mark.parametrize("name", ["DiscoverHierarchy", "BrowseChildren"])
async def test_who_may_browse_a_subtree_sees_nothing_beside_it(table: Table, name: str) -> None:
    metadata = await table.key(f"browser-{name}", ALL_SCOPES, LIMITS["browse_subtrees"])
    call = getattr(gpb_grpc.GalaxyRepositoryStub(table.gateway.channel), name)  # type: ignore[no-untyped-call]
    field_of = {"DiscoverHierarchy": "root_tag_name", "BrowseChildren": "parent_tag_name"}[name]
    request = getattr(gpb, f"{name}Request")
    await call(request(**{field_of: "DosingPump_1"}), metadata=metadata)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(request(**{field_of: "Classes"}), metadata=metadata)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_nobody_reaches_the_session_of_another_and_the_scope_is_asked_before_it(table: Table) -> None:
    everything = [scope for scope in ALL_SCOPES if scope != "admin"]
    for scopes in (everything, *([scope] for scope in everything)):
        metadata = await table.key(f"another-{scopes[0].replace(':', '-')}-{len(scopes)}", scopes)
        for method, needed in RPCS.items():
            if method.endswith(SESSION_RPCS):
                expected = FOREIGN if needed & set(scopes) else DENIED
                if method.endswith("Invoke") and "invoke:read" not in scopes:
                    expected = DENIED
                assert await table.rpc(method, request_of(method, table.session), metadata) == expected, method
        passes_the_call = RPCS["/mxaccess_gateway.v1.MxAccessGateway/InvokeStream"] & set(scopes)
        streamed = FOREIGN if passes_the_call else DENIED
        rows = {name: (FOREIGN if kind.scope in scopes else DENIED, streamed) for name, kind in KINDS.items()}
        assert not wrong(await table.kinds(TAGS[0], metadata), rows), scopes


def wrapped(number: int, inner: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(inner)) + inner


def two_faced(kind: str, handle: int) -> bytes:
    """A long command that is a ping at a glance, and this kind for whoever parses it: of two kinds the last counts."""
    made = command_of(kind, TAGS[0], handle)
    payload = getattr(made, COMMANDS[made.kind].payload)
    value = pb.MxValue(string_value="x" * (2 * LARGE_BODY))
    if "entries" in payload.DESCRIPTOR.fields_by_name:
        payload.entries[0].value.CopyFrom(value)
    else:
        payload.value.CopyFrom(value)
    return pb.MxCommand(kind=pb.MX_COMMAND_KIND_PING).SerializeToString() + made.SerializeToString()


@pytest.mark.parametrize("limit", ["read_only", "write_tag_globs"])
async def test_a_long_write_in_the_guise_of_a_ping_is_judged_as_the_write_that_it_is(table: Table, limit: str) -> None:
    constraints = {"read_only": LIMITS["read_only"], "write_tag_globs": Constraints(write_tag_globs=("Nobody.*",))}
    metadata = await table.key(f"guise-{limit.replace('_', '-')}", ALL_SCOPES, constraints[limit])
    command_field = pb.MxCommandRequest.COMMAND_FIELD_NUMBER
    for kind, facts in KINDS.items():
        if not facts.reach.startswith("write"):
            continue
        body = two_faced(kind, table.handles[TAGS[0]])
        request = pb.MxCommandRequest(session_id=table.session).SerializeToString() + wrapped(command_field, body)
        alone = table.gateway.channel.unary_unary("/mxaccess_gateway.v1.MxAccessGateway/Invoke")
        expected = DENIED if limit == "read_only" else limited(limit, kind, TAGS[1])
        try:
            answer = of_reply(pb.MxCommandReply.FromString(await alone(request, metadata=metadata)))
        except grpc.aio.AioRpcError as error:
            answer = error.code().name
        assert answer == expected, kind
        streamed = pb.MxStreamCommand(correlation_id=kind).SerializeToString()
        streamed += wrapped(pb.MxStreamCommand.COMMAND_FIELD_NUMBER, body)
        batch = pb.MxCommandBatch(session_id=table.session).SerializeToString()
        batch += wrapped(pb.MxCommandBatch.COMMANDS_FIELD_NUMBER, streamed)
        stream = table.gateway.channel.stream_stream("/mxaccess_gateway.v1.MxAccessGateway/InvokeStream")
        (data,) = [data async for data in stream(iter([batch]), metadata=metadata)]
        (reply,) = pb.MxCommandReplyBatch.FromString(data).replies
        assert of_reply(reply) == expected, kind


@pytest.mark.parametrize("name", ["DiscoverHierarchy", "BrowseChildren"])
async def test_a_keys_queries_of_the_galaxy_wait_for_its_turn_and_those_of_others_do_not(
    table: Table, name: str
) -> None:
    held, beside = f"held-{name}", f"beside-{name}"
    own, other = await table.key(held), await table.key(beside)
    turn = table.gateway.gateway.parts.shares.of(held).turn
    call = getattr(gpb_grpc.GalaxyRepositoryStub(table.gateway.channel), name)  # type: ignore[no-untyped-call]
    request = getattr(gpb, f"{name}Request")()
    async with turn:
        waiting = call(request, metadata=own)
        await eventually(lambda: bool(turn._waiters))
        await call(request, metadata=other)
        assert not waiting.done()
    await waiting


async def test_whoever_may_is_let_through(table: Table) -> None:
    metadata = table.gateway.auth
    for method in RPCS:
        request = request_of(method, NO_SESSION if method.endswith("CloseSession") else table.session)
        assert await table.rpc(method, request, metadata) == "passes", method
    assert not wrong(await table.kinds(TAGS[1], metadata), both(dict.fromkeys(KINDS, "passes")))
    session = await table.gateway.open()
    assert (await table.gateway.close(session)).final_state == pb.SESSION_STATE_CLOSED
