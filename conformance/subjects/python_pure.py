"""Operations of the Python subject that need no gateway."""

from __future__ import annotations

import base64
import math
import re
import shlex
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import grpc.aio
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway import (
    MxAccessError,
    MxGatewayError,
    from_mx_value,
    is_bad,
    is_good,
    is_status_failure,
    is_uncertain,
    next_correlation_id,
    quality_name,
    to_mx_value,
)
from mxgateway.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.house import redact, status_text
from mxgateway.received_values import OutOfRangeValue
from mxgateway.rpc_errors import map_rpc_error
from mxgateway.testing.scripted.steps import status_details
from mxgateway.version import __version__
from mxgateway_cli.output import proto_dict
from mxgateway_cli.percentiles import summary
from mxgateway_cli.value_parsing import parse_timestamp, parse_value
from mxgateway_contract.constants import GATEWAY_PROTOCOL_VERSION, WORKER_PROTOCOL_VERSION


def kind_of(error: MxGatewayError) -> str:
    if isinstance(error, MxAccessError):
        return "mxaccess"
    return type(error).__name__.removeprefix("MxGateway").removesuffix("Error").lower() or "transport"


# ------------------------------------------------------------------------------------------------------------- values

_RFC3339 = re.compile(r"(.*?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)")


def native(value: dict[str, Any]) -> tuple[Any, str | None]:
    """The Python value of a tagged one, and the data_type that is asked for it."""
    ((kind, given),) = value.items()
    if kind == "mx_value":
        return ParseDict(given, pb.MxValue()), None
    if kind == "null":
        return None, None
    if kind == "array":
        return _elements(given["type"], given["values"]), f"{given['type']}[]"
    return _scalar(kind, given), kind if kind in ("float", "elapsed") else None


def _elements(kind: str, values: list[Any]) -> list[Any]:
    return [_elements(kind, each) if isinstance(each, list) else _scalar(kind, each) for each in values]


def _scalar(kind: str, given: Any) -> Any:
    match kind:
        case "int64":
            return int(given)
        case "float" | "double" | "elapsed":
            number = float(given)
            return timedelta(seconds=number) if kind == "elapsed" and math.isfinite(number) else number
        case "timestamp":
            return _moment(given)
        case "raw":
            return base64.b64decode(given)
    return given


def _moment(text: str) -> datetime:
    if not re.search(r"(Z|[+-]\d\d:\d\d)$", text):
        return datetime.fromisoformat(text)
    match = _RFC3339.fullmatch(text)
    assert match is not None
    moment = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00"))
    fraction = (match[2] or "").ljust(9, "0")
    whole = moment.replace(microsecond=int(fraction[:6]))
    return _NanoMoment.of(whole, int(fraction[6:])) if int(fraction[6:]) else whole


class _NanoMoment(datetime):
    """As pandas' Timestamp: a datetime that knows nanoseconds."""

    nanosecond = 0

    @classmethod
    def of(cls, moment: datetime, nanosecond: int) -> _NanoMoment:
        made = cls.fromtimestamp(0, UTC)
        made = made + (moment - datetime(1970, 1, 1, tzinfo=UTC))
        made.nanosecond = nanosecond
        return made


def tagged(value: Any, mx: pb.MxValue) -> dict[str, Any]:
    """A Python value by its type; the message helps where Python has one type for two."""
    if value is None:
        return {"null": True}
    if isinstance(value, OutOfRangeValue):
        return _stand_in(value)
    arm = mx.WhichOneof("kind")
    if isinstance(value, list):
        kind = str(mx.array_value.WhichOneof("values") or "").removesuffix("_values")
        return {"array": {"type": kind, "values": [_shown(each) for each in value]}}
    if isinstance(value, dict):
        return {"sparse": {str(index): _shown(each) for index, each in value.items()}}
    if isinstance(value, timedelta):
        return {"elapsed": value.total_seconds()}
    kind = {"float_value": "float", "double_value": "double", "int64_value": "int64"}.get(str(arm), "")
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int):
        return {"int64": str(value)} if kind == "int64" else {"int32": value}
    if isinstance(value, float):
        return {kind: _number(value)}
    if isinstance(value, str):
        return {"string": value}
    if isinstance(value, datetime):
        return {"timestamp": _text_of(value)}
    return {"raw": base64.b64encode(value).decode()}


