"""Backend options of OpenSession that the backend does not take: the caller's mistake, and told as one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import structlog
from tests.support.gateway import LiveGateway, fake_settings, live_gateway
from tests.support.waiting import eventually

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description

GALAXY_SWITCHES = {"switch.first_callback_cold_min_ms": "5000", "switch.first_callback_cold_max_ms": "4000"}
WRONG = [
    ({"profile": "nonsense"}, ["profile 'nonsense'", "test, realistic"]),
    ({"profile": "test", "colour": "red"}, ["no option colour", "profile, switch.NAME"]),
    ({"switch.nosuch": "1"}, ["no switch 'nosuch'"]),
    ({"switch.buffered_batch": "maybe"}, ["buffered_batch is true or false"]),
    (GALAXY_SWITCHES, ["first_callback_cold_min_ms is above"]),
    ({"fault.nosuch": ""}, ["nosuch"]),
    ({"fault": "nosuch:a=b"}, ["fault", "nosuch"]),
    ({"fault": "hang:a"}, ["name:key=value"]),
]


@pytest.fixture(scope="module")
def galaxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("galaxy") / "reference.db"
    build_galaxy(read_description("reference"), path)
    return path


@asynccontextmanager
async def simulated(tmp_path: Path, galaxy: Path, pool: int, **flags: Any) -> AsyncIterator[LiveGateway]:
    settings = fake_settings(
        tmp_path,
        **{
            "worker__backend": "simulator",
            "worker__command": (),
            "worker__pool_size": pool,
            "galaxy__connection_string": str(galaxy),
            "allow_fault_injection": True,
            **flags,
        },
    )
    async with live_gateway(settings) as gateway:
        await eventually(lambda: gateway.status().workers.pooled == pool)
        yield gateway


async def refusal(gateway: LiveGateway, **request: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.stub.OpenSession(pb.OpenSessionRequest(**request), metadata=gateway.auth)
    return caught.value.code(), str(caught.value.details())


@pytest.mark.parametrize("pool", [0, 1], ids=["new worker", "pooled worker"])
async def test_what_the_backend_does_not_take_is_an_invalid_argument_that_names_it(
    tmp_path: Path, galaxy: Path, pool: int
) -> None:
    async with simulated(tmp_path, galaxy, pool) as gateway:
        for options, words in WRONG:
            await eventually(lambda: gateway.status().workers.pooled == pool)
            code, text = await refusal(gateway, backend_options=options)
            assert code == grpc.StatusCode.INVALID_ARGUMENT, (options, text)
            assert text.startswith("backend_options: ")
            assert all(word in text for word in words), text
        assert gateway.status().sessions == ()
        session = await gateway.open(backend_options={"profile": "realistic"})
        await gateway.close(session)


async def test_a_backend_that_cannot_be_made_stays_unavailable(tmp_path: Path, galaxy: Path) -> None:
    """Whatever options the caller gives: not his are at fault, but the file."""
    board = tmp_path / "board"
    board.mkdir()
    async with simulated(tmp_path, galaxy, 0, worker__backend_options={"board": str(board)}) as gateway:
        for options in ({}, {"profile": "test"}):
            code, text = await refusal(gateway, backend_options=options)
            assert code == grpc.StatusCode.UNAVAILABLE
            assert "the backend cannot be created" in text


async def test_wrong_options_in_the_gateways_own_settings_are_no_callers_mistake(tmp_path: Path, galaxy: Path) -> None:
    async with simulated(tmp_path, galaxy, 0, worker__backend_options={"profile": "nonsense"}) as gateway:
        code, text = await refusal(gateway)
        assert code == grpc.StatusCode.UNAVAILABLE
        assert "profile 'nonsense'" in text


async def test_a_missing_option_is_none_of_the_callers(tmp_path: Path, galaxy: Path) -> None:
    """It names a file of the gateway's machine, which only its settings can."""
    flags = {"worker__allowed_backends": ("replay",), "worker__allowed_backend_options": ("speed",)}
    async with simulated(tmp_path, galaxy, 0, worker__backend="replay", **flags) as gateway:
        code, text = await refusal(gateway, backend_options={"speed": "2"})
        assert code == grpc.StatusCode.UNAVAILABLE
        assert "needs the option file" in text


async def test_simulated_values_are_told_to_the_operator_and_to_each_client(tmp_path: Path, galaxy: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        async with simulated(tmp_path, galaxy, 0) as gateway:
            reply = await gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=gateway.auth)
            assert (reply.backend_name, reply.is_simulated) == ("simulator", True)
    (line,) = (line for line in lines if line["event"] == "values_are_simulated")
    assert (line["log_level"], line["galaxy"]) == ("warning", "reference")


async def test_a_plants_values_are_not_called_simulated(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as lines:
        async with live_gateway(fake_settings(tmp_path)) as gateway:
            reply = await gateway.stub.OpenSession(pb.OpenSessionRequest(), metadata=gateway.auth)
            assert (reply.backend_name, reply.is_simulated) == ("fake", False)
    assert "values_are_simulated" not in [line["event"] for line in lines]
