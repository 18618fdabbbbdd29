"""What a start would meet, looked at beforehand: files, folders, ports, the worker's program.

Nothing stays changed: a folder is tried by making something in it that is gone at once. The second, deeper look opens
the databases and starts a worker.
"""

from __future__ import annotations

import asyncio
import datetime
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import make_url

from mxgateway_protocol.clock import SystemClock
from mxgateway_server import __version__, places, wiring
from mxgateway_server.access.peppers import PepperFile
from mxgateway_server.access.probe import probe_store
from mxgateway_server.certificates.client_authorities import ClientAuthoritiesFile
from mxgateway_server.certificates.provided import ProvidedCertificate
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import ConfigurationError, GatewayError
from mxgateway_server.galaxy.errors import GalaxySourceError
from mxgateway_server.galaxy.place import GalaxyPlace, find_galaxy
from mxgateway_server.operations.component import is_asked_for
from mxgateway_server.rpc.opening import FILE_OPTIONS
from mxgateway_server.rpc.ports import check_port
from mxgateway_server.state import is_held, require_closed, require_private
from mxgateway_server.telemetry.opening import require_tracing
from mxgateway_server.workers.confinement import Confinement, confinement, require
from mxgateway_server.workers.containment import create_containment
from mxgateway_server.workers.launcher import Launcher

_SQLITE_HEADER = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Finding:
    """What would stop the start, or a session: the setting that it hangs on, and the remedy."""

    name: str
    text: str


@dataclass(slots=True)
class Preflight:
    """What was looked at, what was not, and what was found."""

    looked_at: list[str] = field(default_factory=list)
    not_looked_at: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    confinement: Confinement | None = None


def look(settings: Settings) -> Preflight:
    """Looks at what can be seen from here without opening a database or starting anything."""
    report = Preflight(not_looked_at=list(_DEEP_LOOKS))
    for what, looks in _LOOKS.items():
        if looks is _ports and is_held(settings.state_path):
            report.not_looked_at.append(f"{what} (a gateway runs on this state directory)")
            continue
        report.looked_at.append(what)
        try:
            report.findings += looks(settings)
        except GatewayError as error:
            report.findings.append(_finding(error))
    report.confinement = _confinement(settings)
    return report


def _confinement(settings: Settings) -> Confinement | None:
    try:
        place = find_galaxy(settings.galaxy.connection_string, settings.state_path, builds=False)
        return confinement(wiring.worker_plan(settings, place), wiring.worker_secrets(settings))
    except GatewayError:
        return None  # told already


async def look_deep(settings: Settings) -> Preflight:
    """`look`, and opens the databases and starts a worker, which ends again; takes as long as these may take."""
    report = look(settings)
    report.not_looked_at = [what for what in report.not_looked_at if what not in _DEEP_LOOKS]
    # What stands in the way of a look would only be told twice.
    in_the_way = {finding.name for finding in report.findings}
    for what, (names, looks) in _DEEP_LOOKS.items():
        if in_the_way.intersection(names):
            report.not_looked_at.append(what)
            continue
        report.looked_at.append(what)
        try:
            report.findings += await looks(settings)
        except GatewayError as error:
            report.findings.append(_finding(error))
    report.not_looked_at.append("whether clients reach this machine")
    return report


def _finding(error: GatewayError) -> Finding:
    # The texts of settings that are wrong begin with the setting's name.
    text = str(error)
    name = text.split(maxsplit=1)[0].rstrip(":")
    return Finding(name, text)


# --------------------------------------------------------------------------------------------------- files and folders


def _state(settings: Settings) -> Iterator[Finding]:
    require_closed(settings.state_path)
    problem = _why_not_writable(settings.state_path)
    if problem:
        yield Finding("state_dir", f"state_dir {settings.state_path}: {problem}")


