"""The contract as it was before this project added to it: messages that know only numbers below 100."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, message_factory, timestamp_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

from mxgateway.generated import mxaccess_gateway_pb2 as pb

FIRST_OWN_NUMBER = 100
_PACKAGE = "mxaccess_gateway.v1"


def original_messages(*names: str) -> dict[str, Any]:
    """Classes of these messages, made from the contract without what was added to it."""
    pool = descriptor_pool.DescriptorPool()
    for module in (duration_pb2, timestamp_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    pool.Add(_original_file())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in names}


def _original_file() -> FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    del file.service[:]
    for message in file.message_type:
        _strip(message)
    for enum in file.enum_type:
        kept = [value for value in enum.value if value.number < FIRST_OWN_NUMBER]
        del enum.value[:]
        enum.value.extend(kept)
    return file


def _strip(message: DescriptorProto) -> None:
    # What no original message holds stays, and nobody meets it.
    kept = [field for field in message.field if field.number < FIRST_OWN_NUMBER]
    optional = [field.oneof_index for field in kept if field.HasField("oneof_index")]
    names = [oneof.name for oneof in message.oneof_decl]
    places = {old: new for new, old in enumerate(sorted(set(optional)))}
    for field in kept:
        if field.HasField("oneof_index"):
            field.oneof_index = places[field.oneof_index]
    kept = [descriptor_pb2.FieldDescriptorProto.FromString(field.SerializeToString()) for field in kept]
    del message.field[:], message.oneof_decl[:]
    message.field.extend(kept)
    for old in sorted(places):
        message.oneof_decl.add(name=names[old])
