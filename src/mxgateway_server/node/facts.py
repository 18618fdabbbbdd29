"""What `doctor` asks of a machine. `windows` answers for this one, tests answer for any."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

CLASS_ID = "{C30B52F5-2CB5-4760-AF0A-3A344A7EB5DC}"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file as far as it can be looked at.

    Attributes:
        head: its first bytes; empty when it cannot be read.
        size: bytes; -1 when it is not there.
        problem: why it cannot be read; empty when it can.
        version: its Windows file version; empty without one.
    """

    head: bytes = b""
    size: int = -1
    problem: str = ""
    version: str = ""

    @property
    def is_there(self) -> bool:
        return self.size >= 0


@dataclass(frozen=True, slots=True)
class Registration:
    """A class in one view of the registry.

    Attributes:
        server: path of its in-process DLL.
        threading_model: `Apartment` for LMXProxy.
    """

    server: str
    threading_model: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """A program that was run.

    Attributes:
        code: exit code; None when it could not be started, or was ended for taking too long.
        output: its standard output.
        problem: why it has no code; else the last line of its standard error.
    """

    code: int | None
    output: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class GalaxyFacts:
    """A Galaxy database as far as it answers.

    Attributes:
        place: where it is, without a login.
        problem: why it cannot be read; empty when it can.
        ahead: seconds that its server's clock is ahead of this machine's; None for a file, which has no clock.
    """

    place: str
    problem: str = ""
    ahead: float | None = None


@dataclass(frozen=True, slots=True)
class Listening:
    """An address that the settings want.

    Attributes:
        setting: which of them.
        address: as it is written there.
    """

    setting: str
    address: str


@dataclass(frozen=True, slots=True)
class DoorFacts:
    """A way by which people sign in to the dashboard, tried as far as it goes without a person.

    Attributes:
        door: what it is.
        found: what was found: where it leads, and what is wrong there if anything is.
        remedy: what to do; empty when nothing is wrong.
    """

    door: str
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class CollectorFacts:
    """The collector that traces go to.

    Attributes:
        endpoint: its address.
        problem: why traces would not reach it; empty when it can be reached.
        remedy: what to do then.
    """

    endpoint: str
    problem: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the settings say of the plant side.

    Attributes:
        com_python: the 32-bit Python of COM workers; empty when none is set.
        com_packages: folder with that Python's packages; empty likewise.
        worker_version: version that a worker must have, which is the gateway's.
        state_directory: where keys and certificates lie.
        probe_tag: a tag that is advised once; empty for none.
        variables: environment for that Python.
        addresses: where the gateway listens.
    """

    com_python: str
    com_packages: str
    worker_version: str
    state_directory: str
    probe_tag: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    addresses: tuple[Listening, ...] = ()


class Node(Protocol):
    """One machine."""

    @property
    def is_windows(self) -> bool: ...

    @property
    def bits(self) -> int:
        """32 or 64: of the Python that runs the gateway."""

    @property
    def account(self) -> str:
        """Who asks, for example `PLANT\\operator`; empty when that is not known."""

    def file(self, path: str) -> FileFacts: ...

    def registration(self, class_id: str, bits: int) -> Registration | None:
        """A COM class in the registry's view for 32-bit or 64-bit programs; None when it is not there."""

    def run(self, program: str, *arguments: str, variables: dict[str, str], seconds: float) -> Run:
        """Runs a program to its end."""

    def others_may_read(self, directory: str) -> list[str]:
        """Accounts beside owner, SYSTEM and administrators that may read a directory; empty when there are none.

        Raises:
            OSError: it cannot be found out.
        """


class Surroundings(Protocol):
    """What a gateway needs around it, on any system."""

    def galaxy(self) -> GalaxyFacts:
        """The Galaxy database of the settings, asked once."""

    def doors(self) -> list[DoorFacts]:
        """The ways by which people sign in to the dashboard, each asked once; empty where only keys let in."""

    def collector(self) -> CollectorFacts | None:
        """The collector of traces, looked for once; None where none are wanted."""

    def why_not_listen(self, address: str) -> str:
        """Why an address cannot be listened on right now; empty when it can."""

    def is_running(self) -> bool:
        """Whether a gateway runs with these settings at this moment."""
