"""What `mxgw-py browse` shows: an object with its attributes, and the tree below it."""

from __future__ import annotations

import fnmatch
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mxgateway import AttributeOrigin, MxGatewayNotFoundError
from mxgateway.house import attribute_marks
from mxgateway_cli.output import proto_dict

if TYPE_CHECKING:
    from mxgateway import BrowseNode, GalaxyAttribute, GalaxyObject, GalaxyRepositoryClient


@dataclass(frozen=True, slots=True)
class View:
    """What is asked for.

    Attributes:
        path: where to begin: tag name, browse names joined by `/`, or a reference; None for the top.
        depth: levels below it; None for all.
        attributes: whether objects below it show their attributes, too.
        every: whether built-in attributes and those of extensions are shown.
        glob: only objects whose tag name fits, and what leads to them.
    """

    path: str | None = None
    depth: int | None = 2
    attributes: bool = False
    every: bool = False
    glob: str = ""

    @property
    def origins(self) -> tuple[AttributeOrigin, ...]:
        return () if self.every else (AttributeOrigin.CONFIGURED,)


@dataclass(slots=True)
class Branch:
    """An object with what was looked at below it; `more` when there is something that was not."""

    object: GalaxyObject
    children: list[Branch] = field(default_factory=list)
    more: bool = False

    @property
    def name(self) -> str:
        return self.object.browse_name or self.object.tag_name


@dataclass(slots=True)
class Shown:
    """The answer: `root` only where there is a path, and `wanted` the attributes of it that the path names."""

    root: GalaxyObject | None
    branches: list[Branch]
    wanted: str = ""


async def look(galaxy: GalaxyRepositoryClient, view: View) -> Shown:
    """Looks into the Galaxy.

    Raises:
        MxGatewayNotFoundError: there is no such object, or no such attribute of it.
        MxGatewayError: the Galaxy cannot be read.
    """
    if view.path is None:
        return Shown(None, await _below(galaxy, view, None))
    root, wanted = await _root(galaxy, view, view.path)
    if wanted:
        _keep_attributes(root, wanted)
        return Shown(root, [], wanted)
    return Shown(root, await _below(galaxy, view, root))


async def _root(galaxy: GalaxyRepositoryClient, view: View, path: str) -> tuple[GalaxyObject, str]:
    """The object at a path, and what the path says after it: a pattern of attributes."""
    if "/" in path:
        return await _only(galaxy.iter_hierarchy(root_contained_path=path, **_alone(view.origins)), path), ""
    name, _, rest = path.partition(".")
    origins = () if rest and rest != "*" else view.origins
    found = await _only(galaxy.iter_hierarchy(root=name, **_alone(origins)), name)
    while rest:
        # What is contained in an object may be named after it, as MXAccess takes it.
        contained, _, after = rest.partition(".")
        inner = next((each for each in await galaxy.browse(found.gobject_id, include_attributes=False)
                      if each.object.contained_name.casefold() == contained.casefold()), None)  # fmt: skip
        if inner is None:
            break
        origins = () if after and after != "*" else view.origins
        found, rest = await _only(galaxy.iter_hierarchy(root=inner.object.gobject_id, **_alone(origins)), path), after
    return found, rest


def _alone(origins: Sequence[AttributeOrigin]) -> dict[str, Any]:
    return {"max_depth": 0, "attribute_origins": origins}


async def _only(objects: AsyncIterator[GalaxyObject], path: str) -> GalaxyObject:
    async for each in objects:
        return each
    raise MxGatewayNotFoundError(f"the deployed Galaxy has no object {path}")


def _keep_attributes(root: GalaxyObject, pattern: str) -> None:
    wanted = pattern.removesuffix("[]").replace("[", "[[]").casefold()
    kept = [each for each in root.attributes if fnmatch.fnmatchcase(each.attribute_name.casefold(), wanted)]
    if not kept:
        raise MxGatewayNotFoundError(f"{root.tag_name} has no attribute {pattern}")
    del root.attributes[:]
    root.attributes.extend(kept)


async def _below(galaxy: GalaxyRepositoryClient, view: View, root: GalaxyObject | None) -> list[Branch]:
    if view.glob:
        return await _found(galaxy, view, root)
    nodes = await galaxy.browse(
        None if root is None else root.gobject_id, include_attributes=view.attributes, attribute_origins=view.origins
    )
    return await _expanded(nodes, view.depth)


