"""The client of the Galaxy repository service: what is deployed, and news of deployments."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import Any, Unpack

from google.protobuf.wrappers_pb2 import Int32Value

from mxgateway.browse import BrowseNode
from mxgateway.channel import Connection, ConnectionState, ServerStream
from mxgateway.errors import MxGatewayProtocolError
from mxgateway.galaxy_attributes import AttributeOrigin, GalaxyAttributes
from mxgateway.opening import Opening
from mxgateway.options import ClientOptions, ClientSettings, merge_options
from mxgateway.received_values import datetime_of
from mxgateway.results import GalaxyObjects
from mxgateway.values import to_timestamp
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway_contract.generated.galaxy_repository_pb2_grpc import GalaxyRepositoryStub


class GalaxyRepositoryClient:
    """Read-only browse of a Galaxy through the gateway. All calls need the scope `metadata:read`.

    Use `async with GalaxyRepositoryClient.connect(...) as galaxy:`.
    """

    def __init__(self, options: ClientOptions, *, stub: Any = None) -> None:
        """Makes a client without connecting; `connect` is the usual way. `stub` stands in for the generated one."""
        self._connection = Connection(options, GalaxyRepositoryStub, stub=stub)

    @classmethod
    def connect(
        cls, options: ClientOptions | None = None, *, stub: Any = None, **settings: Unpack[ClientSettings]
    ) -> Opening[GalaxyRepositoryClient]:
        """Connects to a gateway; the same arguments, uses and errors as `GatewayClient.connect`."""
        return Opening(cls._connected(options, stub, settings))

    @classmethod
    async def _connected(
        cls, options: ClientOptions | None, stub: Any, settings: ClientSettings
    ) -> GalaxyRepositoryClient:
        client = cls(merge_options(options, settings), stub=stub)
        try:
            await client._connection.ready()
        except BaseException:
            await client.close()
            raise
        return client

    @property
    def options(self) -> ClientOptions:
        """The options that this client was made with."""
        return self._connection.options

    @property
    def connection_state(self) -> ConnectionState:
        """Where the connection stands now."""
        return self._connection.state

    def __repr__(self) -> str:
        return f"<GalaxyRepositoryClient {self.options.endpoint} {self.connection_state.value}>"

    async def test_connection(self) -> bool:
        """Whether the gateway reaches the Galaxy database now."""
        reply: galaxy_pb.TestConnectionReply = await self._unary("TestConnection", galaxy_pb.TestConnectionRequest())
        return reply.ok

    async def get_last_deploy_time(self) -> datetime | None:
        """When the Galaxy was last deployed (UTC), or None when it never was.

        None also stands for a time beyond the years 1 to 9999; `get_last_deploy_time_raw` has it.
        """
        reply = await self.get_last_deploy_time_raw()
        return datetime_of(reply.time_of_last_deploy) if reply.present else None

    async def get_last_deploy_time_raw(self) -> galaxy_pb.GetLastDeployTimeReply:
        """GetLastDeployTime with the generated reply, for the time to the nanosecond."""
        reply: galaxy_pb.GetLastDeployTimeReply = await self._unary(
            "GetLastDeployTime", galaxy_pb.GetLastDeployTimeRequest()
        )
        return reply

    async def discover_hierarchy(self, **filters: Any) -> list[galaxy_pb.GalaxyObject]:
        """All deployed objects with their attributes, as one list; the same filters as `iter_hierarchy`.

        For a large Galaxy `iter_hierarchy` needs far less memory.
        """
        return GalaxyObjects([each async for each in self.iter_hierarchy(**filters)])

    async def iter_hierarchy(
        self,
        *,
        root: int | str | None = None,
        root_contained_path: str | None = None,
        max_depth: int | None = None,
        category_ids: Iterable[int] = (),
        template_chain_contains: Iterable[str] = (),
        tag_name_glob: str = "",
        include_attributes: bool | None = None,
        alarm_bearing_only: bool = False,
        historized_only: bool = False,
        attribute_origins: Iterable[AttributeOrigin] = (),
        include_ancestors: bool = False,
        page_size: int = 0,
    ) -> AsyncIterator[galaxy_pb.GalaxyObject]:
        """The deployed objects one by one. A page is asked for only when every object before it has been taken.

        Args:
            root: gobject id or tag name to start at; None for the whole Galaxy.
            root_contained_path: browse names joined by `/`, in place of `root`.
            max_depth: levels below the root; 0 is the root alone, None is no limit.
            category_ids: only objects of these categories.
            template_chain_contains: only objects derived from one of these templates.
            tag_name_glob: only objects whose tag name fits; `*` and `?`, case-insensitive, the whole name.
            include_attributes: False leaves attributes out; None is the gateway's default, which includes them.
            alarm_bearing_only: only objects with an alarm.
            historized_only: only objects with a historized attribute.
            attribute_origins: only attributes that come from there; none is all. Which objects are found stays the
                same. An older gateway sends all.
            include_ancestors: also the objects above those that pass the filters, without attributes.
            page_size: objects a page; 0 for the gateway's default.

        Raises:
            MxGatewayNotFoundError: the root is not deployed.
            MxGatewayProtocolError: the gateway hands out a page token twice, which would never end.
            MxGatewayError: the call failed, also when the Galaxy was deployed between two pages: start again then.
        """
        request = galaxy_pb.DiscoverHierarchyRequest(
            page_size=page_size,
            category_ids=category_ids,
            template_chain_contains=template_chain_contains,
            tag_name_glob=tag_name_glob,
            include_attributes=include_attributes,
            alarm_bearing_only=alarm_bearing_only,
            historized_only=historized_only,
            attribute_origins=_numbers(attribute_origins),
            include_ancestors=include_ancestors,
        )
        if root is not None and root_contained_path is not None:
            raise TypeError("give either root or root_contained_path")
        if isinstance(root, int):
            request.root_gobject_id = root
        elif root is not None:
            request.root_tag_name = root
        if root_contained_path is not None:
            request.root_contained_path = root_contained_path
        if max_depth is not None:
            request.max_depth.CopyFrom(Int32Value(value=max_depth))
        async for reply in self._pages("DiscoverHierarchy", request):
            for each in reply.objects:
                yield each

    async def attributes(
        self, tag_name: str, *, origins: Iterable[AttributeOrigin] = (AttributeOrigin.CONFIGURED,)
    ) -> GalaxyAttributes:
        """Which tags an object has: its attributes, those that an engineer configured first.

        Args:
            tag_name: of the object; contained names lead to it as a path of `iter_hierarchy`.
            origins: where the attributes may come from; none is everywhere. An older gateway tells no origins: then it
                is always everywhere.

        Raises:
            MxGatewayNotFoundError: there is no such object, or the key may not browse it.
        """
        found = GalaxyAttributes()
        async for each in self.iter_hierarchy(root=tag_name, max_depth=0, attribute_origins=origins):
            found.extend(each.attributes)
        return found

    def watch_deploy_events(
        self, last_seen_deploy_time: datetime | None = None, *, timeout: float | None = None
    ) -> ServerStream[galaxy_pb.DeployEvent]:
        """The current deployment at once, then each new one.

        `sequence` grows by one from the gateway's start; a hole means that events were dropped for this subscriber.

        Args:
            last_seen_deploy_time: the deployment that you know (aware datetime): the first event is left out while it
                is still that one.
            timeout: deadline of the stream in seconds; None for the options' `stream_timeout`.
        """
        request = galaxy_pb.WatchDeployEventsRequest()
        if last_seen_deploy_time is not None:
            request.last_seen_deploy_time.CopyFrom(to_timestamp(last_seen_deploy_time))
        return self.watch_deploy_events_raw(request, timeout=timeout)

    def watch_deploy_events_raw(
        self, request: galaxy_pb.WatchDeployEventsRequest, *, timeout: float | None = None
    ) -> ServerStream[galaxy_pb.DeployEvent]:
        """WatchDeployEvents with the generated messages, for a time with nanoseconds."""
        return self._connection.stream(
            self._connection.stub.WatchDeployEvents, request, "WatchDeployEvents", timeout=timeout, sessions=False
        )

    async def browse(
        self,
        parent: int | str | None = None,
        *,
        contained_path: str | None = None,
        category_ids: Iterable[int] = (),
        template_chain_contains: Iterable[str] = (),
        tag_name_glob: str = "",
        include_attributes: bool | None = None,
        alarm_bearing_only: bool = False,
        historized_only: bool = False,
        attribute_origins: Iterable[AttributeOrigin] = (),
        include_ancestors: bool = False,
    ) -> list[BrowseNode]:
        """The children of one object, areas first, as nodes that fetch their own children when expanded.

        Args:
            parent: gobject id or tag name; None for the top of the Galaxy.
            contained_path: browse names joined by `/`, in place of `parent`.
            category_ids: as for `iter_hierarchy`, likewise the other filters; nodes keep them for their children.
            template_chain_contains: see there.
            tag_name_glob: see there.
            include_attributes: see there.
            alarm_bearing_only: see there.
            historized_only: see there.
            attribute_origins: see there.
            include_ancestors: also children that only lead to objects that pass the filters, without attributes.

        Raises:
            MxGatewayNotFoundError: the parent is not deployed.
        """
        request = galaxy_pb.BrowseChildrenRequest(
            category_ids=category_ids,
            template_chain_contains=template_chain_contains,
            tag_name_glob=tag_name_glob,
            include_attributes=include_attributes,
            alarm_bearing_only=alarm_bearing_only,
            historized_only=historized_only,
            attribute_origins=_numbers(attribute_origins),
            include_ancestors=include_ancestors,
        )
        if parent is not None and contained_path is not None:
            raise TypeError("give either parent or contained_path")
        if isinstance(parent, int):
            request.parent_gobject_id = parent
        elif parent is not None:
            request.parent_tag_name = parent
        if contained_path is not None:
            request.parent_contained_path = contained_path
        return await self._browse(request)

    async def browse_children_raw(self, request: galaxy_pb.BrowseChildrenRequest) -> galaxy_pb.BrowseChildrenReply:
        """BrowseChildren with the generated messages: one page."""
        reply: galaxy_pb.BrowseChildrenReply = await self._unary("BrowseChildren", request)
        return reply

    async def discover_hierarchy_raw(
        self, request: galaxy_pb.DiscoverHierarchyRequest
    ) -> galaxy_pb.DiscoverHierarchyReply:
        """DiscoverHierarchy with the generated messages: one page."""
        reply: galaxy_pb.DiscoverHierarchyReply = await self._unary("DiscoverHierarchy", request)
        return reply

    async def close(self) -> None:
        """Closes the connection and ends all calls on it. Idempotent."""
        await self._connection.close()

    async def __aenter__(self) -> GalaxyRepositoryClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _browse(self, request: galaxy_pb.BrowseChildrenRequest) -> list[BrowseNode]:
        nodes: list[BrowseNode] = []
        async for reply in self._pages("BrowseChildren", request):
            hints = list(reply.child_has_children)
            if len(hints) != len(reply.children):
                raise MxGatewayProtocolError("BrowseChildren: children and hints differ in number", raw_reply=reply)
            nodes.extend(
                BrowseNode(child, hint, request, self._browse)
                for child, hint in zip(reply.children, hints, strict=True)
            )
        return nodes

    async def _pages(self, method: str, request: Any) -> AsyncIterator[Any]:
        asked: set[str] = set()
        token = ""
        while True:
            page_request = type(request)()
            page_request.CopyFrom(request)
            page_request.page_token = token
            reply = await self._unary(method, page_request)
            yield reply
            token = reply.next_page_token
            if not token:
                return
            if token in asked:
                raise MxGatewayProtocolError(f"{method}: the gateway handed out a page token twice", raw_reply=reply)
            asked.add(token)

    async def _unary(self, method: str, request: Any) -> Any:
        return await self._connection.unary(
            getattr(self._connection.stub, method), request, method, idempotent=True, sessions=False
        )


def _numbers(origins: Iterable[AttributeOrigin]) -> Any:
    """As the generated messages take them, which have a type of their own for each enumeration."""
    return [int(each) for each in origins]
