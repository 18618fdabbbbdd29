"""The Galaxy as a tree: areas and objects, their attributes with types and units."""

from __future__ import annotations

from starlette.responses import Response

from mxgateway_contract.generated import galaxy_repository_pb2 as pb
from mxgateway_server.access.scopes import Scope
from mxgateway_server.dashboard.calls import Call, ProblemError, data
from mxgateway_server.dashboard.inward import ask, plain
from mxgateway_server.dashboard.roles import Role
from mxgateway_server.dashboard.watching import WatchDesk
from mxgateway_server.galaxy import GalaxyRepositoryService

PAGE = 200
MAX_FOUND = 100


class GalaxyRoutes:
    """The routes under `/galaxy`; each shows what the key may browse."""

    def __init__(self, browse: GalaxyRepositoryService, desk: WatchDesk) -> None:
        self._browse = browse
        self._desk = desk

    async def watch(self, call: Call) -> Response:
        """Sets which tags are watched."""
        _require_reading(call)
        tags = call.body.get("tags")
        if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
            raise ProblemError(400, "INVALID_REQUEST", "tags: a list of names")
        return data({"tags": await self._desk.watch(call, tags)})

    async def watched(self, call: Call) -> Response:
        """The latest of each tag that is watched."""
        _require_reading(call)
        return data({"tags": self._desk.values(call.who)})

    async def children(self, call: Call) -> Response:
        """Objects below one, or at the top; without their attributes."""
        _require_metadata(call)
        request = pb.BrowseChildrenRequest(page_size=PAGE, page_token=call.query("page"))
        request.include_attributes = False
        parent = call.number("parent", 0, at_most=2**31 - 1)
        if parent:
            request.parent_gobject_id = parent
        reply = pb.BrowseChildrenReply.FromString(await ask(call, self._browse.browse_children, request))
        children = [
            {**_object(child), "hasChildren": has}
            for child, has in zip(reply.children, reply.child_has_children, strict=True)
        ]
        return data({"children": children, "total": reply.total_child_count, "next": reply.next_page_token})

    async def search(self, call: Call) -> Response:
        """Objects whose tag name has a text in it."""
        _require_metadata(call)
        text = call.query("text", at_most=100).strip()
        if not text:
            return data({"objects": [], "total": 0})
        glob = text if "*" in text or "?" in text else f"*{text}*"
        request = pb.DiscoverHierarchyRequest(page_size=MAX_FOUND, tag_name_glob=glob)
        request.include_attributes = False
        reply = pb.DiscoverHierarchyReply.FromString(await ask(call, self._browse.discover_hierarchy, request))
        return data({"objects": [_object(each) for each in reply.objects], "total": reply.total_object_count})

    async def one(self, call: Call) -> Response:
        """One object with its attributes: those that an engineer configured, or all."""
        _require_metadata(call)
        request = pb.DiscoverHierarchyRequest(page_size=1, root_tag_name=call.path("tag_name"))
        request.max_depth.value = 0
        if call.query("all") != "1":
            request.attribute_origins.append(pb.ATTRIBUTE_ORIGIN_CONFIGURED)
        reply = pb.DiscoverHierarchyReply.FromString(await ask(call, self._browse.discover_hierarchy, request))
        if not reply.objects:
            raise ProblemError(404, "GALAXY_NOT_FOUND", "there is no such object, or your key may not browse it")
        found = reply.objects[0]
        return data({**_object(found), "attributes": [plain(each) for each in found.attributes]})


def _require_metadata(call: Call) -> None:
    if call.role < Role.OPERATOR and Scope.METADATA_READ not in call.who.scopes:
        raise ProblemError(
            403,
            "SCOPE",
            "the Galaxy is for keys with the scope metadata:read, and yours has not",
            "an administrator gives it (mxgateway apikey change --scopes)",
        )


def _require_reading(call: Call) -> None:
    if call.role < Role.OPERATOR and Scope.INVOKE_READ not in call.who.scopes:
        raise ProblemError(
            403,
            "SCOPE",
            "values are for keys with the scope invoke:read, and yours has not",
            "an administrator gives it (mxgateway apikey change --scopes)",
        )


def _object(found: pb.GalaxyObject) -> dict[str, object]:
    return {
        "id": found.gobject_id,
        "tagName": found.tag_name,
        "name": found.contained_name or found.browse_name or found.tag_name,
        "isArea": found.is_area,
        "template": found.template_chain[0] if found.template_chain else "",
        "parent": found.parent_gobject_id,
    }
