"""Structure-aware fuzzing of commands: whatever comes, there is one well-formed reply, and the session goes on.

`MXGATEWAY_FUZZ_COMMANDS` sets the number of commands (1,500 by default), `MXGATEWAY_FUZZ_SEED` the seed.
"""

from __future__ import annotations

import os
import random
import struct
from collections import Counter
from collections.abc import Sequence

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from tests.contract.conftest import BackendCase
from tests.support.direct_executor import SESSION_ID, DirectSession

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_contract.commands import COMMANDS
from mxgateway_contract.status import MxStatus
from mxgateway_worker.event_queue import Policy

COUNT = int(os.environ.get("MXGATEWAY_FUZZ_COMMANDS", "1500"))
SEED = int(os.environ.get("MXGATEWAY_FUZZ_SEED", "1"))

TEXTS = ("", "Tank.Level", "tank.count", "Tank.Nothing", "silent.x", "a" * 3000, "\x00", "é\U0001f600", "x[]", "Me.PV")
INTEGERS = (0, 1, 2, 3, -1, 2**31 - 1, -(2**31), 7, 192)
FLOATS = (0.0, -0.0, 1.5, float("nan"), float("inf"), 1e300, 5e-324)
SECONDS = (0, 1_750_000_000, -62_135_596_800, 253_402_300_799, 253_402_300_800)
OMITTED = dict.fromkeys(("server_handle", "item_handle", "item_handles", "value", "entries", "timestamp_value"), 0.05)
OMITTED["is_null"] = 0.9
"""How likely a field is left out, where a command without it would never get far."""
BUILDING = ("add_item", "advise", "advise_supervisory", "subscribe_bulk", "advise_item_bulk", "write", "write_bulk")
ENDING = ("unregister", "remove_item", "remove_item_bulk", "un_advise_item_bulk", "unsubscribe_bulk", "un_advise")
WEIGHTS = dict.fromkeys(BUILDING, 4.0) | dict.fromkeys(ENDING, 0.25)
"""How often kinds come: sessions are to be built up faster than they are taken down."""

KNOWN_FAILURES = {
    pb.MX_EVENT_FAMILY_ON_DATA_CHANGE: set(COMMANDS[pb.MX_COMMAND_KIND_ADVISE].statuses),
    pb.MX_EVENT_FAMILY_ON_BUFFERED_DATA_CHANGE: set(COMMANDS[pb.MX_COMMAND_KIND_ADD_BUFFERED_ITEM].statuses),
    pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE: {
        *COMMANDS[pb.MX_COMMAND_KIND_WRITE].statuses, *COMMANDS[pb.MX_COMMAND_KIND_WRITE_SECURED].statuses
    },
    pb.MX_EVENT_FAMILY_OPERATION_COMPLETE: set[MxStatus](),
    pb.MX_EVENT_FAMILY_ON_ALARM_TRANSITION: set[MxStatus](),
    pb.MX_EVENT_FAMILY_ON_ALARM_PROVIDER_MODE_CHANGED: set[MxStatus](),
}  # fmt: skip
"""What the catalogue of commands says of failures that come by event."""


