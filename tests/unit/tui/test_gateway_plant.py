"""The plant behind a gateway: subscriptions, writes, and what a loss of the connection does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, data_change, failed, running_fake, write_complete
from tests.support.limits import LONG, TimeLimits
from tests.support.waiting import eventually

from mxgateway import ClientOptions, DataChange, MxGatewayError, to_mx_value
from mxgateway.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.failures import first_cause
from mxgateway_cli.tui.gateway_plant import GatewayPlant
from mxgateway_cli.tui.plant import Link

KEY = "mxgw_test_sentinelsecret"


class Notes:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.links: list[tuple[Link, str]] = []
        self.changes: list[tuple[str, int]] = []
        self.all: list[tuple[str, int]] = []
        self.refused: list[tuple[str, str]] = []
        self.lost: list[int] = []

    @property
    def link(self) -> Link | None:
        return self.links[-1][0] if self.links else None

    def link_changed(self, link: Link, text: str) -> None:
        self.links.append((link, text))

    def values_came(self, changes: Sequence[DataChange]) -> None:
        self.all += [(each.tag, each.raw.value.int32_value) for each in changes]
        self.changes += [(each.tag, each.raw.value.int32_value) for each in changes if not each.recovered]

    def tag_refused(self, tag: str, reason: str) -> None:
        self.refused.append((tag, reason))

    def events_lost(self, count: int) -> None:
        self.lost.append(count)


class Pauses:
    """A sleep that ends at once, or when the test says so."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.go = asyncio.Event()
        self.go.set()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await asyncio.sleep(0)
        await self.go.wait()


@pytest.fixture
async def gateway() -> AsyncIterator[FakeGateway]:
    async with running_fake() as fake:
        yield fake


@pytest.fixture
def notes() -> Notes:
    return Notes()


@asynccontextmanager
async def running(
    gateway: FakeGateway,
    notes: Notes,
    *,
    read_only: bool = False,
    write_limit: float = 10.0,
    pauses: Pauses | None = None,
) -> AsyncIterator[GatewayPlant]:
    """A plant that keeps its connection as long as the block lasts."""
    options = ClientOptions(endpoint=gateway.endpoint, plaintext=True, api_key=KEY)
    plant = GatewayPlant(options, read_only=read_only, sleep=pauses or Pauses(), write_limit=write_limit)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(plant.run(notes))
        try:
            await eventually(lambda: notes.link is not None)
            yield plant
        finally:
            task.cancel()


async def watch(plant: GatewayPlant, gateway: FakeGateway, *tags: str) -> dict[str, int]:
    """Watches tags, and gives their item handles once they are subscribed."""
    for tag in tags:
        plant.watch(tag)
    await eventually(lambda: all(item_of(plant, tag) for tag in tags))
    return {tag: item_of(plant, tag) for tag in tags}


def item_of(plant: GatewayPlant, tag: str) -> int:
    """The item that the subscription has for a tag now; 0 for none."""
    place = plant._subscription._items.item_of(tag) if plant._subscription is not None else None
    return place[1] if place is not None else 0


async def test_watched_tags_are_subscribed_and_their_changes_told(gateway: FakeGateway, notes: Notes) -> None:
    """Tags watched before and after connecting are added and advised; their changes come with their names."""
    async with running(gateway, notes) as plant:
        handles = await watch(plant, gateway, "A.B", "C.D")
        gateway.put(data_change(7, item_handle=handles["C.D"]), data_change(8, item_handle=handles["A.B"]))
        await eventually(lambda: len(notes.changes) == 2)
        assert notes.changes == [("C.D", 7), ("A.B", 8)]
        assert notes.link is Link.CONNECTED
    assert gateway.calls["CloseSession"] == 1


async def test_a_tag_that_is_no_longer_watched_is_removed(gateway: FakeGateway, notes: Notes) -> None:
    """unwatch ends the subscription and the item in one call, and late events of it are dropped."""
    async with running(gateway, notes) as plant:
        handles = await watch(plant, gateway, "A.B", "C.D")
        plant.unwatch("a.b")
        await eventually(lambda: len(gateway.commands_of("unsubscribe_bulk")) == 1)
        assert list(gateway.commands_of("unsubscribe_bulk")[0].item_handles) == [handles["A.B"]]
        gateway.put(data_change(1, item_handle=handles["A.B"]), data_change(2, item_handle=handles["C.D"]))
        await eventually(lambda: notes.changes == [("C.D", 2)])


async def test_a_refused_tag_is_told_once(gateway: FakeGateway, notes: Notes) -> None:
    """What MXAccess does not add is told with its reason and not tried again with each other tag."""
    reply = pb.MxCommandReply(protocol_status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK))

    def answer(request: pb.MxCommandRequest) -> pb.MxCommandReply | None:
        arm = str(request.command.WhichOneof("payload"))
        if "A.B" not in getattr(request.command, arm).tag_addresses:
            return None
        getattr(reply, arm).results.add(tag_address="A.B", was_successful=False, error_message="too many items")
        return reply

    for arm in ("add_item_bulk", "subscribe_bulk"):
        gateway.answer(arm, answer)
    async with running(gateway, notes) as plant:
        plant.watch("A.B")
        await eventually(lambda: notes.refused == [("A.B", "too many items")])
        await watch(plant, gateway, "C.D")
        assert notes.refused == [("A.B", "too many items")]
        assert list(gateway.items.values()) == ["C.D"]