def _certificate(settings: Settings) -> Iterator[Finding]:
    tls, now = settings.tls, datetime.datetime.now(datetime.UTC)
    if not any(settings.tls_endpoints()) and not any(is_tls for _, _, is_tls in settings.http_endpoints()):
        return
    if tls.client_ca_file:
        ClientAuthoritiesFile(Path(tls.client_ca_file).expanduser()).load(now)
    if tls.certificate_file:
        ProvidedCertificate(tls.certificate_file, tls.key_file).load(now)
    elif tls.self_signed_directory:
        folder = Path(tls.self_signed_directory).expanduser()
        problem = _why_not_writable(folder)
        if problem:
            yield Finding("tls.self_signed_directory", f"tls.self_signed_directory {folder}: {problem}")


def _ports(settings: Settings) -> Iterator[Finding]:
    http = [(name, address) for name, address, _ in settings.http_endpoints() if is_asked_for(settings, name)]
    for name, address in (*settings.addresses(), *http):
        try:
            check_port(name, address)
        except ConfigurationError as error:
            yield Finding(name, str(error))


def _key_store(settings: Settings) -> Iterator[Finding]:
    authentication = settings.authentication
    peppers = places.pepper_source(settings)
    if not isinstance(peppers, PepperFile) or peppers.path.exists():
        peppers.load()
    if "://" not in places.key_store(settings):
        require_private("authentication.database", Path(places.key_store(settings)).expanduser().absolute())
    if authentication.database and "://" not in authentication.database:
        name, file = "authentication.database", Path(authentication.database).expanduser()
        problem = _why_not_writable(file.parent) if not file.exists() else _why_no_file(file)
        if problem:
            yield Finding(name, f"{name} {file}: {problem}")
    if authentication.pepper_file:
        name, file = "authentication.pepper_file", Path(authentication.pepper_file).expanduser()
        problem = _why_not_writable(file.parent) if not file.exists() else _why_no_file(file)
        if problem:
            yield Finding(name, f"{name} {file}: {problem}")


def _galaxy(settings: Settings) -> Iterator[Finding]:
    name = "galaxy.connection_string"
    place = find_galaxy(settings.galaxy.connection_string, settings.state_path, builds=False)
    wiring.galaxy_source(settings, place.source).close()
    wiring.worker_plan(settings, place)
    # A shipped one is built when it is not there; nobody builds what a URL names.
    file = place.file if place.file is None or place.file.exists() else None
    file = _file_of_url(place.source) if place.file is None else file
    if file is not None:
        problem = _why_no_file(file)
        if problem is None and not _is_sqlite(file):
            problem = "not an SQLite database; build one with mxgateway galaxy build"
        if problem:
            yield Finding(name, f"{name} {file}: {problem}")
    snapshot = settings.galaxy.snapshot_cache_path
    if snapshot and settings.galaxy.persist_snapshot:
        problem = _why_not_writable(Path(snapshot).expanduser().parent)
        if problem:
            yield Finding("galaxy.snapshot_cache_path", f"galaxy.snapshot_cache_path {snapshot}: {problem}")


def _file_of_url(source: str) -> Path | None:
    """The file of an SQLite URL; None for another one."""
    if not source.startswith("sqlite"):
        return None
    database = make_url(source).database
    return None if not database or database.startswith((":memory:", "file:")) else Path(database)


def _worker(settings: Settings) -> Iterator[Finding]:
    worker = settings.worker
    confined = _confinement(settings)
    if confined is not None:
        require(confined)
    folder = Path(worker.working_directory) if worker.working_directory else Path.cwd()
    if not folder.is_dir():
        yield Finding("worker.working_directory", f"worker.working_directory {folder}: no such folder; correct it")
        return
    if worker.command:
        program = worker.command[0]
        # A path is seen from the worker's folder, a name is looked for as a shell does.
        found = shutil.which(str(folder / program)) if os.path.dirname(program) else shutil.which(program)
        if found is None:
            yield Finding(
                "worker.command",
                f"worker.command {program}: no such program, or it may not be run; write its path, or leave the setting"
                " out for the gateway's own worker",
            )
    for name, text in (("worker.com_python", worker.com_python), ("worker.com_packages", worker.com_packages)):
        if text and not Path(text).expanduser().exists():
            yield Finding(name, f"{name} {text}: not there; correct the path, or say mxgateway worker provision")
    for option, value in worker.backend_options.items():
        # The board is made when it is not there.
        if option in FILE_OPTIONS - {"board"} and not (folder / Path(value).expanduser()).is_file():
            name = f"worker.backend_options.{option}"
            yield Finding(name, f"{name} {value}: no such file; correct the path")


