"""A gateway whose contract has kinds that stand in proto and catalogue and nowhere else, as a program.

`python -m tests.support.grown_contract STATE_DIRECTORY` sends each of them with a free and a limited key, by Invoke and
by InvokeStream. Its last line is what came of it as JSON: kind → key → way → gRPC status or protocol status. It is a
process of its own because the contract's descriptors cannot grow once they are loaded.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool

FIRST = 900
_TYPES = {"int32": 5, "double": 1, "string": 9, "MxValue": 11}
# name → scope, fields of the payload, and what it is sent with (the handle is one that the limited key may write)
KINDS: dict[str, tuple[str, dict[str, str], dict[str, Any]]] = {
    "POKE": (
        "invoke:write",
        {"server_handle": "int32", "item_handle": "int32", "value": "MxValue"},
        {"item_handle": 1},
    ),
    "POKE_OTHER": (
        "invoke:write",
        {"server_handle": "int32", "item_handle": "int32", "value": "MxValue"},
        {"item_handle": 2},
    ),
    "NUDGE": ("invoke:write", {"server_handle": "int32", "item_handle": "int32", "amount": "double"}, {"amount": 1.0}),
    "TOGGLE": ("invoke:write", {"server_handle": "int32", "item_handle": "int32"}, {}),
    "FETCH": ("invoke:read", {"server_handle": "int32", "tag_name": "string"}, {"tag_name": "Other.PV"}),
    "SET_MANY": ("invoke:write", {"tag_addresses": "string", "values": "MxValue"}, {}),
}


class _GrowingPool:
    """The default pool; a contract that is put in has the new kinds."""

    def __init__(self, pool: descriptor_pool.DescriptorPool) -> None:
        self._pool = pool

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def AddSerializedFile(self, data: bytes) -> Any:
        file = descriptor_pb2.FileDescriptorProto.FromString(data)
        if file.name == "mxaccess_gateway.proto":
            _grow(file)
        return self._pool.AddSerializedFile(file.SerializeToString())


def _grow(file: descriptor_pb2.FileDescriptorProto) -> None:
    kinds = next(each for each in file.enum_type if each.name == "MxCommandKind")
    command = next(each for each in file.message_type if each.name == "MxCommand")
    for number, (name, (_, fields, _)) in enumerate(KINDS.items(), FIRST):
        kinds.value.add(name=f"MX_COMMAND_KIND_{name}", number=number)
        message = name.title().replace("_", "") + "Command"
        payload = file.message_type.add(name=message)
        for index, (field, kind) in enumerate(fields.items(), 1):
            is_many = field in ("tag_addresses", "values")
            added = payload.field.add(name=field, number=index, type=_TYPES[kind], label=3 if is_many else 1)  # type: ignore[arg-type]
            if kind == "MxValue":
                added.type_name = f".{file.package}.MxValue"
        command.field.add(
            name=name.lower(), number=number, type=11, label=1, oneof_index=0, type_name=f".{file.package}.{message}"
        )


def _load() -> None:
    """Loads the grown contract and puts its kinds into the catalogue, before anything of the gateway is loaded."""
    pool = descriptor_pool.Default()
    default = descriptor_pool.Default
    descriptor_pool.Default = lambda: _GrowingPool(pool)  # type: ignore[assignment, return-value]
    try:
        from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
    finally:
        descriptor_pool.Default = default
    from mxgateway_contract.commands import COMMANDS, Command, Group, Scope

    for name, (scope, _, _) in KINDS.items():
        kind = pb.MxCommandKind.Value(f"MX_COMMAND_KIND_{name}")
        COMMANDS[kind] = Command(kind, Scope(scope), Group.COM, "Writes")


async def _try(state: Path) -> dict[str, Any]:
    import grpc

    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
    from mxgateway_server.access.constraints import Constraints
    from tests.support.gateway import ALL_SCOPES, bearer, command, create_key, fake_settings, live_gateway

    limits = Constraints(read_tag_globs=("Mine.PV",), write_tag_globs=("Mine.PV",))
    found: dict[str, Any] = {name: {} for name in KINDS}
    async with live_gateway(fake_settings(state)) as live:
        keys = {"free": live.key, "limited": await create_key(live.settings, "limited", ALL_SCOPES, limits)}
        for key, secret in keys.items():
            live.key = secret
            session = await live.open()
            await live.invoke(session, "ADD_ITEM", server_handle=1, item_definition="Mine.PV")
            if key == "free":
                await live.invoke(session, "ADD_ITEM", server_handle=1, item_definition="Other.PV")
            for name, (_, fields, given) in KINDS.items():
                usual = {"server_handle": 1, "item_handle": 1, "value": pb.MxValue(int32_value=5)}
                payload = {field: usual[field] for field in fields if field in usual} | given
                made = command(name, **payload)
                ways = found[name][key] = {}
                try:
                    reply = await live.stub.Invoke(
                        pb.MxCommandRequest(session_id=session, command=made), metadata=live.auth
                    )
                    ways["Invoke"] = pb.ProtocolStatusCode.Name(reply.protocol_status.code)
                except grpc.aio.AioRpcError as error:
                    ways["Invoke"] = error.code().name
                stream = live.stub.InvokeStream(metadata=bearer(secret))
                await stream.write(
                    pb.MxCommandBatch(
                        session_id=session, commands=[pb.MxStreamCommand(correlation_id="c", command=made)]
                    )
                )
                (reply,) = (await stream.read()).replies
                ways["InvokeStream"] = pb.ProtocolStatusCode.Name(reply.protocol_status.code)
                await stream.done_writing()
                await stream.read()
    return found


if __name__ == "__main__":
    _load()
    print(json.dumps(asyncio.run(_try(Path(sys.argv[1])))))
