"""Secrets leave no trace: passwords, keys and nonces are in no log, file, reply, event, error or process list."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.fleeting import command_line

from mxgateway import MxAccessError, MxGatewayError
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.testing import LocalGateway

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow]

PASSWORD = "sentinel-Pa55-right"
WRONG = "sentinel-Pa55-wrong"

GALAXY = f"""
format: 1
galaxy: Secured
security: galaxy
roles:
  Operators: [operate, verify]
users:
  operator1: {{password: {PASSWORD}, fullName: Olga Operator, roles: [Operators]}}
templates:
  $Thing:
    derivedFrom: $UserDefined
    attributes:
      Value: {{type: Integer, value: 1, security: SecuredWrite}}
instances:
  Server: {{template: $WinPlatform, node: NODE}}
  Engine: {{template: $AppEngine, host: Server}}
  Area: {{template: $Area, host: Engine}}
  Thing_1: {{template: $Thing, area: Area}}
"""


@pytest.fixture
def captured_logs() -> Iterator[io.StringIO]:
    """Everything that this process logs, down to the last debug line."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


def command_lines(pid: int) -> str:
    process = psutil.Process(pid)
    return "\n".join([" ".join(process.cmdline()), *map(command_line, process.children(recursive=True))])


def environments(pid: int) -> str:
    """What another user with enough rights can read of the gateway and its workers."""
    process = psutil.Process(pid)
    return "\n".join(str(p.environ()) for p in [process, *process.children(recursive=True)])


def credentials(server: int, user: str, password: str) -> pb.MxCommand:
    command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_AUTHENTICATE_USER)
    command.authenticate_user.server_handle = server
    command.authenticate_user.verify_user = user
    command.authenticate_user.verify_user_password = password
    return command


def fault(name: str, **parameters: str) -> pb.MxCommand:
    command = pb.MxCommand(kind=pb.MX_COMMAND_KIND_INJECT_FAULT)
    command.inject_fault.fault = name
    command.inject_fault.parameters.update(parameters)
    return command


async def batch(gateway: LocalGateway, *lines: str) -> bytes:
    """Output and errors of `mxgw-py batch`, with the passwords where its documentation puts them."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mxgateway_cli",
        "batch",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "KEY": gateway.api_key, "RIGHT": PASSWORD, "WRONG": WRONG},
    )
    output, _ = await process.communicate("".join(f"{line}\n" for line in lines).encode())
    return output


async def test_credentials_reach_the_model_and_nothing_else(
    tmp_path: Path, captured_logs: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    """A right and a wrong password go all the way to the simulator; then every sink is searched for both."""
    description = tmp_path / "secured.yaml"
    description.write_text(GALAXY, encoding="utf-8")
    sinks: dict[str, bytes] = {}

    def note(name: str, *things: object) -> None:
        shown = "\n".join(f"{thing}\n{thing!r}" for thing in things)
        sinks[name] = sinks.get(name, b"") + shown.encode()

    async with LocalGateway.run(
        description,
        arguments=["--allow-fault-injection"],
        environment={"MXGATEWAY__LOGGING__LEVEL": "debug"},
        start_timeout=60,
    ) as gateway:
        note("gateway object", gateway)
        async with await gateway.connect() as client:
            note("client object", client, client.options)
            async with await client.open_session() as session, session.stream_events() as events:
                note("session object", session, session.raw)
                server = await session.register("secrets")
                with pytest.raises(MxAccessError) as refused:
                    await session.authenticate_user(server, "operator1", WRONG)
                note("refusal", refused.value, refused.value.raw_reply, vars(refused.value))
                user = await session.authenticate_user(server, "operator1", PASSWORD)
                request = pb.MxCommandRequest(
                    session_id=session.session_id,
                    command=pb.MxCommand(
                        kind=pb.MX_COMMAND_KIND_AUTHENTICATE_USER,
                        authenticate_user=pb.AuthenticateUserCommand(
                            server_handle=server, verify_user="operator1", verify_user_password=PASSWORD
                        ),
                    ),
                )
                note("raw reply", await client.invoke_raw(request))
                # Shapes that are refused must not echo what they carried.
                request.command.kind = pb.MX_COMMAND_KIND_PING
                with pytest.raises(MxGatewayError) as mismatch:
                    await client.invoke_raw(request)
                note("mismatch", mismatch.value, vars(mismatch.value))
                item = await session.add_item(server, "Thing_1.Value")
                await session.advise(server, item)
                note("event", await anext(events))
                await session.write_secured(server, item, user, user, 2)
                note("event", await anext(events))
                note("drained", *await session.drain_events())
                entry = pb.WriteSecuredBulkEntry(item_handle=item, current_user_id=user, verifier_user_id=99)
                entry.value.string_value = "no number"
                bulk = pb.MxCommand(kind=pb.MX_COMMAND_KIND_WRITE_SECURED_BULK)
                bulk.write_secured_bulk.server_handle = server
                bulk.write_secured_bulk.entries.append(entry)
                note("secured bulk", await session.invoke_raw(bulk))
                longest = WRONG * (256 // len(WRONG))
                for name, password in (("nobody", PASSWORD), ("operator1", f"{WRONG}\0"), ("DOMAIN\\", longest)):
                    bad = await session.invoke_raw(credentials(server, name, password))
                    assert bad.hresult == -2147024809
                    note("bad users", bad)
                # A backend that fails with the password in its hands, and a worker that dies after it had one.
                await session.invoke_raw(fault("fail_call", method="authenticate_user"))
                failed = await session.invoke_raw(credentials(server, "operator1", PASSWORD))
                assert failed.hresult == -2147467259
                note("failed call", failed)
                sinks["process list"] = command_lines(gateway.pid).encode()
                sinks["environments"] = environments(gateway.pid).encode()
                with pytest.raises(MxGatewayError) as died:
                    await session.invoke_raw(fault("crash"))
                note("died", died.value, vars(died.value))
            async with await client.open_session() as session:
                server = await session.register("batch")
                who = f"--session-id {session.session_id} --server-handle {server} --user operator1"
                at = f"--endpoint {gateway.endpoint} --api-key-env KEY --ca-file '{gateway.ca_file}'"
                sinks["batch"] = await batch(
                    gateway,
                    f"authenticate-user {who} {at} --password-env RIGHT --json",
                    f"authenticate-user {who} {at} --password-env WRONG --json",
                    f"authenticate-user {who} {at} --password-env WRONG --nonsense",
                )
        key_secret = gateway.api_key.split("_", 2)[2]
        for file in gateway.state_dir.rglob("*"):
            if file.is_file():
                sinks[f"file {file.relative_to(gateway.state_dir)}"] = file.read_bytes()
    out, err = capfd.readouterr()
    sinks |= {"stdout": out.encode(), "stderr": err.encode(), "client log": captured_logs.getvalue().encode()}

    gateway_log = b"".join(data for name, data in sinks.items() if name.endswith(".log"))
    assert b"session" in gateway_log, "the recorder does not see the gateway's log"
    assert b"mxgateway_worker" in sinks["process list"], "the recorder does not see the workers"
    assert b"NONCE" in sinks["environments"], "the recorder does not see the workers' environments"
    assert sinks["batch"].count(b"__MXGW_BATCH_EOR__") == 3
    assert b'"userId": 1' in sinks["batch"], sinks["batch"]
    for secret in (PASSWORD, WRONG, key_secret):
        assert [name for name, data in sinks.items() if secret.encode() in data] == []
