"""A whole gateway in this process, over fake workers, for component tests."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_gateway_pb2_grpc as pb_grpc
from mxgateway_contract.commands import COMMANDS, Scope
from mxgateway_protocol.clock import Clock, SystemClock
from mxgateway_server.access.constraints import FREE, Constraints
from mxgateway_server.access.peppers import load_pepper
from mxgateway_server.access.store import KeyStore
from mxgateway_server.app import Gateway
from mxgateway_server.assembled import Running
from mxgateway_server.config.settings import Settings
from mxgateway_server.config.sources import load
from mxgateway_server.sessions.picture import SessionStatus
from mxgateway_server.status import GatewayStatus

ROOT = Path(__file__).resolve().parents[2]


def fake_settings(state: Path, **flags: Any) -> Settings:
    """Settings for a gateway over fake workers, plaintext on a free port of the loopback."""
    base: dict[str, Any] = {
        "state_dir": str(state),
        "listen": "",
        "operations.enabled": False,
        "listen_plaintext": "127.0.0.1:0",
        "event_loop": "asyncio",
        "galaxy.connection_string": str(state / "empty.db"),
        "worker.command": (sys.executable, "-m", "tests.support.fake_worker"),
        "worker.working_directory": str(ROOT),
        "worker.backend": "fake",
        "worker.allowed_backend_options": ("start",),
        "worker.pool_size": 0,
        "worker.startup_timeout_seconds": 30.0,
        # Scripted workers send one heartbeat only; tests of hangs set their own limits.
        "worker.heartbeat_grace_seconds": 300.0,
        "worker.heartbeat_stuck_ceiling_seconds": 600.0,
    }
    base.update({name.replace("__", "."): value for name, value in flags.items()})
    (state / "empty.db").touch()
    return load(None, base)


async def create_key(
    settings: Settings, key_id: str, scopes: list[str], constraints: Constraints = FREE, **validity: int
) -> str:
    """A key in the gateway's store."""
    store = await open_store(settings)
    try:
        return await store.create(key_id, key_id, scopes, constraints, **validity)
    finally:
        await store.close()


async def open_store(settings: Settings) -> KeyStore:
    """The gateway's key store, as another process would open it."""
    state = settings.state_path
    return await KeyStore.open(str(state / "keys.db"), load_pepper(state / "pepper"), SystemClock())


ALL_SCOPES = [str(scope) for scope in Scope]
USUAL_SCOPES = [str(scope) for scope in Scope if scope is not Scope.ADMIN]


def bearer(key: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {key}"),)


@dataclass
class LiveGateway:
    """A running gateway and a way to call it."""

    gateway: Gateway
    running: Running
    settings: Settings
    stub: Any
    channel: grpc.aio.Channel
    key: str
    task: asyncio.Task[None]

    @property
    def auth(self) -> tuple[tuple[str, str], ...]:
        return bearer(self.key)

    def status(self) -> GatewayStatus:
        """How the gateway is doing now."""
        return self.running.status()

    def session(self, session_id: str = "") -> SessionStatus:
        """How one session is doing now; without an id the only one."""
        sessions = [each for each in self.status().sessions if session_id in ("", each.session_id)]
        (found,) = sessions
        return found

    async def perform(self, duty: str) -> None:
        """One round of a duty of the gateway's upkeep, now."""
        await self.gateway.parts.upkeep.perform(duty)

    async def open(self, start: str = "", **request: Any) -> str:
        """Opens a session and returns its id."""
        if start:
            request["backend_options"] = {"start": start}
        reply = await self.stub.OpenSession(pb.OpenSessionRequest(**request), metadata=self.auth)
        return str(reply.session_id)

    async def invoke(self, session_id: str, kind: str, **payload: Any) -> pb.MxCommandReply:
        """Runs one command by the name of its kind."""
        reply: pb.MxCommandReply = await self.stub.Invoke(
            pb.MxCommandRequest(session_id=session_id, command=command(kind, **payload)), metadata=self.auth
        )
        return reply

    async def ping(self, session_id: str, text: str = "") -> pb.MxCommandReply:
        return await self.invoke(session_id, "PING", message=text)

    async def close(self, session_id: str) -> pb.CloseSessionReply:
        reply: pb.CloseSessionReply = await self.stub.CloseSession(
            pb.CloseSessionRequest(session_id=session_id), metadata=self.auth
        )
        return reply


def command(kind: str, **payload: Any) -> pb.MxCommand:
    """A command by the name of its kind, with the fields of its payload."""
    number = pb.MxCommandKind.Value(f"MX_COMMAND_KIND_{kind}")
    made = pb.MxCommand(kind=number)
    arm = getattr(made, COMMANDS[number].payload)
    arm.SetInParent()
    arm.MergeFrom(type(arm)(**payload))
    return made


@asynccontextmanager
async def live_gateway(
    settings: Settings,
    scopes: list[str] | None = None,
    clock: Clock | None = None,
    make: Callable[[Settings, Clock | None], Gateway] = Gateway,
) -> AsyncIterator[LiveGateway]:
    """A gateway that runs until the block ends, and a key for it."""
    key = await create_key(settings, "tester", scopes or ALL_SCOPES)
    gateway = make(settings, clock)
    started: asyncio.Future[Running] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(gateway.run(started.set_result))
        await asyncio.wait((task, started), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
        running = started.result()
        plaintext = next(endpoint.address for endpoint in running.endpoints if not endpoint.is_tls)
        async with grpc.aio.insecure_channel(plaintext) as channel:
            stub = pb_grpc.MxAccessGatewayStub(channel)  # type: ignore[no-untyped-call]
            try:
                yield LiveGateway(gateway, running, settings, stub, channel, key, task)
            finally:
                gateway.request_stop()
                await task


def ok(kind: str) -> pb.MxCommandReply:
    return pb.MxCommandReply(
        kind=pb.MxCommandKind.Value(f"MX_COMMAND_KIND_{kind}"),
        protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK),
    )
