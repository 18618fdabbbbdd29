"""Structure-aware fuzzing of commands: whatever comes, there is one well-formed reply, and the session goes on.

`MXGATEWAY_FUZZ_COMMANDS` sets the number of commands (1,500 by default), `MXGATEWAY_FUZZ_SEED` the seed.
"""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Sequence

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from tests.contract.conftest import BackendCase
from tests.support.direct_executor import SESSION_ID, DirectSession

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_worker.event_queue import Policy

COUNT = int(os.environ.get("MXGATEWAY_FUZZ_COMMANDS", "1500"))
SEED = int(os.environ.get("MXGATEWAY_FUZZ_SEED", "1"))

TEXTS = ("", "Tank.Level", "tank.count", "Tank.Nothing", "silent.x", "a" * 3000, "\x00", "é\U0001f600", "x[]", "Me.PV")
INTEGERS = (0, 1, 2, 3, -1, 2**31 - 1, -(2**31), 7, 192)
FLOATS = (0.0, -0.0, 1.5, float("nan"), float("inf"), 1e300, 5e-324)


def single(chance: random.Random, field: FieldDescriptor, depth: int) -> object:
    kind = field.type
    if kind == FieldDescriptor.TYPE_STRING:
        return chance.choice(TEXTS)
    if kind == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.randrange(5))
    if kind == FieldDescriptor.TYPE_BOOL:
        return chance.random() < 0.5
    if kind in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_ENUM):
        return chance.choice(INTEGERS)
    if kind in (FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64):
        return abs(chance.choice(INTEGERS[:-3]))
    if kind == FieldDescriptor.TYPE_INT64:
        return chance.choice((*INTEGERS, 2**63 - 1, -(2**63), 2**40))
    if kind == FieldDescriptor.TYPE_FLOAT:
        value = chance.choice(FLOATS)
        return value if abs(value) < 1e38 or value in (float("inf"),) else 0.5
    if kind == FieldDescriptor.TYPE_DOUBLE:
        return chance.choice((*FLOATS, struct.unpack("<d", chance.randbytes(8))[0]))
    raise AssertionError(f"a field type that the fuzzer does not know: {field.full_name}")


def fill(chance: random.Random, message: Message, depth: int) -> None:
    """Sets fields of a message at random, submessages down to a depth."""
    descriptor: Descriptor = message.DESCRIPTOR
    for field in descriptor.fields:
        if chance.random() < 0.35 or (field.message_type is not None and depth <= 0):
            continue
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if is_map:
            getattr(message, field.name)[chance.choice(TEXTS)] = chance.choice(TEXTS)
        elif field.is_repeated:
            for _ in range(chance.choice((0, 1, 2, 5))):
                if field.message_type is not None:
                    fill(chance, getattr(message, field.name).add(), depth - 1)
                else:
                    getattr(message, field.name).append(single(chance, field, depth))
        elif field.message_type is not None:
            target = getattr(message, field.name)
            target.SetInParent()
            fill(chance, target, depth - 1)
        else:
            setattr(message, field.name, single(chance, field, depth))


def random_command(chance: random.Random, arms: Sequence[FieldDescriptor]) -> pb.MxCommand:
    command = pb.MxCommand()
    arm = chance.choice(arms)
    payload = getattr(command, arm.name)
    payload.SetInParent()
    fill(chance, payload, 4)
    if chance.random() < 0.9:
        command.kind = pb.MxCommandKind.Value(f"MX_COMMAND_KIND_{arm.name.upper()}")
    else:
        command.kind = chance.choice(INTEGERS)
    return command


def mutated(chance: random.Random, command: pb.MxCommand) -> pb.MxCommand:
    """The command with some of its bytes changed, when that still parses."""
    data = bytearray(command.SerializeToString())
    for _ in range(chance.randrange(1, 4)):
        if data:
            data[chance.randrange(len(data))] = chance.randrange(256)
    try:
        return pb.MxCommand.FromString(bytes(data))
    except DecodeError:
        return command


def test_whatever_a_command_holds_it_is_answered(backend_case: BackendCase) -> None:
    """Random payloads, kinds and bytes: a reply of the command's kind comes, and never an exception."""
    chance = random.Random(SEED)
    arms = list(pb.MxCommand.DESCRIPTOR.oneofs_by_name["payload"].fields)
    session = DirectSession(backend_case.make(), Policy.DROP_OLDEST, capacity=100, clock=backend_case.clock)
    codes: set[int] = set()
    for _ in range(COUNT):
        command = random_command(chance, arms)
        if chance.random() < 0.3:
            command = mutated(chance, command)
        # The caller waits a second, so that reads of silent tags stay short.
        reply = session.command(command, expires=session.clock.monotonic() + 1)
        assert (reply.session_id, reply.correlation_id, reply.kind) == (SESSION_ID, "c1", command.kind)
        if reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE:
            # Without an HRESULT it was an exception that no MXAccess would have.
            assert reply.HasField("hresult"), (command, reply)
        codes.add(reply.protocol_status.code)
        session.pump()
    assert codes == {
        pb.PROTOCOL_STATUS_CODE_OK,
        pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST,
        pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE,
    }
    assert session.call("ping", message="still here").diagnostic_message == "still here"
    assert session.lost == []
