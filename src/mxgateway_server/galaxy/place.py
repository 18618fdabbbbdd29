"""Which Galaxy the gateway browses and the simulator simulates: a shipped one by name, a file, or a database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from mxgateway_contract.windows_rights import make_private_folder
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.galaxy.connection_strings import is_connection_string
from mxgateway_simulator.places import SHIPPED, board_path

DEFAULT_GALAXY = "plant"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class GalaxyPlace:
    """Where the Galaxy is.

    Attributes:
        source: path of a SQLite file, SQLAlchemy URL, or connection string.
        file: the file, when it is one.
        board: the simulator's shared board beside it.
        name: for people.
    """

    source: str = field(repr=False)
    name: str
    file: Path | None = None
    board: Path | None = None


def find_galaxy(wanted: str, state: Path, *, builds: bool = True) -> GalaxyPlace:
    """The Galaxy that a name, path, URL or connection string means; a shipped one is built on first use.

    Args:
        wanted: what `galaxy.connection_string` says.
        state: the state directory, where shipped ones are built.
        builds: False to only say where a shipped one will be.

    Raises:
        ConfigurationError: there is none.
    """
    wanted = wanted or DEFAULT_GALAXY
    path = Path(wanted).expanduser()
    # A file that happens to be called so, in the folder where somebody starts the gateway, is not what is meant.
    if wanted not in SHIPPED and path.is_file():
        return _file(path.absolute(), path.stem, board_path(path.absolute()))
    if is_connection_string(wanted):
        return GalaxyPlace(source=wanted, name="mssql")
    if "://" in wanted:
        return GalaxyPlace(source=wanted, name=wanted.partition("://")[0])
    if not _NAME.match(wanted):
        # A login without the kind of database before it is no path, and its password nothing to repeat.
        shown = "" if re.search("[@=;]", wanted) else f" {wanted}"
        raise ConfigurationError(
            f"galaxy.connection_string (--galaxy){shown}: no such file, and no URL; build it with mxgateway galaxy "
            "build, or write a URL such as mssql+pytds://user:password@host/ZB"
        )
    built = state / "galaxy" / f"{wanted}.db"
    if not built.is_file():
        if builds:
            _build(wanted, built)
        elif wanted not in SHIPPED:
            # Reading a shipped one to its end would take longer than all else that is looked at before a start.
            _check_name(wanted)
    return _file(built.absolute(), wanted, board_path(built.absolute()))


def _file(path: Path, name: str, board: Path) -> GalaxyPlace:
    return GalaxyPlace(source=str(path), name=name, file=path, board=board)


def _check_name(name: str) -> None:
    from mxgateway_simulator.building.description_reader import read_description
    from mxgateway_simulator.errors import SimulatorError

    try:
        read_description(name)
    except SimulatorError as error:
        raise ConfigurationError(f"galaxy.connection_string (--galaxy) {name}: {error}") from error


def _build(name: str, path: Path) -> None:
    # Only a gateway that makes a Galaxy needs the builder.
    from mxgateway_simulator.building.builder import build_galaxy
    from mxgateway_simulator.building.description_reader import read_description
    from mxgateway_simulator.errors import SimulatorError

    try:
        make_private_folder(path.parent)
        build_galaxy(read_description(name), path)
    except SimulatorError as error:
        raise ConfigurationError(f"galaxy.connection_string (--galaxy) {name}: {error}") from error
    except OSError as error:
        raise ConfigurationError(
            f"state_dir {path.parent}: {error.strerror}; choose a directory that the gateway may write"
        ) from error
