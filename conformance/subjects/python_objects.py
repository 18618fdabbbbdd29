"""Operations of the Python subject on clients, sessions, streams and subscriptions."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message

from conformance.subjects.python_pure import native, rfc3339, tagged
from mxgateway import (
    ClientOptions,
    GalaxyRepositoryClient,
    GatewayClient,
    MxGatewayError,
    OverflowPolicy,
    RetryPolicy,
    Session,
    SubscriptionState,
)
from mxgateway import reconnecting as backoff
from mxgateway.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway.generated import mxaccess_gateway_pb2 as pb

_FIRST_DELAY = backoff.FIRST_DELAY


@dataclass
class Objects:
    """What the case has made, by name."""

    found: dict[str, Any] = field(default_factory=dict)

    async def reset(self) -> None:
        objects, self.found = list(self.found.values()), {}
        backoff.FIRST_DELAY = _FIRST_DELAY
        for each in reversed(objects):
            if isinstance(each, GatewayClient | GalaxyRepositoryClient):
                await each.close()
            elif hasattr(each, "aclose"):
                with suppress(MxGatewayError, RuntimeError):
                    await each.aclose()


@dataclass
class Named:
    """The object of an operation, and the name of the one that it makes."""

    objects: Objects
    on: str
    as_name: str

    @property
    def it(self) -> Any:
        return self.objects.found[self.on]

    def keep(self, made: Any) -> None:
        self.objects.found[self.as_name] = made


def as_json(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)


def message(kind: type[Any], document: dict[str, Any]) -> Any:
    return ParseDict(document, kind())


# -------------------------------------------------------------------------------------------------------- connections


def _options(args: dict[str, Any]) -> ClientOptions:
    settings = dict(args)
    if "retry" in settings:
        settings["retry"] = RetryPolicy(**settings["retry"])
    return ClientOptions(**settings)


async def _connect(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    named.keep(await GatewayClient.connect(_options(args)))
    return {}


async def _connect_lazy(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    named.keep(GatewayClient(_options(args)))
    return {}


async def _connect_galaxy(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    named.keep(await GalaxyRepositoryClient.connect(_options(args)))
    return {}


async def _close(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    it = named.it
    if isinstance(it, Session):
        return as_json(await it.close())
    await (it.aclose() if hasattr(it, "aclose") else it.close())
    return {}


async def _drop(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    del named.objects.found[named.on]
    gc.collect()
    return {}


async def _connection_state(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    return {"state": named.it.connection_state.value}


async def _open_session(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    settings = dict(args)
    if "backpressure_policy" in settings:
        settings["backpressure_policy"] = pb.BackpressurePolicy.Value(settings["backpressure_policy"])
    session = await named.it.open_session(**settings)
    named.keep(session)
    return {"session_id": session.session_id, "capabilities": sorted(session.capabilities)}


async def _attach_session(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    named.keep(named.it.attach_session(args["session_id"], capabilities=tuple(args.get("capabilities", ()))))
    return {}


def _raw(method: str, kind: type[Any]) -> Callable[[Named, dict[str, Any]], Awaitable[dict[str, Any]]]:
    async def call(named: Named, args: dict[str, Any]) -> dict[str, Any]:
        return as_json(await getattr(named.it, method)(message(kind, args["request"]), timeout=args.get("timeout")))

    return call


async def _acknowledge_many(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    request = message(pb.AcknowledgeAlarmsRequest, args["request"])
    return as_json(await named.it.alarms.acknowledge_raw(request))


def _invoke(method: str) -> Callable[[Named, dict[str, Any]], Awaitable[dict[str, Any]]]:
    async def call(named: Named, args: dict[str, Any]) -> dict[str, Any]:
        call_options = {key: args[key] for key in ("timeout", "correlation_id") if key in args}
        if "command" in args:
            return as_json(await getattr(named.it, method)(message(pb.MxCommand, args["command"]), **call_options))
        return as_json(await getattr(named.it, method)(message(pb.MxCommandRequest, args["request"]), **call_options))

    return call


# ----------------------------------------------------------------------------------------------------------- sessions


def _session_call(method: str, result: str = "") -> Callable[[Named, dict[str, Any]], Awaitable[dict[str, Any]]]:
    """A method of Session with the arguments of its own names."""

    async def call(named: Named, args: dict[str, Any]) -> dict[str, Any]:
        arguments = dict(args)
        limits = {key: arguments.pop(key) for key in ("timeout", "correlation_id") if key in arguments}
        if "value" in arguments:
            arguments["value"] = _writable(arguments["value"])
        if "timestamp" in arguments:
            arguments["timestamp"] = rfc3339(arguments["timestamp"])
        if "entries" in arguments:
            arguments["entries"] = _entries(method, arguments["entries"])
        if "grace_period" in arguments:
            arguments["grace_period"] = timedelta(seconds=arguments["grace_period"])
        work = getattr(named.it, method)(**arguments)
        found = await (asyncio.wait_for(work, limits["timeout"]) if "timeout" in limits else work)
        return _result(found, result)

    return call


def _writable(value: dict[str, Any]) -> Any:
    from mxgateway import to_mx_value

    plain, asked = native(value)
    return plain if asked is None else to_mx_value(plain, data_type=asked)


def _entries(method: str, entries: Any) -> Any:
    if not isinstance(entries, list):
        return entries
    made: list[Any] = []
    for entry in entries:
        if entry is None:
            made.append(None)
            continue
        value = _writable(entry["value"])
        handle = entry["item_handle"]
        if method == "write_bulk":
            made.append((handle, value))
        elif method == "write2_bulk":
            made.append((handle, value, rfc3339(entry["timestamp"])))
        else:
            signed = (handle, entry["current_user_id"], entry["verifier_user_id"], value)
            made.append(signed if method == "write_secured_bulk" else (*signed, rfc3339(entry["timestamp"])))
        if "user_id" in entry:
            made[-1] = _with_user(method, made[-1], entry["user_id"])
    return made


def _with_user(method: str, entry: Any, user_id: int) -> Any:
    from mxgateway import to_mx_value

    if method == "write_bulk":
        return pb.WriteBulkEntry(item_handle=entry[0], value=to_mx_value(entry[1]), user_id=user_id)
    return pb.Write2BulkEntry(
        item_handle=entry[0], value=to_mx_value(entry[1]), timestamp_value=entry[2], user_id=user_id
    )


def _result(found: Any, name: str) -> dict[str, Any]:
    if name == "state":
        return {"state": pb.SessionState.Name(found)}
    if isinstance(found, Message):
        return {name: as_json(found)} if name else as_json(found)
    if isinstance(found, list):
        return {name: [as_json(each) for each in found]}
    return {name: found} if name else {}


async def _write_and_confirm(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    outcome = await named.it.write_and_confirm(**{**args, "value": _writable(args["value"])})
    return {
        "value": as_json(outcome.value),
        "before": as_json(outcome.before),
        "completion": as_json(outcome.completion),
    }


# ------------------------------------------------------------------------------------------------------------ streams


async def _stream_events(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    settings = dict(args)
    if "after_worker_sequence" in settings:
        settings["after_worker_sequence"] = int(settings["after_worker_sequence"])
    if "backpressure_policy" in settings:
        settings["backpressure_policy"] = pb.BackpressurePolicy.Value(settings["backpressure_policy"])
    named.keep(named.it.stream_events(**settings))
    return {}


def _raw_stream(method: str, kind: type[Any]) -> Callable[[Named, dict[str, Any]], Awaitable[dict[str, Any]]]:
    async def call(named: Named, args: dict[str, Any]) -> dict[str, Any]:
        named.keep(getattr(named.it, method)(message(kind, args["request"]), timeout=args.get("timeout")))
        return {}

    return call


async def _next(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    it = named.it
    if hasattr(it, "next_change"):
        return await _next_changes(it, args)
    items: list[Any] = []
    taken, ended = 0, False
    iterator: AsyncIterator[Any] = it.__aiter__()
    for _ in range(args.get("count", 1)):
        try:
            item = await anext(iterator)
        except StopAsyncIteration:
            ended = True
            break
        taken += 1
        if not args.get("discard"):
            items.append(as_json(item))
    answer: dict[str, Any] = {"items": items, "taken": taken, "end": ended}
    if hasattr(it, "last_worker_sequence"):
        answer |= {"last_worker_sequence": str(it.last_worker_sequence), "dropped_events": str(it.dropped_events)}
    return answer


async def _next_changes(it: Any, args: dict[str, Any]) -> dict[str, Any]:
    changes, ended = [], False
    for _ in range(args.get("count", 1)):
        try:
            change = await it.next_change()
        except StopAsyncIteration:
            ended = True
            break
        changes.append(
            {
                "tag": change.tag,
                "value": tagged(change.value, change.raw.value),
                "quality": change.quality,
                "worker_sequence": str(change.worker_sequence),
                "replayed": change.replayed,
                "recovered": change.recovered,
                "lost_before": change.lost_before,
            }
        )
    return {"changes": changes, "end": ended}


async def _next_batch(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    async for batch in named.it.batches():
        return {"size": len(batch), "last_worker_sequence": str(named.it.last_worker_sequence)}
    return {"end": True}


async def _take_all(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    taken = 0
    async for batch in named.it.batches():
        taken += len(batch)
        if taken >= args["count"]:
            break
    return {"taken": taken}


async def _burst(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    left = iter(range(args["count"]))
    tags, took = args.get("tag_addresses", []), []

    async def one() -> None:
        for _ in left:
            began = time.perf_counter()
            if tags:
                await named.it.read_bulk(args["server_handle"], tags)
            else:
                await named.it.ping("burst")
            took.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        for _ in range(args["at_once"]):
            group.create_task(one())
    return {"p50_ms": statistics.median(took) * 1000}


# ------------------------------------------------------------------------------------------------------ subscriptions


async def _subscribe(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    settings = dict(args)
    if "first_delay" in settings:
        backoff.FIRST_DELAY = settings.pop("first_delay")
    if "overflow" in settings:
        settings["overflow"] = OverflowPolicy[settings["overflow"].upper()]
    subscription = named.it.subscribe(settings.pop("tags"), **settings)
    named.keep(subscription)
    await subscription.start()
    return {}


async def _change_tags(named: Named, args: dict[str, Any], method: str) -> dict[str, Any]:
    await getattr(named.it, method)(args["tags"])
    return {}


async def _wait_state(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    wanted = SubscriptionState(args["state"])
    async for state in named.it.states():
        if state is wanted:
            return {}
    return {"state": named.it.state.value}


async def _stats(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    it = named.it
    names = ("failures", "gaps", "lost", "dropped", "interruptions", "new_sessions", "waiting")
    return {"state": it.state.value, "tags": list(it.tags)} | {name: getattr(it, name) for name in names}


# ------------------------------------------------------------------------------------------------------------- galaxy


async def _test_connection(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    return {"ok": await named.it.test_connection()}


async def _last_deploy(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    found: datetime | None = await named.it.get_last_deploy_time()
    return {"present": found is not None} | ({"time": found.timestamp()} if found is not None else {})


async def _discover(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    return {"objects": [as_json(each) for each in await named.it.discover_hierarchy(**args)]}


async def _iter_hierarchy(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    named.keep(named.it.iter_hierarchy(**args))
    return {}


async def _browse(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    nodes = await named.it.browse(args.get("parent"), **{key: args[key] for key in args if key != "parent"})
    if named.as_name:
        named.keep(nodes)
    return {"children": _children(nodes)}


def _children(nodes: list[Any]) -> list[dict[str, Any]]:
    return [
        {"object": as_json(each.object), "has_children_hint": each.has_children_hint, "is_expanded": each.is_expanded}
        for each in nodes
    ]


async def _expand(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    node = named.it[args.get("index", 0)]
    found = await asyncio.gather(*(node.expand() for _ in range(args.get("times", 1))))
    return {"children": _children(found[0])}


async def _watch(named: Named, args: dict[str, Any]) -> dict[str, Any]:
    request = galaxy_pb.WatchDeployEventsRequest()
    if "last_seen_deploy_time" in args:
        request.last_seen_deploy_time.CopyFrom(rfc3339(args["last_seen_deploy_time"]).timestamp_value)
    named.keep(named.it.watch_deploy_events_raw(request))
    return {}


OPERATIONS: dict[str, Callable[[Named, dict[str, Any]], Awaitable[dict[str, Any]]]] = {
    "connect": _connect,
    "connect_lazy": _connect_lazy,
    "connect_galaxy": _connect_galaxy,
    "close": _close,
    "drop": _drop,
    "connection_state": _connection_state,
    "open_session": _open_session,
    "attach_session": _attach_session,
    "open_session_raw": _raw("open_session_raw", pb.OpenSessionRequest),
    "close_session_raw": _raw("close_session_raw", pb.CloseSessionRequest),
    "invoke": _invoke("invoke"),
    "invoke_raw": _invoke("invoke_raw"),
    "state": _session_call("state", "state"),
    "ping": _session_call("ping", "message"),
    "worker_info": _session_call("worker_info"),
    "drain_events": _session_call("drain_events", "events"),
    "shutdown_worker": _session_call("shutdown_worker"),
    "inject_fault": _session_call("inject_fault"),
    "register": _session_call("register", "server_handle"),
    **{name: _session_call(name, "item_handle") for name in ("add_item", "add_item2", "add_buffered_item")},
    **{
        name: _session_call(name)
        for name in (
            *("unregister", "remove_item", "advise", "advise_supervisory", "unadvise"),
            *("set_buffered_update_interval", "write", "write2", "write_secured", "write_secured2"),
        )
    },
    **{name: _session_call(name, "status") for name in ("suspend", "activate")},
    **{name: _session_call(name, "user_id") for name in ("authenticate_user", "archestra_user_to_id")},
    **{
        name: _session_call(name, "results")
        for name in (
            *("add_item_bulk", "subscribe_bulk", "advise_item_bulk", "unadvise_item_bulk", "remove_item_bulk"),
            *("unsubscribe_bulk", "read_bulk", "write_bulk", "write2_bulk", "write_secured_bulk"),
            "write_secured2_bulk",
        )
    },
    "write_and_confirm": _write_and_confirm,
    "stream_events": _stream_events,
    "next": _next,
    "next_batch": _next_batch,
    "acknowledge_alarm": _raw("acknowledge_alarm", pb.AcknowledgeAlarmRequest),
    "acknowledge_alarms": _acknowledge_many,
    "query_active_alarms": _raw_stream("query_active_alarms", pb.QueryActiveAlarmsRequest),
    "stream_alarms": _raw_stream("stream_alarms", pb.StreamAlarmsRequest),
    "subscribe": _subscribe,
    "add": lambda named, args: _change_tags(named, args, "add"),
    "remove": lambda named, args: _change_tags(named, args, "remove"),
    "take_all": _take_all,
    "burst": _burst,
    "wait_state": _wait_state,
    "stats": _stats,
    "test_connection": _test_connection,
    "get_last_deploy_time": _last_deploy,
    "discover_hierarchy": _discover,
    "iter_hierarchy": _iter_hierarchy,
    "browse": _browse,
    "expand": _expand,
    "watch_deploy_events": _watch,
}
