"""Whatever goes over the whole of a long command has a turn of the loop to itself, so that others wait for one step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from tests.support.gateway import LiveGateway, command, fake_settings, live_gateway

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.shares import LARGE_BODY
from mxgateway_server.commands import bodies, gate
from mxgateway_server.rpc.requests import Requests
from mxgateway_server.workers.command_table import CommandTable

GATEWAY = "/mxaccess_gateway.v1.MxAccessGateway/"
LARGE = (("grpc.max_send_message_length", 32 * 1024 * 1024),)
STEPS: tuple[tuple[str, Any, str], ...] = (
    ("taken", Requests, "_check_length"),
    ("split", bodies, "_split"),
    ("parsed", bodies, "parsed"),
    ("checked", gate, "check_command"),
    ("serialised", gate.CommandGate, "write_out"),
    ("sent", CommandTable, "submit"),
)
UNARY = ["taken", "parsed", "checked", "serialised", "sent"]
STREAMED = ["taken", "split", "parsed", "checked", "serialised", "sent"]


def array(**values: Any) -> pb.MxValue:
    return pb.MxValue(array_value=pb.MxArray(**values))


TEXT = pb.MxValue(string_value="x" * (4 * LARGE_BODY))
LONG = {
    "a text": command("WRITE", value=TEXT),
    "numbers": command("WRITE", value=array(double_values=pb.DoubleArray(values=[1.5] * LARGE_BODY))),
    "texts": command("WRITE", value=array(string_values=pb.StringArray(values=["x" * 50] * 9_000))),
    "a bulk write": command("WRITE_BULK", entries=[pb.WriteBulkEntry(value=TEXT)] * 10),
    "a bulk read": command("READ_BULK", tag_addresses=["x" * 1000] * 1000),
}


@contextmanager
def noted(monkeypatch: pytest.MonkeyPatch, turn: Callable[[], int]) -> Iterator[list[tuple[str, int]]]:
    """Each step that is taken, with the turn of the loop in which it was."""
    steps: list[tuple[str, int]] = []
    with monkeypatch.context() as patch:
        for name, holder, attribute in STEPS:
            real = getattr(holder, attribute)

            def step(*args: Any, _name: str = name, _real: Any = real, **kwargs: Any) -> Any:
                steps.append((_name, turn()))
                return _real(*args, **kwargs)

            patch.setattr(holder, attribute, step)
        yield steps


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[LiveGateway]:
    async with live_gateway(fake_settings(tmp_path)) as live:
        yield live


async def test_each_step_over_a_long_command_has_a_turn_of_its_own(
    gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await gateway.open()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count_turns())
    seen: dict[str, list[tuple[str, int]]] = {}
    async with grpc.aio.insecure_channel(gateway.running.endpoints[0].address, options=LARGE) as channel:
        for name, made in LONG.items():
            request = pb.MxCommandRequest(session_id=session, command=made).SerializeToString()
            with noted(monkeypatch, lambda: turns) as steps:
                await channel.unary_unary(GATEWAY + "Invoke")(request, metadata=gateway.auth)
            seen[f"{name}, alone"] = steps
            streamed = pb.MxStreamCommand(correlation_id="long", command=made)
            batch = pb.MxCommandBatch(session_id=session, commands=[streamed]).SerializeToString()
            with noted(monkeypatch, lambda: turns) as steps:
                stream = channel.stream_stream(GATEWAY + "InvokeStream")(iter([batch]), metadata=gateway.auth)
                assert [data async for data in stream]
            seen[f"{name}, streamed"] = steps
    counting.cancel()
    for name, steps in seen.items():
        assert [step for step, _ in steps] == (UNARY if name.endswith("alone") else STREAMED), name
        assert len({turn for _, turn in steps}) == len(steps), (name, steps)


async def test_what_was_serialised_ahead_is_what_goes_to_the_worker(
    gateway: LiveGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not serialised again in the turn in which it is judged and sent."""
    given: list[bytes | None] = []
    real = CommandTable.submit

    def submit(table: CommandTable, made: pb.MxCommand, timeout: float, data: bytes | None = None, **more: Any) -> Any:
        given.append(data)
        return real(table, made, timeout, data, **more)

    monkeypatch.setattr(CommandTable, "submit", submit)
    session = await gateway.open()
    for made in LONG.values():
        request = pb.MxCommandRequest(session_id=session, command=made)
        await gateway.stub.Invoke(request, metadata=gateway.auth)
    assert given == [made.SerializeToString() for made in LONG.values()]
