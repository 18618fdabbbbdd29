"""Nodes of a Galaxy's tree that fetch their children when asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb


class BrowseNode:
    """One object of the Galaxy, with its children once they are expanded.

    After a deployment, browse again from the root: nodes keep what they fetched.
    """

    def __init__(
        self,
        galaxy_object: galaxy_pb.GalaxyObject,
        has_children_hint: bool,
        request: galaxy_pb.BrowseChildrenRequest,
        fetch: Callable[[galaxy_pb.BrowseChildrenRequest], Awaitable[list[BrowseNode]]],
    ) -> None:
        self._object = galaxy_object
        self._hint = has_children_hint
        self._request = request
        self._fetch = fetch
        self._children: list[BrowseNode] | None = None
        self._lock = asyncio.Lock()

    @property
    def object(self) -> galaxy_pb.GalaxyObject:
        """The generated GalaxyObject."""
        return self._object

    @property
    def raw(self) -> galaxy_pb.GalaxyObject:
        """The generated GalaxyObject."""
        return self._object

    @property
    def name(self) -> str:
        """Name in the tree: the contained name within its parent, else the tag name."""
        return self._object.browse_name or self._object.contained_name or self._object.tag_name

    @property
    def has_children_hint(self) -> bool:
        """Whether the gateway says that there are children (after the filters)."""
        return self._hint

    @property
    def is_expanded(self) -> bool:
        """Whether the children have been fetched."""
        return self._children is not None

    @property
    def children(self) -> list[BrowseNode]:
        """The children; empty until `expand` was awaited."""
        return list(self._children or ())

    async def expand(self) -> list[BrowseNode]:
        """Fetches the children and returns them. Idempotent: any number of concurrent calls asks the gateway once.

        Raises:
            MxGatewayNotFoundError: the object is not deployed any more; browse again from the root.
        """
        async with self._lock:
            if self._children is None:
                request = galaxy_pb.BrowseChildrenRequest()
                request.CopyFrom(self._request)
                request.parent_gobject_id = self._object.gobject_id
                self._children = await self._fetch(request)
        return self.children

    def __repr__(self) -> str:
        state = f"{len(self._children)} children" if self._children is not None else "not expanded"
        return f"<BrowseNode {self.name} ({self._object.tag_name}), {state}>"

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(f"<li>{escape(child.name)}</li>" for child in self._children or ())
        title = f"<b>{escape(self.name)}</b> <code>{escape(self._object.tag_name)}</code>"
        return f"{title}<ul>{rows}</ul>" if rows else title
