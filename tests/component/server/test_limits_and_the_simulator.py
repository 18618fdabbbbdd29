"""Whatever a reference's spelling: what a limited key is given is what the worker resolves it to.

The gateway judges a text, the worker resolves it; here both read one Galaxy, and no text may be judged open that leads
to an object outside of the key's limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.gateway import command

from mxgateway_server.access.constraints import Constraints, TagLookup, judge
from mxgateway_server.access.globs import matches
from mxgateway_server.access.handles import HandleTracker
from mxgateway_server.galaxy import SqlGalaxySource
from mxgateway_server.galaxy.index import GalaxyIndex
from mxgateway_server.galaxy.tag_lookup import GalaxyLookup
from mxgateway_simulator.building.builder import build_galaxy
from mxgateway_simulator.building.description_reader import read_description
from mxgateway_simulator.plant.galaxy_file import GalaxyFile
from mxgateway_simulator.plant.resolver import Found, Resolver
from mxgateway_simulator.switches import Switches

OPEN = "TestMachine_001"
LIMITS = [
    Constraints(read_tag_globs=(f"{OPEN}.*",)),
    Constraints(read_subtrees=(f"*/{OPEN}",)),
    Constraints(read_tag_globs=("*.PartNumber", "*.Speed")),
]


class Both:
    def __init__(self, path: Path) -> None:
        self.galaxy = GalaxyFile(path)
        self.resolver = Resolver(self.galaxy, Switches())
        index = GalaxyIndex(SqlGalaxySource(str(path)).read_galaxy())
        self.lookup: TagLookup = GalaxyLookup(index)
        self.path_of = {
            name.casefold(): index.contained_path(place) for place, name in enumerate(index.objects.tag_names)
        }


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    path = tmp_path_factory.mktemp("galaxy") / "reference.db"
    build_galaxy(read_description("reference"), path)
    made = Both(path)
    yield made
    made.galaxy.close()


names = st.sampled_from(
    (
        *(
            OPEN,
            "TestMachine_002",
            "DelmiaReceiver",
            "MESReceiver",
            "DelmiaReceiver_001",
            "MESReceiver_001",
            "TestArea",
        ),
        *("Me", "MyContainer", "MyArea", "MyHost", "MyEngine", "MyPlatform", "DEV"),
    )
)
attributes = st.sampled_from(
    (
        *("TestChangingInt", "MoveInPartNumbers", "PartNumber", "TestAlarm001.InAlarm", "ScanState", "Tagname", "PV"),
        *("attribute(TestChangingInt)", "attribute( MoveInPartNumbers )", "attribute(PartNumber)", "Speed", "Area"),
    )
)
suffixes = st.sampled_from(
    ["", "", "[]", "[1]", "[ 1 ]", "[-1]", ".Value", ".quality", ".07", ".property(Value)", "[].Value", "[1].Type"]
)


@st.composite
def references(draw: st.DrawFn) -> str:
    parts = draw(st.lists(names, max_size=3))
    if not parts or draw(st.booleans()):
        parts.append(draw(attributes))
    text = ".".join(parts) + draw(suffixes)
    return draw(st.sampled_from([text, text.upper(), text.lower(), f" {text}", f"{text} "]))


contexts = st.one_of(st.just(""), names, st.builds("{}.{}".format, names, names))


@settings(max_examples=400)
@given(definition=references(), context=contexts, limits=st.sampled_from(LIMITS))
def test_what_passes_leads_to_nothing_that_is_closed(
    both: Both, definition: str, context: str, limits: Constraints
) -> None:
    made = command("ADD_ITEM2", server_handle=1, item_definition=definition, item_context=context)
    if judge(made, limits, HandleTracker(), both.lookup).denial is not None:
        return
    found = both.resolver.resolve(definition, context)
    if isinstance(found, Found):
        name = f"{found.object.tag_name}.{found.row.name}"
        path = both.path_of.get(found.object.tag_name.casefold(), "")
        assert any(matches(glob, name) for glob in limits.read_tag_globs) or any(
            matches(glob, path) or matches(f"{glob}/*", path) for glob in limits.read_subtrees
        ), (definition, context, name, path)


@pytest.mark.parametrize(
    ("definition", "context"),
    [
        (f"{OPEN}.TestChangingInt", ""),
        (f"{OPEN}.testchangingint", ""),
        (f"{OPEN}.TestChangingInt.Quality", ""),
        (f"{OPEN}.attribute(TestChangingInt)", ""),
        (f"{OPEN}.TestAlarm001.InAlarm", ""),
        ("Me.TestChangingInt", OPEN),
        ("TestChangingInt", OPEN),
    ],
)
def test_ordinary_spellings_of_what_is_open_pass(both: Both, definition: str, context: str) -> None:
    made = command("ADD_ITEM2", server_handle=1, item_definition=definition, item_context=context)
    assert judge(made, LIMITS[0], HandleTracker(), both.lookup).denial is None
    assert judge(made, LIMITS[1], HandleTracker(), both.lookup).denial is None


ODD = ("#Pump", "Tank$1", "9#Valve", "L" * 128, "Straße#1")
DESCRIPTION = """
format: 1
galaxy: Odd
templates:
  $Thing:
    attributes:
      "#Run$": {{type: Integer, value: 1}}
instances:
  Node1: {{template: $WinPlatform, node: PC}}
  Engine1: {{template: $AppEngine, host: Node1}}
  Area1: {{template: $Area, host: Engine1}}
{instances}
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("odd")
    lines = "\n".join(f'  "{name}": {{template: $Thing, area: Area1}}' for name in ODD)
    (folder / "odd.yaml").write_text(DESCRIPTION.format(instances=lines), encoding="utf-8")
    build_galaxy(read_description(str(folder / "odd.yaml")), folder / "odd.db")
    made = Both(folder / "odd.db")
    yield made
    made.galaxy.close()


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("suffix", ["", ".Value", ".07", ".property(Quality)"])
def test_names_with_the_products_odd_characters_are_judged_and_resolved_as_others(
    odd: Both, name: str, suffix: str
) -> None:
    """`#`, `$`, a leading digit and 128 characters are names; a limit to one of them opens no other."""
    reference = f"{name}.#Run${suffix}"
    assert isinstance(odd.resolver.resolve(reference), Found)
    for other in ODD:
        limits = Constraints(read_tag_globs=(f"{other}.*",))
        made = command("ADD_ITEM", server_handle=1, item_definition=reference)
        denial = judge(made, limits, HandleTracker(), odd.lookup).denial
        assert (denial is None) == (other == name), other
