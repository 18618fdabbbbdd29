"""galaxy_repository.v1.GalaxyRepository over the hierarchy cache."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from mxgateway_contract.generated import galaxy_repository_pb2 as pb
from mxgateway_server.errors import WatchLimitError
from mxgateway_server.galaxy.cache import CacheEntry
from mxgateway_server.galaxy.component import GalaxyComponent
from mxgateway_server.galaxy.deploy_events import DeployNews, EndOfNewsError
from mxgateway_server.galaxy.encoding import CHILDREN_KEY, OBJECTS_KEY
from mxgateway_server.galaxy.errors import (
    GalaxyArgumentError,
    GalaxyNotFoundError,
    GalaxyUnavailableError,
)
from mxgateway_server.galaxy.selection import FilteredIndex, ObjectFilter, find_root, shortened
from mxgateway_server.galaxy.selection_cache import SelectionCache
from mxgateway_server.galaxy.shapes import Origin
from mxgateway_server.galaxy.tokens import PageTokens
from mxgateway_server.headers import send_headers

SERVICE = "galaxy_repository.v1.GalaxyRepository"

DEFAULT_PAGE_SIZE = 500
MAX_PAGE_SIZE = 5000
PAGE_BYTES = 3 * 1024 * 1024
"""A page ends here even when it has fewer objects than asked for, so that it passes gRPC's default limit of 4 MiB."""

_TURN_SECONDS = 0.003

_AFTER_THE_END = 5.0
"""Seconds after which a watch that ended with its gateway may find another."""

BrowseScope = Callable[["grpc.aio.ServicerContext[Any, Any]"], Sequence[str]]
"""Contained-path globs that the caller may browse; none for everything."""


Turn = Callable[[], AbstractAsyncContextManager[Any]]
"""Held while a query of the caller is worked on, so that its others wait and those of other callers do not."""


def _unrestricted(_context: grpc.aio.ServicerContext[Any, Any]) -> Sequence[str]:
    return ()


