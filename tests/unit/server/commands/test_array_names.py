"""Bare array names, completed from a real Galaxy index."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from tests.support.galaxy_rows import edge_database

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.constraints import TagFacts
from mxgateway_server.commands.arrays import complete_array_names
from mxgateway_server.galaxy import SqlGalaxySource
from mxgateway_server.galaxy.index import GalaxyIndex


class IndexLookup:
    is_pending = False

    def __init__(self, index: GalaxyIndex) -> None:
        self._index = index

    def may_be_array(self, reference: str) -> bool:
        return self._index.may_be_array(reference)

    def none_may_be_array(self, references: Collection[str]) -> bool:
        return self._index.none_may_be_array(references)

    def lookup(self, reference: str) -> TagFacts | None:
        facts = self._index.lookup(reference)
        return (
            None if facts is None else TagFacts(contained_path=facts.contained_path, is_array=facts.attribute.is_array)
        )


@pytest.fixture(scope="module")
def lookup(tmp_path_factory: pytest.TempPathFactory) -> IndexLookup:
    url = edge_database(tmp_path_factory.mktemp("arrays") / "edge.db")
    return IndexLookup(GalaxyIndex(SqlGalaxySource(url).read_galaxy()))


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("Arrays_001.Long", "Arrays_001.Long[]"),
        ("arrays_001.LONG", "arrays_001.LONG[]"),
        ("Arrays_001.Long[]", "Arrays_001.Long[]"),
        ("Arrays_001.Long[2]", "Arrays_001.Long[2]"),
        ("Arrays_001.Long.property(buffer)", "Arrays_001.Long.property(buffer)"),
        ("Arrays_001.Area", "Arrays_001.Area"),
        ("Nobody.Long", "Nobody.Long"),
        ("", ""),
    ],
)
def test_add_item(lookup: IndexLookup, name: str, sent: str) -> None:
    """Only the bare name of a known array gets `[]`."""
    command = pb.MxCommand(
        kind=pb.MX_COMMAND_KIND_ADD_ITEM, add_item=pb.AddItemCommand(server_handle=1, item_definition=name)
    )
    assert complete_array_names(command, lookup).add_item.item_definition == sent


@pytest.mark.parametrize(
    ("context", "definition", "sent"),
    [
        ("Arrays_001", "Long", "Long[]"),
        ("Arrays_001", "Me.Long", "Me.Long[]"),
        ("Arrays_001", "Area", "Area"),
        ("Nobody", "Long", "Long"),
    ],
)
def test_with_context(lookup: IndexLookup, context: str, definition: str, sent: str) -> None:
    """With a context the attribute is looked up in that object, and only the definition changes."""
    plain = pb.MxCommand(
        kind=pb.MX_COMMAND_KIND_ADD_ITEM2,
        add_item2=pb.AddItem2Command(server_handle=1, item_definition=definition, item_context=context),
    )
    buffered = pb.MxCommand(
        kind=pb.MX_COMMAND_KIND_ADD_BUFFERED_ITEM,
        add_buffered_item=pb.AddBufferedItemCommand(server_handle=1, item_definition=definition, item_context=context),
    )
    for request in (
        complete_array_names(plain, lookup).add_item2,
        complete_array_names(buffered, lookup).add_buffered_item,
    ):
        assert (request.item_definition, request.item_context) == (sent, context)


def test_names_asked_about_before(lookup: IndexLookup, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that holds no array is told at once the next time; one that holds an array is looked at each time."""
    plain, mixed = ["Arrays_001.Area", "Nobody.Nothing"], ["Arrays_001.Area", "Arrays_001.Long"]
    asked: list[str] = []
    original = GalaxyIndex.may_be_array

    def counted(index: GalaxyIndex, reference: str) -> bool:
        asked.append(reference)
        return original(index, reference)

    monkeypatch.setattr(GalaxyIndex, "may_be_array", counted)
    assert lookup.none_may_be_array(plain)
    first = len(asked)
    assert lookup.none_may_be_array(plain)
    assert len(asked) == first
    assert not lookup.none_may_be_array(mixed)
    assert not lookup.none_may_be_array(mixed)
    assert asked.count("Arrays_001.Long") == 2


def test_what_is_remembered_is_bounded(lookup: IndexLookup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that a client makes up do not fill the memory, and a forgotten name is judged as before."""
    monkeypatch.setattr("mxgateway_server.galaxy.index._REMEMBERED_NAMES", 10)
    index = lookup._index
    for batch in range(20):
        assert index.none_may_be_array([f"Nobody.N{batch}_{n}" for n in range(4)])
        assert len(index._plain_names) <= 10
    assert index.none_may_be_array(["X." + "y" * 200])
    assert all(len(name) <= 128 for name in index._plain_names)