async def _expanded(nodes: list[BrowseNode], depth: int | None) -> list[Branch]:
    left = None if depth is None else depth - 1
    branches = []
    for node in nodes:
        branch = Branch(node.object, more=node.has_children_hint)
        if node.has_children_hint and left != 0:
            branch.children, branch.more = await _expanded(await node.expand(), left), False
        branches.append(branch)
    return branches


async def _found(galaxy: GalaxyRepositoryClient, view: View, root: GalaxyObject | None) -> list[Branch]:
    """The objects that fit, and what leads to them; parents come before their children."""
    places: dict[int, Branch] = {}
    top: list[Branch] = []
    below_root = None if root is None else root.gobject_id
    depth = view.depth if root is not None or view.depth is None else view.depth - 1
    async for each in galaxy.iter_hierarchy(
        root=below_root,
        max_depth=depth,
        tag_name_glob=view.glob,
        include_attributes=view.attributes,
        attribute_origins=view.origins,
        include_ancestors=True,
    ):
        if each.gobject_id == below_root:
            continue
        branch = places[each.gobject_id] = Branch(each)
        above = places.get(each.parent_gobject_id)
        (top if above is None else above.children).append(branch)
    return top


# ---------------------------------------------------------------------------------------------------------------- forms


def document(shown: Shown, attributes: bool) -> dict[str, Any]:
    """The answer as JSON: what the path names under `object`, and what is below it under `nodes`."""
    nodes = [_node(each, attributes) for each in shown.branches]
    if shown.root is None:
        return {"nodes": nodes}
    root = _node(Branch(shown.root, more=bool(nodes)), True)
    root.pop("children", None)
    return {"object": root, "nodes": nodes}


def _node(branch: Branch, attributes: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": branch.name,
        "tagName": branch.object.tag_name,
        "isArea": branch.object.is_area,
        "hasChildren": branch.more or bool(branch.children),
    }
    if attributes:
        described["attributes"] = [proto_dict(each) for each in branch.object.attributes]
    if branch.children:
        described["children"] = [_node(each, attributes) for each in branch.children]
    return described


def lines(shown: Shown, attributes: bool) -> Iterator[str]:
    """The answer for people."""
    indent = ""
    if shown.root is not None:
        yield from _object_lines(Branch(shown.root), True, "")
        indent = "  "
    yield from _tree(shown.branches, attributes, indent)


def _tree(branches: Sequence[Branch], attributes: bool, indent: str) -> Iterator[str]:
    for branch in branches:
        yield from _object_lines(branch, attributes, indent)
        yield from _tree(branch.children, attributes, indent + "  ")


def _object_lines(branch: Branch, attributes: bool, indent: str) -> Iterator[str]:
    tag_name = branch.object.tag_name
    name = branch.name if branch.name == tag_name else f"{branch.name} ({tag_name})"
    yield f"{indent}{name}{'/' if branch.object.is_area else ''}{' …' if branch.more else ''}"
    if attributes:
        yield from _attribute_lines(branch.object.attributes, indent + "  ")


def _attribute_lines(attributes: Sequence[GalaxyAttribute], indent: str) -> Iterator[str]:
    """Names and types below each other; then units, what is special, and the description."""
    rows = [(f".{each.attribute_name}{'[]' if each.is_array else ''}", each.data_type_name) for each in attributes]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for each, (name, kind) in zip(attributes, rows, strict=True):
        more = (each.engineering_units, attribute_marks(each), each.description)
        text = f"{indent}{name:{widths[0]}}  {kind:{widths[1]}}  {'  '.join(part for part in more if part)}"
        yield text.rstrip()


def remark(shown: Shown, view: View) -> str:
    """What to do next where there is nothing to see; empty where there is something."""
    if shown.branches or shown.wanted:
        return ""
    if view.glob:
        where = "" if shown.root is None else f" below {shown.root.tag_name}"
        return f"no object{where} has a tag name that fits {view.glob}; the whole name has to fit, with * and ?"
    if shown.root is None:
        return "there is nothing to browse: no object is deployed, or the key's browse_subtrees leave nothing"
    if shown.root.attributes or view.every:
        return ""
    return f"{shown.root.tag_name} has no attributes of its own; --all shows the built-in ones"
