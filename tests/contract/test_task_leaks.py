"""The check for tasks that a test leaves behind is strict with ours and patient with gRPC's."""

from __future__ import annotations

import asyncio

import grpc.aio
import pytest
from tests.support.task_leaks import belongs_to_grpc, check_tasks


async def test_a_task_of_ours_fails_at_once() -> None:
    before = asyncio.all_tasks()
    forgotten = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
    with pytest.raises(AssertionError, match="forgotten"):
        await check_tasks(before)
    forgotten.cancel()


async def test_a_cancelled_call_is_waited_for() -> None:
    """Nobody listens at the address, so the call is under way until it is cancelled."""
    before = asyncio.all_tasks()
    async with grpc.aio.insecure_channel("unix:///nobody/listens") as channel:
        call = channel.unary_stream("/service/method")(b"", wait_for_ready=True)
        reading = asyncio.create_task(call.read())
        await asyncio.sleep(0)
        of_grpc = {task for task in asyncio.all_tasks() - before if task is not reading}
        assert of_grpc
        assert all(map(belongs_to_grpc, of_grpc))
        assert not belongs_to_grpc(reading)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    await check_tasks(before)


async def test_the_tasks_of_a_server_are_waited_for() -> None:
    """The handler has answered and the server is stopped; that the answer was sent, gRPC hears a moment later."""

    async def echo(request: bytes, context: object) -> bytes:
        during.update((task.get_name(), belongs_to_grpc(task)) for task in asyncio.all_tasks() - before)
        return request

    before = asyncio.all_tasks()
    during: set[tuple[str, bool]] = set()
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("service", {"method": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert await channel.unary_unary("/service/method")(b"x") == b"x"
    await server.stop(None)
    await check_tasks(before)
    assert ("rpc_task", True) in during
    assert [name for name, of_grpc in during if not of_grpc] == []