class Fuzzer:
    """Makes commands: any payload with any fields, but handles and references mostly such as the session knows."""

    def __init__(self, chance: random.Random, references: Sequence[str]) -> None:
        self._chance = chance
        self._references = references
        self._arms = list(pb.MxCommand.DESCRIPTOR.oneofs_by_name["payload"].fields)
        self._weights = [WEIGHTS.get(arm.name, 1.0) for arm in self._arms]
        self._servers: list[int] = []
        self._items: list[tuple[int, int]] = []
        self._aim = (1, [1])

    def learn(self, command: pb.MxCommand, reply: pb.MxCommandReply) -> None:
        """Notes the handles that a reply gave, and forgets those that a command ended."""
        if reply.protocol_status.code != pb.PROTOCOL_STATUS_CODE_OK:
            return
        if reply.kind == pb.MX_COMMAND_KIND_UNREGISTER:
            gone = command.unregister.server_handle
            self._servers = [server for server in self._servers if server != gone]
            self._items = [(server, item) for server, item in self._items if server != gone]
        if reply.HasField("register"):
            self._servers = [*self._servers, reply.register.server_handle][-3:]
        for arm in ("add_item", "add_item2", "add_buffered_item"):
            if reply.HasField(arm):
                server = getattr(command, arm).server_handle
                self._items.append((server, getattr(reply, arm).item_handle))
        for arm in ("add_item_bulk", "subscribe_bulk"):
            if reply.HasField(arm):
                results = getattr(reply, arm).results
                self._items += [(result.server_handle, result.item_handle) for result in results if result.item_handle]
        self._items = self._items[-12:]

    def command(self) -> pb.MxCommand:
        chance = self._chance
        server = chance.choice(self._servers or [1])
        self._aim = server, [item for at, item in self._items if at == server] or [1]
        command = pb.MxCommand()
        (arm,) = chance.choices(self._arms, self._weights)
        if not self._servers and chance.random() < 0.5:
            arm = self._arms[0]
        payload = getattr(command, arm.name)
        payload.SetInParent()
        self._fill(payload, 4)
        if chance.random() < 0.9:
            command.kind = pb.MxCommandKind.Value(f"MX_COMMAND_KIND_{arm.name.upper()}")
        else:
            command.kind = chance.choice(INTEGERS)
        return self._mutated(command) if chance.random() < 0.2 else command

    def _fill(self, message: Message, depth: int) -> None:
        """Sets fields of a message at random, submessages down to a depth."""
        chance = self._chance
        descriptor: Descriptor = message.DESCRIPTOR
        # Of a oneof, one arm: set one after the other, the last would always win.
        arms = {chance.choice(oneof.fields).name for oneof in descriptor.oneofs}
        for field in descriptor.fields:
            if field.message_type is not None and depth <= 0:
                continue
            if field.containing_oneof is not None and field.name not in arms:
                continue
            if chance.random() < OMITTED.get(field.name, 0.35):
                continue
            is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
            if is_map:
                getattr(message, field.name)[chance.choice(TEXTS)] = chance.choice(TEXTS)
            elif field.is_repeated:
                for _ in range(chance.choice((0, 1, 2, 5))):
                    if field.message_type is not None:
                        self._fill(getattr(message, field.name).add(), depth - 1)
                    else:
                        getattr(message, field.name).append(self._single(field))
            elif field.message_type is not None:
                target = getattr(message, field.name)
                target.SetInParent()
                self._fill(target, depth - 1)
            else:
                setattr(message, field.name, self._single(field))

    def _single(self, field: FieldDescriptor) -> object:
        chance, kind = self._chance, field.type
        if kind == FieldDescriptor.TYPE_STRING:
            return chance.choice(self._references if chance.random() < 0.7 else TEXTS)
        if kind == FieldDescriptor.TYPE_BYTES:
            return chance.randbytes(chance.randrange(5))
        if kind == FieldDescriptor.TYPE_BOOL:
            return chance.random() < 0.5
        if field.name in ("server_handle", "item_handle", "item_handles") and chance.random() < 0.9:
            server, items = self._aim
            return server if field.name == "server_handle" else chance.choice(items)
        if kind in (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_ENUM):
            return chance.choice(INTEGERS)
        if kind in (FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64):
            return abs(chance.choice(INTEGERS[:-3]))
        if kind == FieldDescriptor.TYPE_INT64:
            return chance.choice((*INTEGERS, *SECONDS, 2**63 - 1, -(2**63), 2**40))
        if kind == FieldDescriptor.TYPE_FLOAT:
            value = chance.choice(FLOATS)
            return value if abs(value) < 1e38 or value in (float("inf"),) else 0.5
        if kind == FieldDescriptor.TYPE_DOUBLE:
            return chance.choice((*FLOATS, struct.unpack("<d", chance.randbytes(8))[0]))
        raise AssertionError(f"a field type that the fuzzer does not know: {field.full_name}")

    def _mutated(self, command: pb.MxCommand) -> pb.MxCommand:
        """The command with some of its bytes changed, when that still parses."""
        data = bytearray(command.SerializeToString())
        for _ in range(self._chance.randrange(1, 4)):
            if data:
                data[self._chance.randrange(len(data))] = self._chance.randrange(256)
        try:
            return pb.MxCommand.FromString(bytes(data))
        except DecodeError:
            return command


def test_whatever_a_command_holds_it_is_answered(backend_case: BackendCase) -> None:
    """Random payloads, kinds and bytes: a reply of the command's kind comes, and never an exception."""
    fuzzer = Fuzzer(random.Random(SEED), backend_case.references)
    session = DirectSession(backend_case.make(), Policy.DROP_OLDEST, capacity=5000, clock=backend_case.clock)
    codes: set[int] = set()
    events: Counter[int] = Counter()
    for _ in range(COUNT):
        command = fuzzer.command()
        # The caller waits a second, so that reads of silent tags stay short.
        reply = session.command(command, expires=session.clock.monotonic() + 1)
        assert (reply.session_id, reply.correlation_id, reply.kind) == (SESSION_ID, "c1", command.kind)
        if reply.protocol_status.code == pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE:
            # Without an HRESULT it was an exception that no MXAccess would have.
            assert reply.HasField("hresult"), (command, reply)
        codes.add(reply.protocol_status.code)
        fuzzer.learn(command, reply)
        session.clock.advance(0.02)
        for event in session.pump():
            events[event.family] += 1
            failed = {status for status in map(MxStatus.from_proto, event.statuses) if not status.is_success}
            assert failed <= KNOWN_FAILURES[event.family], event
    assert codes == {
        pb.PROTOCOL_STATUS_CODE_OK,
        pb.PROTOCOL_STATUS_CODE_INVALID_REQUEST,
        pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE,
    }
    assert session.call("ping", message="still here").diagnostic_message == "still here"
    assert session.lost == []
    # It gets as far as values and completions, not only to calls that are refused.
    assert events[pb.MX_EVENT_FAMILY_ON_DATA_CHANGE] > COUNT / 50
    assert events[pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE] > COUNT / 300
