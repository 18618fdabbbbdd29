"""The Galaxy as a tree that fetches what is opened, and the objects that a filter finds."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, TypeAlias

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from mxgateway import MxGatewayError
from mxgateway_cli.tui.plant import Branch, Plant
from mxgateway_cli.tui.text import one_line
from mxgateway_cli.tui.words import by_origin, data_type
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb

SEARCH_LIMIT = 200
"""Most objects that a filter shows."""


class Found:
    """An object that a filter found: a branch without children, whose attributes are what is wanted."""

    has_children_hint = False

    def __init__(self, found: galaxy_pb.GalaxyObject, attributes: str) -> None:
        self.object = galaxy_pb.GalaxyObject()
        self.object.CopyFrom(found)
        if attributes:
            kept = [each for each in found.attributes if attributes.lower() in each.attribute_name.lower()]
            del self.object.attributes[:]
            self.object.attributes.extend(kept)

    @property
    def name(self) -> str:
        return self.object.tag_name

    async def expand(self) -> Sequence[Branch]:
        return []


class AttributeGroup:
    """Attributes of an object that are not its own, folded away."""

    def __init__(
        self, owner: galaxy_pb.GalaxyObject, name: str, attributes: Sequence[galaxy_pb.GalaxyAttribute]
    ) -> None:
        self.object = owner
        self.name = name
        self.attributes = attributes


NodeData: TypeAlias = Branch | AttributeGroup | galaxy_pb.GalaxyAttribute
Node: TypeAlias = TreeNode[NodeData]


class GalaxyTree(Tree[NodeData]):
    """Objects and, below them, their attributes. Enter on an attribute asks to watch it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "open", "Open", show=False),
        Binding("left", "shut", "Close", show=False),
    ]

    class AttributeChosen(Message):
        """An attribute is to be watched."""

        def __init__(self, attribute: galaxy_pb.GalaxyAttribute) -> None:
            super().__init__()
            self.attribute = attribute

    def __init__(self, plant: Plant, is_watched: Callable[[str], bool], *, id: str | None = None) -> None:
        super().__init__("Galaxy", id=id)
        self.show_root = False
        self.guide_depth = 2
        self._plant = plant
        self._is_watched = is_watched
        self._fetched: set[int] = set()

    def show_top(self) -> None:
        """Shows the Galaxy from its top, fetched anew."""
        self._fill(self._top, "browse")

    def show_found(self, text: str) -> None:
        """Shows the objects that fit: `text` in the tag name, and after a dot `text` in the attribute's name."""
        objects, _, attributes = text.partition(".")

        async def search() -> None:
            found, more = await self._plant.search(objects.strip(), SEARCH_LIMIT)
            self.clear()
            for each in found:
                self._add_branch(self.root, Found(each, attributes.strip()))
            if more:
                self.root.add_leaf(Text(f"more than {SEARCH_LIMIT}: say more", "italic"))
            elif not found:
                self.root.add_leaf(Text("nothing fits", "italic"))
            if len(found) == 1:
                self.root.children[0].expand()

        self._fill(search, "search")

    async def _top(self) -> None:
        branches = await self._plant.browse()
        self.clear()
        for branch in branches:
            self._add_branch(self.root, branch)
        if not branches:
            self.root.add_leaf(Text("the Galaxy has no deployed objects", "italic"))

    def _fill(self, work: Callable[[], Awaitable[None]], what: str) -> None:
        async def guarded() -> None:
            try:
                await work()
            except MxGatewayError as error:
                self.clear()
                self.root.add_leaf(Text("no tree: r tries again", "italic"))
                self.app.notify(one_line(str(error)), title=f"cannot {what}", severity="error", markup=False)
            else:
                self.cursor_line = 0 if self.root.children else -1

        # A newer request replaces one that is still under way.
        self._fetched.clear()
        self.run_worker(guarded, group="fill", exclusive=True)  # type: ignore[arg-type]

    def _add_branch(self, node: Node, branch: Branch) -> None:
        is_area = branch.object.is_area
        label = Text(one_line(branch.name), "bold" if is_area else "")
        if branch.object.tag_name != branch.name:
            label.append(f"  {one_line(branch.object.tag_name)}", "dim")
        node.add(label, branch, allow_expand=branch.has_children_hint or bool(branch.object.attributes))

    def _attribute_label(self, attribute: galaxy_pb.GalaxyAttribute) -> Text:
        watched = self._is_watched(attribute.full_tag_reference)
        label = Text().append("● " if watched else "· ", "green" if watched else "dim")
        label.append(one_line(attribute.attribute_name), "cyan")
        return label.append(f"  {data_type(attribute)}", "dim")

    def mark_watched(self) -> None:
        """Draws the marks of watched attributes anew."""
        pending = list(self.root.children)
        while pending:
            node = pending.pop()
            pending.extend(node.children)
            if isinstance(node.data, galaxy_pb.GalaxyAttribute):
                node.set_label(self._attribute_label(node.data))

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[NodeData]) -> None:
        event.stop()
        node = event.node
        if node.data is None or isinstance(node.data, galaxy_pb.GalaxyAttribute) or node.id in self._fetched:
            return
        self._fetched.add(node.id)
        if isinstance(node.data, AttributeGroup):
            self._add_attributes(node, node.data.attributes)
            return
        self.run_worker(functools.partial(self._expand, node, node.data), group="expand")  # type: ignore[arg-type]

    async def _expand(self, node: Node, branch: Branch) -> None:
        try:
            children = await branch.expand() if branch.has_children_hint else ()
        except MxGatewayError as error:
            self._fetched.discard(node.id)
            node.collapse()
            self.app.notify(one_line(str(error)), title=f"cannot open {branch.name}", severity="error", markup=False)
            return
        for child in children:
            self._add_branch(node, child)
        own, groups = by_origin(branch.object.attributes)
        self._add_attributes(node, own)
        for name, attributes in groups.items():
            label = Text(f"{name} ({len(attributes)})", "dim italic")
            node.add(label, AttributeGroup(branch.object, name, attributes), allow_expand=True)

    def _add_attributes(self, node: Node, attributes: Sequence[galaxy_pb.GalaxyAttribute]) -> None:
        for attribute in attributes:
            node.add_leaf(self._attribute_label(attribute), attribute)

    def on_tree_node_selected(self, event: Tree.NodeSelected[NodeData]) -> None:
        event.stop()
        if isinstance(event.node.data, galaxy_pb.GalaxyAttribute):
            self.post_message(self.AttributeChosen(event.node.data))

    def action_open(self) -> None:
        if self.cursor_node is not None and self.cursor_node.allow_expand:
            self.cursor_node.expand()

    def action_shut(self) -> None:
        node = self.cursor_node
        if node is None:
            return
        if node.allow_expand and node.is_expanded:
            node.collapse()
        elif node.parent is not None and node.parent is not self.root:
            self.move_cursor(node.parent)

    @property
    def attributes(self) -> Sequence[galaxy_pb.GalaxyAttribute]:
        """What is under the cursor as attributes: one, a group, or the own ones of an object."""
        chosen = self.selected
        if isinstance(chosen, galaxy_pb.GalaxyAttribute):
            return (chosen,)
        if isinstance(chosen, AttributeGroup):
            return chosen.attributes
        return by_origin(chosen.object.attributes)[0] if chosen is not None else ()

    @property
    def selected(self) -> NodeData | None:
        """What is under the cursor."""
        return None if self.cursor_node is None else self.cursor_node.data