def _traces(settings: Settings) -> Iterator[Finding]:
    require_tracing(settings.telemetry)
    yield from ()


_LOOKS: dict[str, Callable[[Settings], Iterator[Finding]]] = {
    "the state directory": _state,
    "the certificate": _certificate,
    "the ports": _ports,
    "the files of the key store": _key_store,
    "the Galaxy's file or URL": _galaxy,
    "the worker's program and files": _worker,
    "the traces": _traces,
}


def _why_not_writable(folder: Path) -> str | None:
    """Tries it: neither root's rights nor file systems that are read-only can be told from the outside."""
    missing = folder
    while not missing.parent.exists():
        missing = missing.parent
    try:
        if folder.exists():
            with tempfile.TemporaryFile(dir=folder):
                return None
        missing.mkdir(mode=0o700)
        missing.rmdir()
    except OSError as error:
        return f"{error.strerror}; choose a folder that the gateway may write, or give its user the right to"
    return None


def _why_no_file(file: Path) -> str | None:
    try:
        with file.open("rb"):
            return None
    except OSError as error:
        return f"{error.strerror}; correct the path, or make the file readable for the gateway's user"


def _is_sqlite(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(_SQLITE_HEADER)) == _SQLITE_HEADER


# ---------------------------------------------------------------------------------------------- databases and a worker


async def _deep_galaxy(settings: Settings) -> list[Finding]:
    place = find_galaxy(settings.galaxy.connection_string, settings.state_path, builds=False)
    if place.file is not None and not place.file.exists():
        return []  # made at the first start
    source = wiring.galaxy_source(settings, place.source)

    def read() -> None:
        source.test_connection()
        source.read_deploy_time()
        source.count_objects()

    try:
        await asyncio.to_thread(read)
    except GalaxySourceError as error:
        text = f"galaxy.connection_string: {error.problem}: {error.detail or 'no further words'}"
        return [Finding("galaxy.connection_string", text)]
    finally:
        source.close()
    return []


async def _deep_key_store(settings: Settings) -> list[Finding]:
    await probe_store(places.key_store(settings), migrates=settings.authentication.run_migrations_on_startup)
    return []


async def _deep_worker(settings: Settings) -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="mxgateway-check-") as folder:
        place = find_galaxy(settings.galaxy.connection_string, settings.state_path, builds=False)
        if place.file is not None:
            # A shipped Galaxy that is not built yet is built here; the board of a running plant is left alone.
            if not place.file.exists():
                place = await asyncio.to_thread(find_galaxy, settings.galaxy.connection_string, Path(folder))
            place = replace(place, board=Path(folder) / "check.board.db")
        await _start_a_worker(settings, place)
    return []


async def _start_a_worker(settings: Settings, place: GalaxyPlace) -> None:
    containment = create_containment()
    launcher = Launcher(wiring.worker_limits(settings), SystemClock(), containment, gateway_version=__version__)
    try:
        client = await launcher.launch(wiring.worker_plan(settings, place), "check-config")
        await client.shut_down("the check is over")
    except GatewayError as error:
        words = getattr(error, "last_words", "")
        told = f"; its last words: {words}" if words else ""
        raise ConfigurationError(f"worker.command: a worker does not start: {error}{told}") from error
    finally:
        containment.close()


_DEEP_LOOKS: dict[str, tuple[tuple[str, ...], Callable[[Settings], Awaitable[list[Finding]]]]] = {
    "the Galaxy's database": (("galaxy.connection_string",), _deep_galaxy),
    "the key store's database": (("authentication.database", "state_dir"), _deep_key_store),
    "whether a worker starts": (
        ("galaxy.connection_string", "worker.command", "worker.working_directory", "worker.backend"),
        _deep_worker,
    ),
}