async def test_a_lost_connection_is_told_and_the_session_goes_on(gateway: FakeGateway, notes: Notes) -> None:
    """What was missed is replayed into the same session; values that came meanwhile are not lost."""
    async with running(gateway, notes) as plant:
        handle = (await watch(plant, gateway, "A.B"))["A.B"]
        gateway.put(data_change(1, item_handle=handle))
        await eventually(lambda: notes.changes == [("A.B", 1)])
        gateway.events = [data_change(1, item_handle=handle), data_change(2, item_handle=handle)]
        gateway.put(Abort(grpc.StatusCode.UNAVAILABLE, "going away"))
        await eventually(lambda: notes.changes == [("A.B", 1), ("A.B", 2)])
        links = [link for link, _ in notes.links]
        assert links[-2:] == [Link.RECONNECTING, Link.CONNECTED]
        assert any("going away" in text for link, text in notes.links if link is Link.RECONNECTING)
        assert gateway.calls["OpenSession"] == 1


async def test_a_lost_session_is_told_and_everything_subscribed_anew(gateway: FakeGateway, notes: Notes) -> None:
    """There is a new session with every tag in it, and its values come."""
    async with running(gateway, notes) as plant:
        first = await watch(plant, gateway, "A.B")
        gateway.put(Abort(grpc.StatusCode.NOT_FOUND, "no such session"))
        await eventually(lambda: item_of(plant, "A.B") not in (0, first["A.B"]))
        gateway.put(data_change(5, item_handle=item_of(plant, "A.B")))
        await eventually(lambda: notes.link is Link.CONNECTED and "A.B" in dict(notes.all))
        assert Link.RECONNECTING in [link for link, _ in notes.links]
        assert gateway.calls["OpenSession"] == 2


async def test_a_gateway_that_is_not_there_yet_is_waited_for(gateway: FakeGateway, notes: Notes) -> None:
    """Before the first connection, too; why there is none can be read at any time."""
    gateway.script("OpenSession", *[Abort(grpc.StatusCode.UNAVAILABLE, "starting up")] * 2)
    async with running(gateway, notes) as plant:
        await eventually(lambda: "starting up" in plant.problem)
        await eventually(lambda: notes.link is Link.CONNECTED)
        await watch(plant, gateway, "A.B")
    assert gateway.calls["OpenSession"] == 3


async def test_pauses_between_attempts_grow(gateway: FakeGateway, notes: Notes) -> None:
    """A gateway that refuses sessions is asked less and less often, and the reason is told without the key."""
    gateway.script("OpenSession", *[Abort(grpc.StatusCode.UNAUTHENTICATED, f"unknown key {KEY}")] * 6)
    pauses = Pauses()
    async with running(gateway, notes, pauses=pauses):
        await eventually(lambda: notes.link is Link.CONNECTED)
    assert pauses.asked == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    texts = [text for link, text in notes.links if link is Link.CONNECTING and text]
    assert len(texts) == 6
    assert not any("sentinelsecret" in text for text in texts)


async def test_lost_events_are_told(gateway: FakeGateway, notes: Notes) -> None:
    """A gap of the stream reaches the listener with its number, before the values that are read again."""
    async with running(gateway, notes) as plant:
        await watch(plant, gateway, "A.B")
        gateway.put(pb.MxEvent(replay_gap=pb.ReplayGap(dropped_events=12)))
        await eventually(lambda: notes.lost == [12])


def completing(gateway: FakeGateway, *events: Callable[[int], pb.MxEvent]) -> None:
    """Lets each write be answered and completed by the events."""

    def answer(request: pb.MxCommandRequest) -> None:
        gateway.put(*(event(request.command.write.item_handle) for event in events))

    gateway.answer("write", answer)


async def test_a_write_waits_for_its_completion(gateway: FakeGateway, notes: Notes) -> None:
    """The outcome is that of OnWriteComplete, and a pending one announces another."""
    pending = write_complete(1, 1)
    pending.statuses[0].category = pb.MX_STATUS_CATEGORY_PENDING
    async with running(gateway, notes) as plant:
        handles = await watch(plant, gateway, "A.B")
        pending.item_handle = handles["A.B"]
        completing(gateway, lambda _handle: pending, lambda handle: write_complete(2, handle))
        outcome = await plant.write("a.b", to_mx_value(5))
    assert outcome.succeeded is True
    assert gateway.commands_of("write")[0].value.int32_value == 5


async def test_a_refused_completion_tells_number_and_words(gateway: FakeGateway, notes: Notes) -> None:
    """A refusal by MXAccess shows its detail number and what it means."""
    async with running(gateway, notes) as plant:
        await watch(plant, gateway, "A.B")
        completing(gateway, lambda handle: write_complete(1, handle, success=0, detail=1012))
        outcome = await plant.write("A.B", to_mx_value(5))
    assert outcome.succeeded is False
    assert "security error, detail 1012: needs a secured write" in outcome.text