class GalaxyRepositoryService:
    """The five calls. DiscoverHierarchy and BrowseChildren answer with serialised replies (see `encoding`).

    A GalaxyError is raised as it is: the guard in front of every service tells callers.

    Args:
        galaxy: what is served.
        scope: what of it the caller may browse.
        key_id: whose call it is.
        max_watches: watches of deployments that one key may have at once.
    """

    def __init__(
        self,
        galaxy: GalaxyComponent,
        *,
        scope: BrowseScope = _unrestricted,
        turn: Turn = nullcontext,
        key_id: Callable[[], str] = lambda: "",
        max_watches: int = 64,
    ) -> None:
        self._galaxy = galaxy
        self._scope = scope
        self._turn = turn
        self._key_id = key_id
        self._max_watches = max_watches
        self._watching: Counter[str] = Counter()
        self._tokens = PageTokens(secrets.token_bytes(32))
        self._selections = SelectionCache()

    def handler(self) -> grpc.GenericRpcHandler:
        """All methods for a server, with serialisers that pass bytes on."""
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        methods: dict[str, Any] = {
            "TestConnection": unary(self.test_connection, pb.TestConnectionRequest.FromString, _serialised),
            "GetLastDeployTime": unary(self.get_last_deploy_time, pb.GetLastDeployTimeRequest.FromString, _serialised),
            "DiscoverHierarchy": unary(self.discover_hierarchy, pb.DiscoverHierarchyRequest.FromString, _serialised),
            "BrowseChildren": unary(self.browse_children, pb.BrowseChildrenRequest.FromString, _serialised),
            "WatchDeployEvents": stream(self.watch_deploy_events, pb.WatchDeployEventsRequest.FromString, _serialised),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def test_connection(
        self, request: pb.TestConnectionRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.TestConnectionReply:
        return pb.TestConnectionReply(ok=await self._galaxy.test_connection())

    async def get_last_deploy_time(
        self, request: pb.GetLastDeployTimeRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.GetLastDeployTimeReply:
        deploy_time = (await self._galaxy.entry()).deploy_time
        if deploy_time is None:
            return pb.GetLastDeployTimeReply(present=False)
        return pb.GetLastDeployTimeReply(present=True, time_of_last_deploy=to_timestamp(deploy_time))

    async def discover_hierarchy(
        self, request: pb.DiscoverHierarchyRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> bytes:
        scope = tuple(self._scope(context))
        entry = await self._galaxy.entry()
        async with self._turn():
            return await self._discover_hierarchy(request, entry, scope)

    async def _discover_hierarchy(
        self, request: pb.DiscoverHierarchyRequest, entry: CacheEntry, scope: tuple[str, ...]
    ) -> bytes:
        size = page_size(request.page_size)
        depth = request.max_depth.value if request.HasField("max_depth") else None
        if depth is not None and depth < 0:
            raise GalaxyArgumentError("max_depth must be 0 (the root alone) or more")
        conditions, origins = object_filter(request), attribute_origins(request)
        arguments = _fingerprint(b"D", request, scope)
        offset = self._offset(request.page_token, entry, arguments)
        filtered = await self._selections.filtered(entry, conditions, scope, navigable=False)
        root = _root(filtered, request, "root", "root_gobject_id", "root_tag_name", "root_contained_path")
        places = self._selections.places(entry, arguments, lambda: filtered.subtree(root, depth))
        page, token = await self._page(entry, filtered, places, OBJECTS_KEY, offset, size, origins, arguments)
        rest = pb.DiscoverHierarchyReply(next_page_token=token, total_object_count=len(places))
        return b"".join((*page, rest.SerializeToString()))

    async def browse_children(
        self, request: pb.BrowseChildrenRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> bytes:
        scope = tuple(self._scope(context))
        entry = await self._galaxy.entry()
        async with self._turn():
            return await self._browse_children(request, entry, scope)

    async def _browse_children(
        self, request: pb.BrowseChildrenRequest, entry: CacheEntry, scope: tuple[str, ...]
    ) -> bytes:
        size = page_size(request.page_size)
        conditions, origins = object_filter(request), attribute_origins(request)
        arguments = _fingerprint(b"B", request, scope)
        offset = self._offset(request.page_token, entry, arguments)
        filtered = await self._selections.filtered(entry, conditions, scope, navigable=True)
        parent = _root(filtered, request, "parent", "parent_gobject_id", "parent_tag_name", "parent_contained_path")
        places = self._selections.places(entry, arguments, lambda: filtered.children(-1 if parent is None else parent))
        page, token = await self._page(entry, filtered, places, CHILDREN_KEY, offset, size, origins, arguments)
        shown = places[offset : offset + len(page)]
        rest = pb.BrowseChildrenReply(
            next_page_token=token,
            total_child_count=len(places),
            child_has_children=[filtered.has_children(place) for place in shown],
            cache_sequence=entry.sequence,
        )
        return b"".join((*page, rest.SerializeToString()))

    async def watch_deploy_events(
        self, request: pb.WatchDeployEventsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[pb.DeployEvent]:
        news_waits = asyncio.Event()
        scope, key_id = tuple(self._scope(context)), self._key_id()
        if self._watching[key_id] >= self._max_watches:
            raise WatchLimitError(
                f"this key has its {self._max_watches} watches of deployments (setting galaxy.max_watches_per_key); "
                "end one, or let one watch tell all who want to know",
                retry_after=1.0,
            )
        subscription = self._galaxy.notifier.subscribe(news_waits.set, _last_seen(request))
        self._watching[key_id] += 1
        try:
            # So that the caller knows that the watch stands before there is any news.
            await send_headers(context)
            while True:
                news_waits.clear()
                news = subscription.take()
                if news is None:
                    await news_waits.wait()
                else:
                    yield deploy_event(await self._within(scope, news))
        except EndOfNewsError as end:
            raise GalaxyUnavailableError(end.reason, retry_after=_AFTER_THE_END) from None
        finally:
            self._galaxy.notifier.unsubscribe(subscription)
            self._watching[key_id] -= 1
            if not self._watching[key_id]:
                del self._watching[key_id]

    async def _within(self, scope: tuple[str, ...], news: DeployNews) -> DeployNews:
        """The news with the counts of what the caller may browse, in what is served now."""
        if not scope:
            return news
        entry = await self._galaxy.entry()
        filtered = await self._selections.filtered(entry, ObjectFilter(), scope, navigable=False)
        objects, attributes = filtered.counts()
        return replace(news, object_count=objects, attribute_count=attributes)

    def _offset(self, token: str, entry: CacheEntry, arguments: bytes) -> int:
        return self._tokens.read(token, entry.sequence, arguments) if token else 0

    async def _page(
        self,
        entry: CacheEntry,
        filtered: FilteredIndex,
        places: Sequence[int],
        key: bytes,
        offset: int,
        size: int,
        origins: Collection[Origin],
        arguments: bytes,
    ) -> tuple[list[bytes], str]:
        """The fields of one page's objects, and the token of the next page ('' on the last)."""
        fields: list[bytes] = []
        room = PAGE_BYTES
        loop = asyncio.get_running_loop()
        began = loop.time()
        for place in places[offset : offset + size]:
            field = entry.encoder.field(key, place, () if filtered.is_bare(place) else origins)
            room -= len(field)
            if fields and room < 0:
                break
            fields.append(field)
            if loop.time() - began > _TURN_SECONDS:
                await asyncio.sleep(0)
                began = loop.time()
        end = offset + len(fields)
        return fields, self._tokens.make(entry.sequence, arguments, end) if end < len(places) else ""


def page_size(asked: int) -> int:
    """0 is the default; more than the cap is the cap."""
    if asked < 0:
        raise GalaxyArgumentError("page_size must be 0 (for the default) or more")
    return min(asked or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def object_filter(request: pb.DiscoverHierarchyRequest | pb.BrowseChildrenRequest) -> ObjectFilter:
    return ObjectFilter(
        category_ids=frozenset(request.category_ids),
        template_chain_contains=tuple(request.template_chain_contains),
        tag_name_glob=request.tag_name_glob,
        alarm_bearing_only=request.alarm_bearing_only,
        historized_only=request.historized_only,
        include_ancestors=request.include_ancestors,
    )


def attribute_origins(request: pb.DiscoverHierarchyRequest | pb.BrowseChildrenRequest) -> frozenset[Origin]:
    """Origins of the attributes that are sent: none when no attributes are wanted.

    Raises:
        GalaxyArgumentError: there is no such origin.
    """
    try:
        asked = frozenset(map(Origin, request.attribute_origins)) or frozenset(Origin)
    except ValueError:
        unknown = sorted(set(request.attribute_origins) - set(Origin))
        known = ", ".join(f"{each.value} ({each.name.lower()})" for each in Origin)
        raise GalaxyArgumentError(f"attribute_origins has {unknown[0]}; there are {known}") from None
    return asked if not request.HasField("include_attributes") or request.include_attributes else frozenset()


def to_timestamp(deploy_time: datetime) -> Timestamp:
    """The database's time, which has no zone, published as if it were UTC."""
    stamp = Timestamp()
    stamp.FromDatetime(deploy_time)
    return stamp


def deploy_event(news: DeployNews) -> pb.DeployEvent:
    observed = Timestamp()
    observed.FromNanoseconds(news.observed_ns)
    return pb.DeployEvent(
        sequence=news.sequence,
        observed_at=observed,
        time_of_last_deploy=None if news.deploy_time is None else to_timestamp(news.deploy_time),
        time_of_last_deploy_present=news.deploy_time is not None,
        object_count=news.object_count,
        attribute_count=news.attribute_count,
    )


def _last_seen(request: pb.WatchDeployEventsRequest) -> datetime | None:
    if not request.HasField("last_seen_deploy_time"):
        return None
    try:
        return request.last_seen_deploy_time.ToDatetime(tzinfo=UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise GalaxyArgumentError("last_seen_deploy_time is out of range") from None


def _root(
    filtered: FilteredIndex, request: Message, oneof: str, gobject_id: str, tag_name: str, path: str
) -> int | None:
    """The object to start from. One that the caller may not browse is answered like one that is not there."""
    chosen = request.WhichOneof(oneof)
    if chosen is None:
        return None
    value = getattr(request, chosen)
    index = filtered.index
    if chosen == gobject_id:
        if value == 0:
            return None
        place, what = find_root(index, gobject_id=value), f"gobject_id {value}"
    elif chosen == tag_name:
        place, what = find_root(index, tag_name=value), f"tag name {shortened(value)}"
    else:
        place, what = find_root(index, path=value), f"contained path {shortened(value)}"
    if place is None or not filtered.reaches(place):
        perhaps = ", or this key may not browse it" if filtered.is_restricted else ""
        raise GalaxyNotFoundError(f"the deployed Galaxy has no object with {what}{perhaps}")
    return place


def _fingerprint(call: bytes, request: pb.DiscoverHierarchyRequest | pb.BrowseChildrenRequest, scope: Any) -> bytes:
    """Everything that decides which objects a request selects and how they are sent, but not the page."""
    bare = type(request)()
    bare.CopyFrom(request)  # type: ignore[arg-type]
    bare.page_token = ""
    bare.page_size = 0
    return call + bare.SerializeToString(deterministic=True) + repr(scope).encode()


def _serialised(reply: bytes | Message) -> bytes:
    return reply if isinstance(reply, bytes) else reply.SerializeToString()
