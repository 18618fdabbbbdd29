"""The seam between the screens and what they show: the gateway in use, a fake in tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from mxgateway import Alarm, AlarmChange, AlarmFeedState, AlarmProviderChanged, DataChange
from mxgateway_contract.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb


class Link(Enum):
    """Where the connection stands."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a write, or what else was asked of the plant, ended.

    Attributes:
        succeeded: None when nobody can tell, because the answer did not come.
        text: the outcome in words.
    """

    succeeded: bool | None
    text: str


class Listener(Protocol):
    """What a plant tells."""

    def link_changed(self, link: Link, text: str) -> None:
        """The connection stands elsewhere; the text is the session, or why there is none."""

    def values_came(self, changes: Sequence[DataChange]) -> None:
        """Data changes of watched tags."""

    def tag_refused(self, tag: str, reason: str) -> None:
        """A tag cannot be watched."""

    def events_lost(self, count: int) -> None:
        """Events were lost before the changes that are told next; 0 when nobody knows how many."""


class Branch(Protocol):
    """An object of the Galaxy whose children are fetched when asked; `mxgateway.BrowseNode` is one."""

    @property
    def object(self) -> galaxy_pb.GalaxyObject: ...

    @property
    def name(self) -> str: ...

    @property
    def has_children_hint(self) -> bool: ...

    async def expand(self) -> Sequence[Branch]: ...


class AlarmListener(Protocol):
    """What the plant's alarms tell."""

    def alarm_changed(self, change: AlarmChange) -> None:
        """Something happened to an alarm."""


class PlantAlarms(Protocol):
    """The plant's alarms."""

    @property
    def alarms(self) -> Mapping[str, Alarm]:
        """The list as it is known now."""

    @property
    def revision(self) -> int:
        """Grows whenever the list, its state or its provider may have changed."""

    @property
    def state(self) -> AlarmFeedState:
        """How good the list is."""

    @property
    def provider(self) -> AlarmProviderChanged | None:
        """Who tells it, as he was told of last."""

    @property
    def problem(self) -> str:
        """Why there is no list, or no connection; empty else."""

    async def run(self, listener: AlarmListener) -> None:
        """Keeps the list up to date until it is canceled."""

    async def acknowledge(self, alarms: Sequence[Alarm], comment: str, operator: str) -> list[Outcome]:
        """Acknowledges the occurrences that these alarms are; an outcome for each. Never raises for what the plant or
        the gateway answers."""

    async def shelve(self, alarms: Sequence[Alarm], hours: float, reason: str, operator: str) -> list[Outcome]:
        """Shelves alarms, or with 0 hours ends that; an outcome for each."""

    async def history(self, alarm: Alarm) -> Sequence[AlarmChange]:
        """The last changes of an alarm, the newest first. Raises MxGatewayError."""


class Plant(Protocol):
    """Everything that the screens ask for."""

    @property
    def alarms(self) -> PlantAlarms: ...

    @property
    def endpoint(self) -> str: ...

    @property
    def read_only(self) -> bool: ...

    @property
    def is_simulated(self) -> bool:
        """Whether the values are a simulator's; False until the first session."""

    @property
    def problem(self) -> str:
        """Why there is no connection now, as far as it is known; it may change with each attempt."""

    async def run(self, listener: Listener) -> None:
        """Keeps the connection up, and what is watched subscribed, until it is canceled."""

    def watch(self, tag: str) -> None:
        """From now on data changes of this tag are told."""

    def unwatch(self, tag: str) -> None: ...

    async def write(self, tag: str, value: pb.MxValue) -> Outcome:
        """Writes to a watched tag and waits for its OnWriteComplete. Never raises for what the plant answers."""

    async def browse(self) -> Sequence[Branch]:
        """The top of the Galaxy. Raises MxGatewayError."""

    async def attributes(self, object_name: str) -> Sequence[galaxy_pb.GalaxyAttribute]:
        """What the Galaxy says of an object's attributes; nothing when there is no such object. Raises
        MxGatewayError."""

    async def hint(self, tag: str) -> str:
        """What was meant by a reference that leads nowhere; empty when nobody knows. Raises MxGatewayError."""

    async def search(self, text: str, limit: int) -> tuple[list[galaxy_pb.GalaxyObject], bool]:
        """Objects whose tag name contains the text, and whether there are more than the limit. Raises
        MxGatewayError."""