def _stand_in(value: OutOfRangeValue) -> dict[str, Any]:
    if isinstance(value.raw, float):
        return {"out_of_range": {"elapsed": _number(value.raw)}}
    return {"out_of_range": {"seconds": str(value.raw.seconds), "nanos": value.raw.nanos}}


def _shown(value: Any) -> Any:
    if isinstance(value, list):
        return [_shown(each) for each in value]
    if isinstance(value, OutOfRangeValue):
        return _stand_in(value)
    if isinstance(value, datetime):
        return _text_of(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return _number(value) if isinstance(value, float) else value


def _number(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def _text_of(moment: datetime) -> str:
    """Microseconds: what Python's own times hold."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return text + "Z"


def rfc3339(text: str) -> pb.MxValue:
    stamp: Timestamp = parse_timestamp(text)
    return pb.MxValue(data_type=pb.MX_DATA_TYPE_TIME, variant_type="VT_DATE", timestamp_value=stamp)


# --------------------------------------------------------------------------------------------------------- operations


def _to_mx_value(args: dict[str, Any]) -> dict[str, Any]:
    value, asked = native(args["value"])
    return MessageToDict(to_mx_value(value, data_type=args.get("data_type", asked)), preserving_proto_field_name=True)


def _from_mx_value(args: dict[str, Any]) -> dict[str, Any]:
    mx = ParseDict(args["mx_value"], pb.MxValue())
    return {"value": tagged(from_mx_value(mx), mx)}


def _quality(args: dict[str, Any]) -> dict[str, Any]:
    word = args["quality"]
    return {
        "name": quality_name(word),
        "good": is_good(word),
        "uncertain": is_uncertain(word),
        "bad": is_bad(word),
    }


def _map_error(args: dict[str, Any]) -> dict[str, Any]:
    from conformance.subjects.python import error_of

    details = status_details(args)
    trailers = [] if details is None else [("grpc-status-details-bin", details)]
    failure = grpc.aio.AioRpcError(
        grpc.StatusCode[args["code"]], grpc.aio.Metadata(), grpc.aio.Metadata(*trailers), args.get("message", "")
    )
    mapped = map_rpc_error(
        failure, "Call", sessions=not args.get("galaxy"), correlation_id=args.get("correlation_id", "")
    )
    return error_of(mapped)


def _parse_time(args: dict[str, Any]) -> dict[str, Any]:
    try:
        stamp = parse_timestamp(args["text"])
    except ValueError as error:
        return {"refused": True, "message": str(error)}
    return {"seconds": str(stamp.seconds), "nanos": stamp.nanos}


def _parse_value(args: dict[str, Any]) -> dict[str, Any]:
    import click

    try:
        value = parse_value(args["text"], args["type"])
    except click.ClickException as error:
        return {"refused": True, "message": f"{error.param_hint}: {error.message}"}  # type: ignore[attr-defined]
    return MessageToDict(value, preserving_proto_field_name=True)


def _split_line(args: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"arguments": shlex.split(args["line"])}
    except ValueError:
        return {"refused": True}


def _to_json(args: dict[str, Any]) -> dict[str, Any]:
    kind = getattr(pb, args["type"], None) or getattr(galaxy_pb, args["type"])
    return {"json": proto_dict(kind.FromString(base64.b64decode(args["base64"])))}


def _ids(args: dict[str, Any]) -> dict[str, Any]:
    made = [next_correlation_id() for _ in range(args["count"])]
    return {"unique": len(set(made)), "shortest": min(map(len, made))}


OPERATIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "version": lambda _: {
        "client": __version__,
        "gateway_protocol_version": GATEWAY_PROTOCOL_VERSION,
        "worker_protocol_version": WORKER_PROTOCOL_VERSION,
    },
    "new_correlation_ids": _ids,
    "to_mx_value": _to_mx_value,
    "from_mx_value": _from_mx_value,
    "is_status_failure": lambda args: {"failure": is_status_failure(ParseDict(args["status"], pb.MxStatusProxy()))},
    "quality": _quality,
    "status_text": lambda args: {"text": status_text(ParseDict(args["status"], pb.MxStatusProxy()))},
    "redact": lambda args: {"text": redact(args["text"], args.get("secret"))},
    "map_error": _map_error,
    "parse_time": _parse_time,
    "parse_value": _parse_value,
    "split_line": _split_line,
    "percentiles": lambda args: asdict(summary(args["samples"])),
    "to_json": _to_json,
}