async def test_a_refused_call_tells_what_mxaccess_says(gateway: FakeGateway, notes: Notes) -> None:
    """A write that MXAccess does not even take fails at once, and the next one is not confused by it."""
    async with running(gateway, notes) as plant:
        await watch(plant, gateway, "A.B")
        refusal = pb.MxCommandReply(
            protocol_status=failed(pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE), hresult=-2147024809
        )
        gateway.answer("write", refusal)
        outcome = await plant.write("A.B", to_mx_value(5))
        assert outcome.succeeded is False
        assert "0x80070057" in outcome.text
        completing(gateway, lambda handle: write_complete(1, handle))
        assert (await plant.write("A.B", to_mx_value(6))).succeeded is True


async def test_a_refusal_by_the_gateway_is_told(gateway: FakeGateway, notes: Notes) -> None:
    """A key without the scope for writes reads why."""
    async with running(gateway, notes) as plant:
        await watch(plant, gateway, "A.B")
        gateway.answer("write", Abort(grpc.StatusCode.PERMISSION_DENIED, "scope invoke:write is missing"))
        outcome = await plant.write("A.B", to_mx_value(5))
    assert outcome.succeeded is False
    assert "scope invoke:write is missing" in outcome.text


async def test_a_missing_completion_is_an_unknown_outcome(
    gateway: FakeGateway, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without OnWriteComplete in time nobody can tell; a late one never passes for that of the next write."""
    limits = TimeLimits(monkeypatch)
    async with running(gateway, notes, write_limit=LONG) as plant:
        handles = await watch(plant, gateway, "A.B")
        writing = asyncio.ensure_future(plant.write("A.B", to_mx_value(5)))
        await eventually(lambda: len(gateway.commands_of("write")) == 1)
        limits.run_out()
        assert (await writing).succeeded is None
        # The late completion of the first write says success; the second write was refused.
        completing(
            gateway,
            lambda handle: write_complete(1, handle),
            lambda handle: write_complete(2, handle, success=0, detail=1008),
        )
        assert (await plant.write("A.B", to_mx_value(6))).succeeded is False
        assert handles


async def test_a_loss_during_a_write_is_an_unknown_outcome(gateway: FakeGateway, notes: Notes) -> None:
    """When the connection goes between write and completion, the outcome is unknown and says so."""
    async with running(gateway, notes, write_limit=1.0) as plant:
        await watch(plant, gateway, "A.B")
        gateway.answer("write", lambda _request: gateway.put(Abort(grpc.StatusCode.UNAVAILABLE, "gone")))
        outcome = await plant.write("A.B", to_mx_value(5))
    assert outcome.succeeded is None
    assert "may still take effect" in outcome.text


async def test_nothing_is_sent_in_read_only_mode_or_without_a_connection(gateway: FakeGateway, notes: Notes) -> None:
    """The plant itself refuses, whatever the screens do."""
    async with running(gateway, notes, read_only=True) as plant:
        await watch(plant, gateway, "A.B")
        outcome = await plant.write("A.B", to_mx_value(5))
        assert (outcome.succeeded, outcome.text) == (False, "this is read-only mode; nothing was sent")
    unconnected = GatewayPlant(ClientOptions(endpoint=gateway.endpoint, plaintext=True))
    assert (await unconnected.write("A.B", to_mx_value(5))).text == "there is no connection; nothing was sent"
    assert gateway.commands_of("write") == []


async def test_browse_and_search_use_the_galaxy_service(gateway: FakeGateway, notes: Notes) -> None:
    """The tree comes from BrowseChildren, a filter is a glob around its text, and the limit is told."""
    gateway.objects = [galaxy_pb.GalaxyObject(gobject_id=n, tag_name=f"Tank_{n}") for n in range(1, 5)]
    async with running(gateway, notes) as plant:
        assert [branch.name for branch in await plant.browse()] == ["Tank_1", "Tank_2", "Tank_3", "Tank_4"]
        found, more = await plant.search("ank", 3)
        assert (len(found), more) == (3, True)
        assert len((await plant.search("ank", 4))[0]) == 4
        globs = {r.tag_name_glob for r in gateway.requests if isinstance(r, galaxy_pb.DiscoverHierarchyRequest)}
        assert globs == {"*ank*"}


async def test_what_trying_again_cannot_mend_ends_the_run(gateway: FakeGateway, notes: Notes) -> None:
    """A mistake of this program is not hidden behind new attempts."""

    class Broken(Notes):
        def link_changed(self, link: Link, text: str) -> None:
            raise LookupError("mistake")

    plant = GatewayPlant(ClientOptions(endpoint=gateway.endpoint, plaintext=True))
    with pytest.raises(LookupError):
        await plant.run(Broken())


def test_the_cause_is_found_in_nested_groups() -> None:
    """The text in the footer is that of the first error, not of the groups around it."""
    cause = MxGatewayError("cause")
    assert first_cause(ExceptionGroup("outer", [ExceptionGroup("inner", [cause])])) is cause
