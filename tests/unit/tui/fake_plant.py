"""A plant without a gateway: a small Galaxy, and whatever the test lets happen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mxgateway import Alarm, AlarmChange, AlarmFeedState, AlarmProviderChanged, DataChange
from mxgateway.data_change import change_of
from mxgateway.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_cli.tui.plant import AlarmListener, Branch, Link, Listener, Outcome


def attribute(owner: str, name: str, data_type: int, type_name: str, **more: object) -> galaxy_pb.GalaxyAttribute:
    is_array = bool(more.get("is_array"))
    return galaxy_pb.GalaxyAttribute(
        attribute_name=name,
        full_tag_reference=f"{owner}.{name}{'[]' if is_array else ''}",
        mx_data_type=data_type,
        data_type_name=type_name,
        mx_attribute_category=10,
        security_classification=1,
        **more,  # type: ignore[arg-type]
    )


class FakeBranch:
    def __init__(self, each: galaxy_pb.GalaxyObject, children: Sequence[FakeBranch] = ()) -> None:
        self.object = each
        self.name = each.contained_name or each.tag_name
        self.has_children_hint = bool(children)
        self._children = children
        self.expansions = 0

    async def expand(self) -> Sequence[Branch]:
        self.expansions += 1
        return self._children


def machine(number: int) -> galaxy_pb.GalaxyObject:
    tag = f"TestMachine_{number:03}"
    return galaxy_pb.GalaxyObject(
        gobject_id=number,
        tag_name=tag,
        template_chain=["$TestMachine", "$UserDefined"],
        category_id=10,
        attributes=[
            attribute(tag, "ProtectedValue", 1, "Boolean"),
            attribute(tag, "TestChangingInt", 2, "Integer", is_historized=True),
            attribute(tag, "TestFloat", 3, "Float"),
            attribute(tag, "TestString", 5, "String"),
            attribute(
                tag, "TestIntArray", 2, "Integer", is_array=True, array_dimension=3, array_dimension_present=True
            ),
        ],
    )


def small_galaxy() -> list[FakeBranch]:
    machines = [FakeBranch(machine(number)) for number in range(1, 4)]
    area = galaxy_pb.GalaxyObject(gobject_id=100, tag_name="DEV", is_area=True, category_id=13)
    other = galaxy_pb.GalaxyObject(gobject_id=101, tag_name="Boiler_House", is_area=True, category_id=13)
    return [FakeBranch(area, machines), FakeBranch(other)]


class FakeAlarms:
    """Alarms that the test puts into a list; what is asked about them is kept."""

    def __init__(self) -> None:
        self.alarms: dict[str, Alarm] = {}
        self.revision = 0
        self.state = AlarmFeedState.SYNCED
        self.provider: AlarmProviderChanged | None = None
        self.problem = ""
        self.listener: AlarmListener | None = None
        self.acknowledged: list[tuple[list[Alarm], str, str]] = []
        self.shelved: list[tuple[list[Alarm], float, str]] = []
        self.outcomes: list[Outcome] = []
        self.past: list[AlarmChange] | Exception = []

    def put(self, *alarms: Alarm) -> None:
        self.alarms |= {alarm.reference: alarm for alarm in alarms}
        self.revision += 1

    async def run(self, listener: AlarmListener) -> None:
        self.listener = listener
        await asyncio.Event().wait()

    async def acknowledge(self, alarms: Sequence[Alarm], comment: str, operator: str) -> list[Outcome]:
        self.acknowledged.append((list(alarms), comment, operator))
        return self.outcomes or [Outcome(True, "acknowledged")] * len(alarms)

    async def shelve(self, alarms: Sequence[Alarm], hours: float, reason: str, operator: str) -> list[Outcome]:
        self.shelved.append((list(alarms), hours, reason))
        return [Outcome(True, "done")] * len(alarms)

    async def history(self, alarm: Alarm) -> Sequence[AlarmChange]:
        if isinstance(self.past, Exception):
            raise self.past
        return self.past


class FakePlant:
    endpoint = "gateway:5001"

    def __init__(self, *, read_only: bool = False, galaxy: Sequence[FakeBranch] | None = None) -> None:
        self.read_only = read_only
        self.galaxy = small_galaxy() if galaxy is None else galaxy
        self.watched: list[str] = []
        self.written: list[tuple[str, pb.MxValue]] = []
        self.outcome: Outcome | asyncio.Future[Outcome] = Outcome(True, "written; MXAccess has confirmed it")
        self.browse_error: Exception | None = None
        self.browses = 0
        self.searches: list[str] = []

        self.problem = ""
        self.is_simulated = False
        self.alarms = FakeAlarms()
        self.asked: list[str] = []
        self.hints: dict[str, str] = {}

    async def run(self, listener: Listener) -> None:
        listener.link_changed(Link.CONNECTED, "session-" + "0" * 32)
        await asyncio.Event().wait()

    def watch(self, tag: str) -> None:
        self.watched.append(tag)

    def unwatch(self, tag: str) -> None:
        self.watched.remove(tag)

    async def write(self, tag: str, value: pb.MxValue) -> Outcome:
        self.written.append((tag, value))
        return self.outcome if isinstance(self.outcome, Outcome) else await self.outcome

    async def browse(self) -> Sequence[Branch]:
        self.browses += 1
        if self.browse_error is not None:
            raise self.browse_error
        return self.galaxy

    async def attributes(self, object_name: str) -> Sequence[galaxy_pb.GalaxyAttribute]:
        self.asked.append(object_name)
        if self.browse_error is not None:
            raise self.browse_error
        objects = [each.object for branch in self.galaxy for each in (branch, *branch._children)]
        return [a for each in objects if each.tag_name.casefold() == object_name.casefold() for a in each.attributes]

    async def hint(self, tag: str) -> str:
        return self.hints.get(tag, "")

    async def search(self, text: str, limit: int) -> tuple[list[galaxy_pb.GalaxyObject], bool]:
        self.searches.append(text)
        objects = [child.object for branch in self.galaxy for child in branch._children]
        found = [each for each in objects if text.lower() in each.tag_name.lower()]
        return found[:limit], len(found) > limit


def change(value: pb.MxValue, quality: int = 192, at: int = 1_700_000_000, **more: object) -> pb.MxEvent:
    """A data change at a fixed time."""
    event = pb.MxEvent(
        family=pb.MX_EVENT_FAMILY_ON_DATA_CHANGE, value=value, quality=quality, on_data_change=pb.OnDataChangeEvent()
    )
    event.source_timestamp.FromSeconds(at)
    event.statuses.append(
        pb.MxStatusProxy(success=-1, category=pb.MX_STATUS_CATEGORY_OK) if not more else pb.MxStatusProxy(**more)  # type: ignore[arg-type]
    )
    return event


def changed(tag: str, event: pb.MxEvent) -> DataChange:
    """The change that a subscription makes of an event."""
    return change_of(tag, event, sequence=event.worker_sequence)
