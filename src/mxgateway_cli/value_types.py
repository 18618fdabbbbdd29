"""The type of a value, as `--type` names it."""

from __future__ import annotations

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb

_TYPE_OF_ARM = {
    "bool_value": "bool",
    "int32_value": "int32",
    "int64_value": "int64",
    "float_value": "float",
    "double_value": "double",
    "string_value": "string",
    "timestamp_value": "timestamp",
    "bool_values": "bool[]",
    "int32_values": "int32[]",
    "int64_values": "int64[]",
    "float_values": "float[]",
    "double_values": "double[]",
    "string_values": "string[]",
    "timestamp_values": "timestamp[]",
}
_TYPE_OF_DATA_TYPE: dict[int, str] = {
    pb.MX_DATA_TYPE_BOOLEAN: "bool",
    pb.MX_DATA_TYPE_INTEGER: "int32",
    pb.MX_DATA_TYPE_FLOAT: "float",
    pb.MX_DATA_TYPE_DOUBLE: "double",
    pb.MX_DATA_TYPE_STRING: "string",
    pb.MX_DATA_TYPE_TIME: "timestamp",
}


def type_of(value: pb.MxValue) -> str | None:
    """The `--type` that a value has; None when it is null or of a type without a text form."""
    arm = value.WhichOneof("kind")
    if arm is None or value.is_null:
        return None
    elapsed = pb.MX_DATA_TYPE_ELAPSED_TIME
    if arm == "array_value":
        array = value.array_value
        if elapsed in (array.element_data_type, value.data_type):
            return "elapsed[]"
        if (elements := array.WhichOneof("values")) is not None:
            return _TYPE_OF_ARM.get(elements)
        scalar = _TYPE_OF_DATA_TYPE.get(array.element_data_type) or _TYPE_OF_DATA_TYPE.get(value.data_type)
        return f"{scalar}[]" if scalar else None
    return "elapsed" if value.data_type == elapsed else _TYPE_OF_ARM.get(arm)
